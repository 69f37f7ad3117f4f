"""Structures from files, and what was read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.specimens.cut_params import CutParams
    from napari_atomseg.specimens.description import Description

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


def describe_structure(structure: Atoms, repeat: str = "auto") -> Description:
    """Formula, atoms, density, cell and repetition of a structure, and what was assumed as it was read.

    Parameters
    ----------
    structure : Atoms
    repeat : str
        ``auto``, ``none`` or numbers of cells such as 3,3,1.
    """
    from napari_atomseg.specimens.description import describe_structure as describe

    return describe(structure, repeat)


def structure_summary(description: Description) -> str:
    """A description as one line."""
    from napari_atomseg.specimens.description import summary as in_a_line

    return in_a_line(description)


def has_thickness(structure: Atoms, cut: CutParams) -> bool:
    """Whether a structure goes on along the beam, so that its piece is as thick as it is wanted to be.

    Parameters
    ----------
    structure : Atoms
    cut : CutParams
        Whose zone axis and repetition are used.
    """
    from napari_atomseg.specimens.cutting import has_thickness as goes_on

    return goes_on(structure, cut)
