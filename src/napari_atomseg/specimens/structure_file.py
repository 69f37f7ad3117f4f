"""Structures from files, and what was read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms


STRUCTURE_SUFFIXES = (".cif", ".xyz", ".extxyz", ".vasp", ".poscar", ".pdb", ".xsf")
STRUCTURE_NAMES = ("poscar", "contcar")


def is_structure_file(path: str | Path) -> bool:
    """Whether a file is a structure by its name, rather than an image or a table."""
    path = Path(path)
    name, suffix = path.name.lower(), path.suffix.lower()
    return suffix in STRUCTURE_SUFFIXES or (not suffix and name.startswith(STRUCTURE_NAMES))


def read_structure(path: str | Path) -> Atoms:
    """A structure from a file that ase reads; see :func:`napari_atomseg.specimens.cif.read_structure`."""
    from napari_atomseg.specimens.cif import NOTES
    from napari_atomseg.specimens.cif import read_structure as reader

    atoms = reader(path)
    atoms.info = {"name": Path(path).stem, "path": str(Path(path).resolve()), NOTES: atoms.info[NOTES]}
    return atoms
