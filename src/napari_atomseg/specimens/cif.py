"""Structures from files, for whatever ase reads: cif, POSCAR, xyz; also those of Prismatic."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.filling import sites_of
from napari_atomseg.specimens.repetition import FLAT, MOST_ATOMS

if TYPE_CHECKING:
    from ase import Atoms

OVERFULL = 1.02
"""Sum of the occupancies of a site up to which it is full: shares are rounded."""
NOTES = "notes"
"""Where in the information of a structure it stands what was assumed as it was read."""


def read_structure(path: str | Path) -> Atoms:
    """A crystal, a particle or a molecule; with a cell, or without.

    Partial occupancies stand in the array ``occupancy``, mixed sites as several atoms, thermal displacements that the file tells
    in the array ``thermal`` (Angstrom, along one axis). What was assumed stands in ``atoms.info["notes"]``.

    Raises
    ------
    AtomsegError
        If the file is missing, unreadable, empty, too large, or holds an element that does not exist.
    """
    path = Path(path)
    atoms, notes = _read_or_say_why_not(path)
    if isinstance(atoms, list) or len(atoms) == 0:
        raise AtomsegError(f"{path}: holds no atoms")
    if len(atoms) > MOST_ATOMS:
        raise AtomsegError(f"{path}: holds {len(atoms):,} atoms; cut a part of at most {MOST_ATOMS:,} out of it")
    if not np.isfinite(atoms.positions).all():
        raise AtomsegError(f"{path}: holds positions that are not numbers")
    if np.any(atoms.numbers < 1):
        raise AtomsegError(f"{path}: holds an atom of an unknown element (X); name its element in the file")
    found = _with_occupancies(atoms)
    _refuse_overfull(path, found)
    found.info[NOTES] = notes
    return found


def _read_or_say_why_not(path: Path) -> tuple[Atoms, tuple[str, ...]]:
    """What the file says, or a sentence that names it."""
    if not path.exists():
        raise AtomsegError(f"{path}: there is no such file")
    try:
        return _read(path)
    except AtomsegError as error:
        raise AtomsegError(f"{path}: not readable as a structure: {error}") from error
    except KeyError as error:
        # What ase says of a symbol that it does not know.
        raise AtomsegError(
            f"{path}: not readable as a structure: {error} names no element; write its symbol, such as Ni"
        ) from error
    except Exception as error:  # ase raises whatever its parsers meet
        raise AtomsegError(
            f"{path}: not readable as a structure ({_first_line(error)}); check the file or export it as CIF"
        ) from error


def _read(path: Path) -> tuple[Atoms, tuple[str, ...]]:
    """The structure as its format says, and what was assumed."""
    from ase.io import read
    from ase.io.formats import filetype

    from napari_atomseg.specimens import prismatic, symbols_in_text
    from napari_atomseg.specimens.cif_blocks import read_cif

    if path.suffix.lower() == ".xyz":
        text = path.read_text(encoding="utf-8", errors="replace")
        return prismatic.read_prismatic(text) if prismatic.is_prismatic(text) else symbols_in_text.read_xyz(text)
    kind = filetype(str(path))
    if kind == "cif":
        return read_cif(path)
    by_text = {"extxyz": symbols_in_text.read_xyz, "vasp": symbols_in_text.read_poscar}
    if kind in by_text:
        return by_text[kind](path.read_text(encoding="utf-8", errors="replace"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ase, to its developers
        atoms = read(str(path), format=kind)
    # What other formats call so, such as pdb, is often left at zero.
    atoms.arrays.pop("occupancy", None)
    return atoms, ()


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


def _with_occupancies(atoms: Atoms) -> Atoms:
    """The same crystal with every kind of a mixed site as an atom of its own, and the share of each."""
    from ase import Atoms as Structure

    given = atoms.info.get("occupancy")
    kinds = atoms.arrays.get("spacegroup_kinds")
    if not given or kinds is None:
        if "occupancy" not in atoms.arrays:
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


def _refuse_overfull(path: Path, atoms: Atoms) -> None:
    """Elements that share a site, as a file with occupancies has them, have shares."""
    if len(np.unique(atoms.numbers)) < 2:
        return
    site = sites_of(atoms.positions)
    filled = np.bincount(site, atoms.arrays["occupancy"])
    worst = int(np.argmax(filled))
    if filled[worst] > OVERFULL:
        names = " and ".join(dict.fromkeys(np.array(atoms.get_chemical_symbols())[site == worst]))
        raise AtomsegError(f"{path}: {names} fill one site {filled[worst]:g} times; give their shares as occupancies, 1 together")


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:120] if text else type(error).__name__
