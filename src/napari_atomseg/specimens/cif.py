"""Crystals from files, for whatever ase reads: cif, POSCAR, xyz with a cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from ase import Atoms


def read_crystal(path: str | Path) -> Atoms:
    """A crystal with its cell; partial occupancies stand in the array ``occupancy``, mixed sites as several atoms.

    Raises
    ------
    AtomsegError
        If the file is missing, unreadable, empty, has no three-dimensional cell, or an element that does not exist.
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
    if abs(float(np.linalg.det(atoms.cell.array))) < 1e-3:
        raise AtomsegError(f"{path}: has no unit cell, so it is no crystal; give a cell, or use it as a particle")
    if not np.isfinite(atoms.positions).all():
        raise AtomsegError(f"{path}: holds positions that are not numbers")
    return _with_occupancies(atoms)


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
