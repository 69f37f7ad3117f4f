"""What of a structure is repeated: a crystal in three dimensions, a sheet in two, a wire in one, a particle in none.

A cell that is periodic on paper may be a box: where a slab of it is empty, atoms end there, and copies of them are not what lies
in the microscope.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from ase import Atoms

EMPTY = 4.0
"""Thickness of an empty slab, between the centres of its atoms, Angstrom, that ends a structure: more than between the layers of
any crystal of layers (graphite 3.35, boron nitride 3.33, disulphides 3)."""
_ROUNDING = 1e-7
"""Share of a cell by which an atom may lie below its face and still be at it."""
FLAT = 1e-3
"""A cell of less volume is none, A3."""
MOST_ATOMS = 1_000_000
AXES = ("a", "b", "c")
AUTO, NONE = "auto", "none"


@dataclass(frozen=True, kw_only=True, eq=False)
class Repetition:
    """A structure with its atoms together, and along which of its axes it goes on.

    Attributes
    ----------
    atoms : Atoms
        With a three-dimensional cell where anything is repeated; atoms beside an empty slab lie on one side of it.
    repeated : tuple of bool
        Along a, b and c.
    empty : tuple of float, Angstrom
        Thickness of the widest slab without atoms across each axis.
    unit : ndarray, shape (3, 3), Angstrom
        Vectors a, b, c of one cell, in rows.
    in_cell : bool
        Whether directions are those of the cell; else of x, y and z, since the cell is but a box about the atoms.
    """

    atoms: Atoms
    repeated: tuple[bool, bool, bool]
    empty: tuple[float, float, float]
    unit: np.ndarray
    in_cell: bool


def repeat_of(text: str) -> tuple[int, int, int] | None:
    """Number of cells along a, b and c from a text such as ``3,3,1``; nothing of ``auto``, and one of each for ``none``.

    Raises
    ------
    AtomsegError
        If it is none of these.
    """
    wanted = text.strip().lower()
    if wanted == AUTO:
        return None
    parts = ["1"] * 3 if wanted == NONE else wanted.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise AtomsegError(f'"{text}" is no repetition: write auto, none, or three numbers of cells from 1, such as 3,3,1')
    first, second, third = (int(part) for part in parts)
    return first, second, third


def repetition(structure: Atoms, repeat: str = AUTO) -> Repetition:
    """How a structure goes on beyond its cell.

    Parameters
    ----------
    structure : Atoms
    repeat : str
        ``auto`` repeats along the periodic axes that no empty slab cuts; ``none`` takes the atoms as they are; numbers
        such as ``3,3,1`` take so many cells, beyond which there is nothing.

    Raises
    ------
    AtomsegError
        If there would be too many atoms, or a structure without a cell is to be repeated.
    """
    found = _as_it_is(structure)
    cells = repeat_of(repeat)
    if cells is None:
        return found
    count = int(np.prod(cells))
    if count > 1 and found.atoms.cell.rank < 3:
        raise AtomsegError("the structure has no unit cell that could be repeated; take the repetition auto or none")
    if count * len(structure) > MOST_ATOMS:
        raise AtomsegError(f"{count:,} cells would hold {count * len(structure):,} atoms; up to {MOST_ATOMS:,} can be made")
    return replace(found, atoms=found.atoms.repeat(cells), repeated=(False,) * 3)


def is_crystal(atoms: Atoms) -> bool:
    """Whether a structure repeats in three dimensions and fills its cell: no molecule, no sheet, no particle in a box."""
    return all(_as_it_is(atoms).repeated)


def _as_it_is(structure: Atoms) -> Repetition:
    periodic = np.asarray(structure.pbc) & (np.linalg.norm(structure.cell.array, axis=1) > 0)
    cell = structure.cell.complete().array
    if not periodic.any() or len(structure) == 0 or abs(np.linalg.det(cell)) < FLAT:
        return Repetition(atoms=structure, repeated=(False,) * 3, empty=(0.0,) * 3, unit=cell, in_cell=False)
    shares = structure.positions @ np.linalg.inv(cell)
    spacing = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    empty, repeated = np.zeros(3), periodic.copy()
    for axis in np.flatnonzero(periodic):
        begin, gap, bonded = _widest_gap(shares[:, axis], structure.numbers, float(spacing[axis]))
        empty[axis] = gap
        repeated[axis] = gap < EMPTY or bonded
        # The crystal begins at a lattice point; what ends, behind the empty slab.
        start = 0.0 if repeated[axis] else begin
        shares[:, axis] = np.mod(shares[:, axis] - start + _ROUNDING, 1.0) - _ROUNDING + start
    atoms = structure.copy()
    atoms.set_cell(cell)
    atoms.positions = shares @ cell
    first, second, third = (bool(one) for one in repeated)
    return Repetition(
        atoms=atoms,
        repeated=(first, second, third),
        empty=(float(empty[0]), float(empty[1]), float(empty[2])),
        unit=cell,
        in_cell=bool(repeated.any()),
    )


def _widest_gap(shares: np.ndarray, numbers: np.ndarray, spacing: float) -> tuple[float, float, bool]:
    """Where atoms begin behind the widest gap along an axis, its width in Angstrom, and whether atoms are bonded across it."""
    from ase.data import covalent_radii

    wrapped = np.mod(shares, 1.0)
    order = np.argsort(wrapped)
    ahead = np.diff(wrapped[order], append=wrapped[order[0]] + 1)
    widest = int(np.argmax(ahead))
    behind, before = order[(widest + 1) % len(order)], order[widest]
    gap = float(ahead[widest] * spacing)
    # Atoms as large as caesium are farther apart in their own crystal.
    return float(wrapped[behind]), gap, gap < float(covalent_radii[numbers[[behind, before]]].sum())
