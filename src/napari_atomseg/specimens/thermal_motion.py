"""How far atoms move about their places: from a text, a file, or as usual."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from ase import Atoms

THERMAL_WIDTH = 0.08
"""Root mean square displacement of an atom along one axis at room temperature where nothing better is known, Angstrom."""
THERMAL = "thermal"
"""Array of rms displacements along one axis, Angstrom."""


def thermal_by_element(text: str) -> dict[int, float]:
    """Root mean square displacements by atomic number, from a text such as ``Sr 0.07, O 0.09``.

    Raises
    ------
    AtomsegError
        If an element does not exist or a number is not one from 0 to 2 Angstrom.
    """
    from ase.data import atomic_numbers

    found = {}
    for part in filter(None, (piece.strip() for piece in re.split(r"[,;]", text))):
        match = re.fullmatch(r"([A-Z][a-z]?)\s*[:=]?\s*(\d*\.?\d+)", part)
        if match is None or match[1] not in atomic_numbers or not 0 <= float(match[2]) <= 2:
            raise AtomsegError(f'"{part}" is no thermal displacement: write an element and Angstrom from 0 to 2, such as Sr 0.07')
        found[atomic_numbers[match[1]]] = float(match[2])
    return found


def with_thermal_motion(atoms: Atoms, thermal: float | None = None, of_elements: str = "") -> Atoms:
    """Atoms with the rms displacement of each: of its element, else of all, else of the file, else the usual one.

    Parameters
    ----------
    atoms : Atoms
        Changed in place; displacements of a file stand in its array ``thermal``, Angstrom.
    thermal : float, Angstrom, optional
        Along one axis, of all atoms.
    of_elements : str
        Others for single elements; see :func:`thermal_by_element`.
    """
    usual = np.full(len(atoms), THERMAL_WIDTH) if thermal is None else np.full(len(atoms), thermal)
    if thermal is None and THERMAL in atoms.arrays:
        usual = atoms.arrays[THERMAL]
    own = thermal_by_element(of_elements)
    atoms.set_array(THERMAL, np.array([own.get(int(number), u) for number, u in zip(atoms.numbers, usual, strict=True)]))
    return atoms
