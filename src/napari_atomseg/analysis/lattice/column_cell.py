"""The smallest cell of the columns of a crystal along a zone axis, from its structure: what is otherwise typed by hand.

The cell of a file is often larger than that of its image: along [001] of a face-centred cubic crystal the columns repeat
after a / 2, half the side of the cube, and along [110] after a / sqrt(2). So the translations are looked for among the
columns themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.analysis.lattice.translations import reduce_basis
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.specimens.zone_axis import projected_cell

if TYPE_CHECKING:
    from ase import Atoms

REACH = 0.5
"""Atoms that are linked by steps shorter than this in projection are one column, Angstrom."""
_SAME = 0.03  # Angstrom; columns that a translation brings so near to each other are the same
_EXPONENT = 1.7  # of the atomic number, of a high-angle detector


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnCell:
    """The columns of a crystal along a zone axis.

    Attributes
    ----------
    basis : ndarray, shape (2, 2), Angstrom
        The two shortest vectors, one (y, x) in each row: the shorter one first, along +x, the other counter-clockwise of it
        on the screen.
    sites : ndarray, shape (K, 2)
        Columns in units of the basis, the one that scatters most at (0, 0).
    contents : tuple of str
        Atoms of each column in one period along the beam, such as ``Sr`` or ``Ti O``.
    scattering : ndarray, shape (K,), 1 / Angstrom
        Sum of Z to the power 1.7 over a length of the column.
    name : str
        Formula and zone axis.
    """

    basis: np.ndarray
    sites: np.ndarray
    contents: tuple[str, ...]
    scattering: np.ndarray
    name: str = ""


def column_cell(crystal: Atoms, zone: tuple[int, int, int], reach: Angstrom = REACH) -> ColumnCell:
    """The smallest cell of the columns of a crystal along the direction [uvw].

    Parameters
    ----------
    crystal : Atoms
        With a three-dimensional cell.
    zone : tuple of int
        A direction of the crystal, not a plane normal.
    reach : float, Angstrom
        Atoms that are linked by steps shorter than this in projection are one column.

    Raises
    ------
    AtomsegError
        If the crystal has no such projection.
    """
    from ase.data import chemical_symbols

    cell = projected_cell(crystal, zone)
    column = _linked(cell.sites, cell.basis, reach)
    weight = cell.occupancy * cell.numbers.astype(float) ** _EXPONENT
    places, contents, scattering = [], [], []
    for one in range(column.max() + 1):
        rows = np.flatnonzero(column == one)
        apart = cell.sites[rows] - cell.sites[rows[0]]
        apart -= np.rint(apart)
        places.append(cell.sites[rows[0]] + np.average(apart, axis=0, weights=weight[rows]))
        atoms = sorted({int(number) for number in cell.numbers[rows]}, reverse=True)
        counts = [float(cell.occupancy[rows][cell.numbers[rows] == number].sum()) for number in atoms]
        contents.append(" ".join(_written(chemical_symbols[z], count) for z, count in zip(atoms, counts, strict=True)))
        scattering.append(weight[rows].sum() / cell.period)
    return _smallest(cell.basis, np.array(places), contents, np.array(scattering), _named(crystal, zone))


def _written(symbol: str, count: float) -> str:
    return symbol if abs(count - 1) < 1e-3 else f"{symbol}{count:.3g}"


def _named(crystal: Atoms, zone: tuple[int, int, int]) -> str:
    return f"{crystal.get_chemical_formula(mode='metal', empirical=True)} [{' '.join(map(str, zone))}]"


def _linked(sites: np.ndarray, basis: np.ndarray, reach: float) -> np.ndarray:
    """Number of the column of each site, (K,), by single linkage across the borders of the cell."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    apart = sites[:, None] - sites[None]
    apart -= np.rint(apart)
    # In an oblique cell the nearest image is not always that of the rounded indices.
    around = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), -1).reshape(-1, 2)
    length = np.linalg.norm((apart[:, :, None] + around) @ basis, axis=-1).min(axis=-1)
    return np.asarray(connected_components(coo_array(length < reach), directed=False)[1])


def _smallest(basis: np.ndarray, places: np.ndarray, contents: list[str], scattering: np.ndarray, name: str) -> ColumnCell:
    """The cell without repetition, turned so that its shortest vector lies along +x."""
    shifts = [shift for shift in places - places[0] if _repeats(shift, places, contents, basis)]
    around = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), -1).reshape(-1, 2)
    vectors = (np.mod(np.array(shifts), 1.0)[:, None] + around).reshape(-1, 2) @ basis
    length = np.hypot(*vectors.T)
    vectors = vectors[np.argsort(length)][np.sort(length) > _SAME]
    first = vectors[0]
    sine = np.abs(first[0] * vectors[:, 1] - first[1] * vectors[:, 0]) / (np.hypot(*vectors.T) * np.hypot(*first))
    small, _ = reduce_basis(np.stack([first, vectors[sine > 1e-2][0]]))
    kept: list[int] = []
    inverse = np.linalg.inv(small)
    fractional = (places @ basis) @ inverse
    order = np.argsort(-scattering, kind="stable")
    for row in order:
        apart = fractional[row] - fractional[kept]
        apart = (apart - np.rint(apart)) @ small
        if not np.any(np.hypot(*apart.T) < _SAME):
            kept.append(int(row))
    sites = np.mod(fractional[kept] - fractional[kept[0]] + 1e-9, 1.0) - 1e-9
    direction = small[0] / np.hypot(*small[0])
    turn = np.array([[direction[1], direction[0]], [-direction[0], direction[1]]])
    return ColumnCell(
        basis=small @ turn,
        sites=np.where(np.abs(sites) < 1e-8, 0.0, sites),
        contents=tuple(contents[row] for row in kept),
        scattering=scattering[kept],
        name=name,
    )


def _repeats(shift: np.ndarray, places: np.ndarray, contents: list[str], basis: np.ndarray) -> bool:
    """Whether a translation brings every column onto one of the same content."""
    apart = (places + shift)[:, None] - places[None]
    apart -= np.rint(apart)
    length = np.linalg.norm(apart @ basis, axis=-1)
    onto = np.argmin(length, axis=1)
    return bool(np.all(length.min(axis=1) < _SAME) and all(contents[row] == contents[other] for row, other in enumerate(onto)))
