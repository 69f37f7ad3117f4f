"""Grain by grain: the lattice that most columns share, then that of the columns that are left, until none is left.

Columns of two grains together repeat best after long vectors that nearly suit both. So where a lattice leaves many columns
over, vectors are looked for in small parts of the image too, and the lattice with the best odds is taken. A lattice whose
rotation jumps along a line is two grains with a low-angle boundary between.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.analysis.lattice.lattice import Lattice, among_all, fit_lattice, no_lattice
from napari_atomseg.analysis.lattice.low_angle import parts_of
from napari_atomseg.analysis.lattice.params import LatticeParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError

FEWEST_OF_GRAIN = 20
"""Columns on sites that make a grain beside a larger one."""
_LEAST_SHARE = 0.02  # of all columns: smaller remainders are defects, not grains
_MOST_GRAINS = 12
_WHOLE = 0.93  # of the columns on sites: then there is one grain
_PARTS, _OF_PART = 8, 70  # of the image, and columns in each: cells of several columns still show their vectors
_BOUNDARY = 5.0  # cells: so wide a low-angle boundary is at most, with the columns beside it
_AS_GOOD = 0.97  # of the best odds
_SEAM = 2.3  # distances of columns: left-overs of a low-angle boundary are no farther from its grains
_LIKE = 0.05  # of their length: vectors that differ by less are the same


def find_grains(columns: Columns, params: LatticeParams | None = None, hints: Sequence[np.ndarray] = ()) -> list[Lattice]:
    """Lattices of the grains of an image, that with the most columns first.

    Parameters
    ----------
    columns : Columns
        Of one image or frame.
    params : LatticeParams, optional
    hints : sequence of ndarray, shape (2, 2), px
        Vectors to be tried, of a known structure; without any, they are looked for.

    Returns
    -------
    list of Lattice
        Each has a row for every column; a column stands on a site of one of them at most.

    Raises
    ------
    AtomsegError
        If the columns show no lattice; says what is needed.
    """
    left = np.isfinite(columns.positions).all(axis=1)
    fewest = max(FEWEST_OF_GRAIN, round(_LEAST_SHARE * len(columns)))
    found: list[Lattice] = []
    turned = False
    while len(found) < _MOST_GRAINS and (not found or np.count_nonzero(left) >= fewest):
        try:
            grains = _without_low_angles(columns, left, _best_lattice(columns.select(left), params, hints), params, fewest)
        except AtomsegError:
            if not found:
                raise
            break
        if found:
            grains = [
                one
                for one in grains
                if np.count_nonzero(one.site >= 0) >= fewest and not (turned and _is_seam(one, found, columns))
            ]
        if not grains:
            break
        turned = turned or len(grains) > 1
        found += grains
        left = left & np.all([one.site < 0 for one in grains], axis=0)
    return sorted(found, key=lambda one: -np.count_nonzero(one.site >= 0))


def _without_low_angles(
    columns: Columns, left: np.ndarray, lattice: Lattice, params: LatticeParams | None, fewest: int
) -> list[Lattice]:
    """The lattice of the columns that are left, or those of its parts if it bends suddenly; each has a row for every column."""
    rows = np.flatnonzero(left)
    positions = columns.positions[rows]
    parts = parts_of(lattice, positions, fewest)
    if len(parts) < 2:
        return [among_all(lattice, left)]
    part = np.full(len(columns), -1)
    for number, mine in enumerate(parts):
        part[rows[mine]] = number
    loose = rows[part[rows] < 0]
    whole = np.flatnonzero(part >= 0)
    if len(loose):
        distance, nearest = cKDTree(columns.positions[whole]).query(columns.positions[loose])
        reach = _BOUNDARY * np.sqrt(abs(np.linalg.det(lattice.basis)))
        part[loose] = np.where(distance <= reach, part[whole[nearest]], -1)
    try:
        bases = [fit_lattice(columns.select(rows[mine]), params, lattice.basis).basis for mine in parts]
        found = [_of(columns, part == number, params, basis) for number, basis in enumerate(bases)]
        for number, basis in enumerate(bases):
            # What is left between the grains may belong to the one that is not the nearest.
            free = np.isin(np.arange(len(columns)), loose) & np.all([one.site < 0 for one in found], axis=0)
            found[number] = _of(columns, free | (found[number].site >= 0), params, basis)
    except AtomsegError:
        return [among_all(lattice, left)]
    return found


def _of(columns: Columns, which: np.ndarray, params: LatticeParams | None, basis: np.ndarray) -> Lattice:
    """Lattice of some of the columns, with a row for every one."""
    return among_all(fit_lattice(columns.select(which), params, basis), which)


def _is_seam(lattice: Lattice, found: list[Lattice], columns: Columns) -> bool:
    """Whether columns lie so close to those of grains as only the bent ones of a boundary do."""
    others = columns.positions[np.any([one.site >= 0 for one in found], axis=0)]
    distance = cKDTree(others).query(columns.positions[lattice.site >= 0])[0]
    return bool(np.median(distance) < _SEAM * np.sqrt(abs(np.linalg.det(found[0].basis)) / len(found[0].motif)))


def _best_lattice(columns: Columns, params: LatticeParams | None, hints: Sequence[np.ndarray] = ()) -> Lattice:
    """The lattice with the best odds, with vectors from the whole image or, if it leaves columns over, from a part."""
    failure = no_lattice()
    candidates = []
    if not hints:
        try:
            candidates.append(fit_lattice(columns, params))
            if candidates[0].explained > _WHOLE:
                return candidates[0]
        except AtomsegError as error:
            failure = error
    local = _local_vectors(columns, params) if not hints and len(columns) > 1.5 * _OF_PART else ()
    for basis in (*hints, *local):
        try:
            candidates.append(fit_lattice(columns, params, basis))
        except AtomsegError:
            continue
    if not candidates:
        raise failure
    # Of multiples of one cell that serve as well, the smallest.
    best = max(_worth(one) for one in candidates)
    kinds = [len(one.motif) if _worth(one) >= _AS_GOOD * best else np.inf for one in candidates]
    return candidates[int(np.argmin(kinds))]


def _worth(lattice: Lattice) -> float:
    """Odds less what each site of the motif costs (Schwarz 1978), so that a multiple of the cell is not taken in its stead."""
    return lattice.evidence - len(lattice.motif) * float(np.log(max(int(np.count_nonzero(lattice.site >= 0)), 1)))


def _local_vectors(columns: Columns, params: LatticeParams | None) -> list[np.ndarray]:
    """Vectors (2, 2), px, of parts of the image that show a lattice; such as are nearly the same once."""
    positions = columns.positions
    tree = cKDTree(positions)
    found: list[np.ndarray] = []
    for centre in _spread(positions, _PARTS):
        _, rows = tree.query(centre, k=min(_OF_PART, len(positions)))
        try:
            basis = fit_lattice(columns.select(np.sort(rows)), params).basis
        except AtomsegError:
            continue
        if not any(np.abs(basis - other).max() < _LIKE * np.abs(other).max() for other in found):
            found.append(basis)
    return found


def _spread(positions: np.ndarray, count: int) -> np.ndarray:
    """Positions (count, 2) far from each other, the first the farthest from the middle."""
    distance = np.hypot(*(positions - positions.mean(axis=0)).T)
    chosen = [int(np.argmax(distance))]
    distance = np.full(len(positions), np.inf)
    while len(chosen) < min(count, len(positions)):
        distance = np.minimum(distance, np.hypot(*(positions - positions[chosen[-1]]).T))
        chosen.append(int(np.argmax(distance)))
    return np.asarray(positions[chosen])
