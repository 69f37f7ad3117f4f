"""Grains beside known structures: which structure each grain is, and lattices looked for with their cells in mind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_atomseg.analysis.lattice.column_cell import ColumnCell
from napari_atomseg.analysis.lattice.grains import find_grains
from napari_atomseg.analysis.lattice.guided import hinted_bases
from napari_atomseg.analysis.lattice.lattice import FEWEST, Lattice
from napari_atomseg.analysis.lattice.reference import Reference, reference_of
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError

_AS_MANY = 0.95  # columns on sites of a structure's own cell, of those on a multiple of it


@dataclass(frozen=True, kw_only=True, eq=False)
class Grains:
    """Lattices of the grains.

    Attributes
    ----------
    lattices : sequence of Lattice
    guided : bool
        Whether only the cells of the structures told them.
    """

    lattices: Sequence[Lattice]
    guided: bool = False


def grains_of(columns: Columns, size: tuple[float, float], cells: Sequence[ColumnCell]) -> Grains:
    """Lattices of the grains; those that the columns alone do not show are looked for with the cells of the structures.

    Parameters
    ----------
    columns : Columns
        Of one image or frame.
    size : tuple of float, Angstrom, (y, x)
        Pixel size.
    cells : sequence of ColumnCell
        Of the structures that there may be; none if they are not known.

    Raises
    ------
    AtomsegError
        If the columns show no lattice, or none that is a multiple of any structure's.
    """
    if not cells:
        return Grains(lattices=find_grains(columns))
    failure: AtomsegError | None = None
    alone: list[Lattice] = []
    try:
        alone = find_grains(columns)
        if _whole(alone, size, cells):
            return Grains(lattices=alone)
    except AtomsegError as error:
        failure = error
    guided = _guided(columns, size, cells)
    # Another multiple of the cell is as good only where it holds more columns.
    if guided and (failure is not None or _columns_on(guided) >= _AS_MANY * _columns_on(alone)):
        return Grains(lattices=guided, guided=True)
    if failure is not None:
        raise failure
    return Grains(lattices=alone)


def structure_of(basis: np.ndarray, cells: Sequence[ColumnCell]) -> tuple[Reference, ColumnCell]:
    """The structure that a lattice is most like, and its lattice in place of the seen one.

    Parameters
    ----------
    basis : ndarray, shape (2, 2), Angstrom
    cells : sequence of ColumnCell
        At least one.

    Raises
    ------
    AtomsegError
        If it is a multiple of none of their cells; says so of the first.
    """
    found: list[tuple[Reference, ColumnCell]] = []
    failure: AtomsegError | None = None
    for cell in cells:
        try:
            found.append((reference_of(basis, cell), cell))
        except AtomsegError as error:
            failure = failure or error
    if not found:
        assert failure is not None
        raise failure
    return min(found, key=lambda one: one[0].misfit)


def _whole(lattices: Sequence[Lattice], size: tuple[float, float], cells: Sequence[ColumnCell]) -> bool:
    """Whether the first grain that is a structure has its very cell; an error if no grain is."""
    failure: AtomsegError | None = None
    for lattice in lattices:
        try:
            reference, _ = structure_of(lattice.basis * np.asarray(size), cells)
        except AtomsegError as error:
            failure = failure or error
            continue
        return abs(reference.multiple - 1) < 1e-6
    assert failure is not None
    raise failure


def _guided(columns: Columns, size: tuple[float, float], cells: Sequence[ColumnCell]) -> list[Lattice]:
    """Lattices found with the cells in mind, of such a cell itself; empty if there are none."""
    known = columns.positions[np.isfinite(columns.positions).all(axis=1)]
    if len(known) < FEWEST:
        return []
    hints = [basis for cell in cells for basis in hinted_bases(known, cell.basis / np.asarray(size))]
    try:
        lattices = find_grains(columns, hints=hints) if hints else []
        return lattices if lattices and _whole(lattices, size, cells) else []
    except AtomsegError:
        return []


def _columns_on(lattices: Sequence[Lattice]) -> int:
    return sum(int(np.count_nonzero(one.site >= 0)) for one in lattices)
