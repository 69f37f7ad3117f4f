"""Grain by grain: the lattice that most columns share, then that of the columns that are left, until none is left.

Columns of two grains together repeat best after long vectors that nearly suit both. So where a lattice leaves many columns
over, vectors are looked for in small parts of the image too, and the lattice with the best odds is taken.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.analysis.lattice.lattice import Lattice, among_all, fit_lattice
from napari_atomseg.analysis.lattice.params import LatticeParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError

FEWEST_OF_GRAIN = 20
"""Columns on sites that make a grain beside a larger one."""
_LEAST_SHARE = 0.02  # of all columns: smaller remainders are defects, not grains
_MOST_GRAINS = 12
_WHOLE = 0.93  # of the columns on sites: then there is one grain
_PARTS, _OF_PART = 8, 70  # of the image, and columns in each: cells of several columns still show their vectors
_LIKE = 0.05  # of their length: vectors that differ by less are the same


def find_grains(columns: Columns, params: LatticeParams | None = None) -> list[Lattice]:
    """Lattices of the grains of an image, that with the most columns first.

    Parameters
    ----------
    columns : Columns
        Of one image or frame.
    params : LatticeParams, optional

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
    found = [among_all(_best_lattice(columns.select(left), params), left)]
    left = left & (found[0].site < 0)
    while np.count_nonzero(left) >= fewest and len(found) < _MOST_GRAINS:
        try:
            lattice = among_all(_best_lattice(columns.select(left), params), left)
        except AtomsegError:
            break
        if np.count_nonzero(lattice.site >= 0) < fewest:
            break
        found.append(lattice)
        left = left & (lattice.site < 0)
    return sorted(found, key=lambda one: -np.count_nonzero(one.site >= 0))


def _best_lattice(columns: Columns, params: LatticeParams | None) -> Lattice:
    """The lattice with the best odds, with vectors from the whole image or, if it leaves columns over, from a part."""
    failure: AtomsegError | None = None
    candidates = []
    try:
        candidates.append(fit_lattice(columns, params))
        if candidates[0].explained > _WHOLE:
            return candidates[0]
    except AtomsegError as error:
        failure = error
    if len(columns) > 1.5 * _OF_PART:
        for basis in _local_vectors(columns, params):
            try:
                candidates.append(fit_lattice(columns, params, basis))
            except AtomsegError:
                continue
    if not candidates:
        assert failure is not None
        raise failure
    return max(candidates, key=lambda one: one.evidence)


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
