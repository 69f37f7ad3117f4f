"""Structures from files, for whatever ase reads: cif, POSCAR, xyz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from ase import Atoms


MOST_ATOMS = 1_000_000
"""That a structure may hold: a window with more could not be moved, and no image simulated of them in a day."""


FLAT = 1e-3
"""A cell of less volume is none, A3."""
ROOMIEST = 200.0
"""Volume of an atom, A3, beyond which a cell is a box with a particle in it; those of open frameworks stay below."""


def read_structure(path: str | Path) -> Atoms:
    """A crystal, a particle or a molecule; with a cell, or without.

    Partial occupancies stand in the array ``occupancy``, mixed sites as several atoms.

    Raises
    ------
    AtomsegError
        If the file is missing, unreadable, empty, too large, or holds an element that does not exist.
    """
    from ase.io import read

    path = Path(path)
    if not path.exists():
        raise AtomsegError(f"{path}: there is no such file")
    try:
        atoms = read(path)
    except Exception as error:  # ase raises whatever its parsers meet
        raise AtomsegError(
            f"{path}: not readable as a structure ({_first_line(error)}); check the file or export it as CIF"
        ) from error
    if isinstance(atoms, list) or len(atoms) == 0:
        raise AtomsegError(f"{path}: holds no atoms")
    if len(atoms) > MOST_ATOMS:
        raise AtomsegError(f"{path}: holds {len(atoms):,} atoms; cut a part of at most {MOST_ATOMS:,} out of it")
    if not np.isfinite(atoms.positions).all():
        raise AtomsegError(f"{path}: holds positions that are not numbers")
    if np.any(atoms.numbers < 1):
        raise AtomsegError(f"{path}: holds an atom of an unknown element (X); name its element in the file")
    return _with_occupancies(atoms)


def read_crystal(path: str | Path) -> Atoms:
    """A structure with a three-dimensional cell; see :func:`read_structure`.

    Raises
    ------
    AtomsegError
        As there, and if it has no cell.
    """
    atoms = read_structure(path)
    if abs(float(np.linalg.det(atoms.cell.array))) < FLAT:
        raise AtomsegError(f"{path}: has no unit cell, so it is no crystal; give a cell, or use it as a particle")
    return atoms


def is_crystal(atoms: Atoms) -> bool:
    """Whether a structure repeats in three dimensions and fills its cell: no molecule, no particle in a box."""
    volume = abs(float(np.linalg.det(atoms.cell.array)))
    return FLAT <= volume < ROOMIEST * len(atoms) and bool(np.all(atoms.pbc))


def _with_occupancies(atoms: Atoms) -> Atoms:
    """The same crystal with every kind of a mixed site as an atom of its own, and the share of each."""
    from ase import Atoms as Structure

    given = atoms.info.get("occupancy")
    kinds = atoms.arrays.get("spacegroup_kinds")
    if not given or kinds is None:
        atoms.set_array("occupancy", np.ones(len(atoms)))
        return atoms
    symbols, places, shares = [], [], []
    for kind, place, symbol in zip(kinds, atoms.positions, atoms.get_chemical_symbols(), strict=True):
        for element, share in (given.get(str(kind)) or given.get(int(kind)) or {symbol: 1.0}).items():
            symbols.append(element)
            places.append(place)
            shares.append(float(share))
    found = Structure(symbols, positions=places, cell=atoms.cell, pbc=True)
    found.set_array("occupancy", np.array(shares))
    return found


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:120] if text else type(error).__name__
