"""A crystal along a zone axis: the two-dimensional lattice of its columns, and fields filled with them.

The beam runs along the direction [uvw] of the crystal. Columns repeat along it with a period that is a lattice vector;
seen from there the crystal is a two-dimensional lattice with a motif of columns, which fills a field much faster than
atoms one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.specimens.projection import Projection
from napari_atomseg.specimens.thermal_motion import THERMAL_WIDTH

if TYPE_CHECKING:
    from ase import Atoms

SAME_COLUMN = 0.05
"""Atoms nearer than this in projection are on top of each other, Angstrom."""
THICKEST = 1e5
"""Angstrom; no electron image is made through more."""
STEEPEST = 0.2
"""Mistilt up to which columns may be taken for columns, rad."""
MOST_COLUMNS = 1e6
"""That a field may hold: more would fill the memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectedCell:
    """A crystal along a zone axis.

    Attributes
    ----------
    basis : ndarray, shape (2, 2), Angstrom
        Projected lattice vectors, one (y, x) in each row, the first along +x.
    sites : ndarray, shape (K, 2)
        In units of the basis, one for each kind of atom of each column.
    numbers : ndarray of int, shape (K,)
    occupancy : ndarray, shape (K,)
        Atoms of that kind in one period of the column.
    depth : ndarray, shape (K,), Angstrom
        Where in the period the first of them lies.
    period : float, Angstrom
        Along the beam.
    """

    basis: np.ndarray
    sites: np.ndarray
    numbers: np.ndarray
    occupancy: np.ndarray
    depth: np.ndarray
    period: float


def projected_cell(crystal: Atoms, zone: tuple[int, int, int]) -> ProjectedCell:
    """The lattice of columns of a crystal along the direction [uvw].

    Parameters
    ----------
    crystal : Atoms
        Periodic in three dimensions; occupancies may stand in an array ``occupancy``.
    zone : tuple of int
        A direction of the crystal, not a plane normal.

    Raises
    ------
    AtomsegError
        For the zone axis (0, 0, 0), no atoms, or a cell without volume.
    """
    steps = [int(step) for step in zone]
    common = gcd(*steps)
    if common == 0:
        raise AtomsegError("the zone axis is [0 0 0]; give a direction of the crystal, such as 1,1,0")
    if len(crystal) == 0:
        raise AtomsegError("the structure holds no atoms")
    cell = np.asarray(crystal.cell.array, dtype=float)
    if abs(np.linalg.det(cell)) < 1e-3:
        raise AtomsegError("the structure has no unit cell, so it has no zone axis; give one with a three-dimensional cell")
    along = np.array(steps) // common
    whole = completed(along)
    vectors = whole @ cell
    beam = vectors[2]
    period = float(np.linalg.norm(beam))
    # Right-handed frame with the beam along z, and the first vector along x.
    z = beam / period
    across = reduced(np.array([vector - (vector @ z) * z for vector in vectors[:2]]))
    x = across[0] / np.linalg.norm(across[0])
    y = np.cross(z, x)
    frame = np.stack([y, x])
    basis = across @ frame.T
    positions = crystal.get_positions(wrap=True)
    sites = (positions @ frame.T) @ np.linalg.inv(basis)
    depth = np.mod(positions @ z, period)
    given = crystal.arrays.get("occupancy")
    occupancy = np.ones(len(crystal)) if given is None else np.asarray(given, dtype=float)
    return _merged(basis, np.mod(sites, 1.0), crystal.numbers, occupancy, depth, period)


def reduced(basis: np.ndarray) -> np.ndarray:
    """The two shortest vectors (2, D) of a plane lattice (Lagrange and Gauss)."""
    first, second = basis
    for _ in range(100):
        if np.linalg.norm(first) > np.linalg.norm(second):
            first, second = second, first
        steps = round(float(first @ second) / float(first @ first))
        if steps == 0:
            break
        second = second - steps * first
    return np.stack([first, second])


def fill_field(
    cell: ProjectedCell,
    field: tuple[float, float],
    thickness: Angstrom,
    *,
    turn: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    margin: Angstrom = 3.0,
    thermal: Angstrom = THERMAL_WIDTH,
    mistilt: float = 0.0,
    mistilt_angle: float = 0.0,
) -> Projection:
    r"""Columns of a crystal in a field of view.

    Parameters
    ----------
    cell : ProjectedCell
    field : tuple of float, Angstrom
        (y, x).
    thickness : float, Angstrom
        Along the beam; at least one period.
    turn : float, rad
        In-plane, from x towards y.
    shift : tuple of float, Angstrom
        (y, x) of the origin of the crystal.
    margin : float, Angstrom
        Columns so far outside are kept, since their tails reach in.
    thermal : float, Angstrom
        Root mean square displacement of the atoms along one axis.
    mistilt : float, rad
        Angle between the columns and the beam, up to 0.2.
    mistilt_angle : float, rad
        In which direction of the image the columns lean, from x towards y.

    Raises
    ------
    AtomsegError
        If the field would hold too many columns, or thickness or tilt make no sense.

    Notes
    -----
    A column of n atoms at distance p, leaning by the angle m, is drawn out (:attr:`Projection.smear`) over

    .. math:: L = p \sqrt{n^2 - 1} \tan m

    whose even smear has the variance :math:`L^2 / 12` of those atoms, nearly :math:`(t \tan m)^2 / 12` for a thickness t; about
    the middle of the crystal, so that all columns stay where they are.
    """
    _check_field(cell, field, thickness, mistilt)
    sine, cosine = np.sin(turn), np.cos(turn)
    # (y, x): a point on +x moves to +y.
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    basis = cell.basis @ rotation
    corners = np.array([[y, x] for y in (-margin, field[0] + margin) for x in (-margin, field[1] + margin)]) - np.array(shift)
    reach = corners @ np.linalg.inv(basis)
    low, high = np.floor(reach.min(axis=0)).astype(int) - 1, np.ceil(reach.max(axis=0)).astype(int) + 1
    cells = np.stack(np.meshgrid(*(np.arange(first, last + 1) for first, last in zip(low, high, strict=True)), indexing="ij"), -1)
    places = (cells.reshape(-1, 1, 2) + cell.sites).reshape(-1, 2) @ basis + np.array(shift)
    inside = np.all((places > -margin) & (places < np.array(field) + margin), axis=1)
    repeats = max(1, round(thickness / cell.period))
    length = cell.period * np.sqrt(repeats**2 - 1.0) * np.tan(mistilt)
    lean = length * np.array([np.sin(mistilt_angle), np.cos(mistilt_angle)])

    def each(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values, (cells.shape[0] * cells.shape[1], len(cell.sites))).ravel()[inside]

    return Projection(
        positions=places[inside],
        numbers=each(cell.numbers),
        counts=each(cell.occupancy) * repeats,
        heights=each(cell.depth) + (repeats - 1) * cell.period / 2,
        thermal=np.full(int(inside.sum()), thermal),
        smear=np.broadcast_to(lean, (int(inside.sum()), 2)),
        field=field,
    )


def _check_field(cell: ProjectedCell, field: tuple[float, float], thickness: Angstrom, mistilt: float) -> None:
    if not 0 < thickness <= THICKEST:
        raise AtomsegError(f"a crystal of thickness {thickness:g} Å cannot be made; give more than 0 and at most {THICKEST:g} Å")
    if not abs(mistilt) <= STEEPEST:
        raise AtomsegError(f"a mistilt of {mistilt:g} rad is too large; at most {STEEPEST:g} rad is still near a zone axis")
    columns = field[0] * field[1] / abs(float(np.linalg.det(cell.basis))) * len(cell.sites)
    if not columns <= MOST_COLUMNS:
        raise AtomsegError(
            f"a field of {field[0]:.0f} x {field[1]:.0f} Å would hold {columns:.1g} columns; "
            f"give a smaller image or pixel size, up to {MOST_COLUMNS:.0g} columns"
        )


def completed(along: np.ndarray) -> np.ndarray:
    """Whole numbers (3, 3) of determinant 1 whose last row is the given one, without common divisor."""
    matrix = along.copy()
    steps = np.eye(3, dtype=int)
    # Euclid's algorithm on the three numbers, each step undone on the rows of the unit matrix.
    while np.count_nonzero(matrix) > 1:
        order = [place for place in np.argsort(np.abs(matrix)) if matrix[place] != 0]
        small, large = order[0], order[-1]
        times = matrix[large] // matrix[small]
        matrix[large] -= times * matrix[small]
        steps[small] += times * steps[large]
    place = int(np.flatnonzero(matrix)[0])
    rows = np.array([steps[other] for other in range(3) if other != place] + [matrix[place] * steps[place]])
    if round(float(np.linalg.det(rows))) < 0:
        rows[0] = -rows[0]
    return rows


def _merged(
    basis: np.ndarray, sites: np.ndarray, numbers: np.ndarray, occupancy: np.ndarray, depth: np.ndarray, period: float
) -> ProjectedCell:
    """Equal atoms on top of each other made one entry."""
    kept: list[int] = []
    total: list[float] = []
    for row in range(len(sites)):
        for place, other in enumerate(kept):
            apart = sites[row] - sites[other]
            apart = (apart - np.round(apart)) @ basis
            if numbers[row] == numbers[other] and float(np.hypot(*apart)) < SAME_COLUMN:
                total[place] += float(occupancy[row])
                break
        else:
            kept.append(row)
            total.append(float(occupancy[row]))
    return ProjectedCell(
        basis=basis,
        sites=sites[kept],
        numbers=np.asarray(numbers)[kept],
        occupancy=np.array(total),
        depth=depth[kept],
        period=period,
    )
