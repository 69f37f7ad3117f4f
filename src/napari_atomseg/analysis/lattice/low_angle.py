"""Low-angle boundaries: a lattice that is followed as a bend falls into grains where its rotation jumps.

Across a boundary of a few degrees the lattice is continuous between the dislocations, so that columns alone fit one bent
lattice. What tells it from a bend is the local rotation: at a boundary it changes within two cells, in a bend evenly.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from napari_atomseg.analysis.lattice.lattice import Lattice

LEAST_JUMP = np.radians(1.2)
"""Rotation that has to jump: less is within what scan distortions do."""
_CLEAR = 6.0  # times its scatter
_NEIGHBOUR = 0.3  # of a vector's length: how far from its end a neighbour is looked for
_FEWEST_BONDS = 3
_MEDIAN, _ACROSS = 2.5, 1.6  # cells: radius of the median of rotations, and of the surroundings in which they are compared
_BOND = 1.2  # cells: columns so near belong together
_OWN = 0.9  # cells: columns of other sublattices so near to one of a part belong to it
_BANDS = (1.0, 5.0)  # cells: from where to where beside a boundary its jump is measured
_MOST_BOUNDARY = 0.4  # of the columns: where more are beside jumps, the lattice is bent everywhere


def parts_of(lattice: Lattice, positions: np.ndarray, fewest: int) -> list[np.ndarray]:
    """Rows of the columns on each side of low-angle boundaries; one part if there is none.

    Parameters
    ----------
    lattice : Lattice
        Of these columns; may follow the boundaries as bends.
    positions : ndarray, shape (N, 2), px
    fewest : int
        Columns that make a grain.

    Returns
    -------
    list of ndarray of int
        Rows of columns on sites, the largest part first; without those at the boundaries.
    """
    on = np.flatnonzero(lattice.site >= 0)
    kind = np.bincount(lattice.site[on]).argmax()
    own = on[lattice.site[on] == kind]
    cell = float(np.sqrt(abs(np.linalg.det(lattice.basis))))
    places = positions[own] / cell
    rotation = _median(places, _rotations(places, lattice.basis / cell))
    known = np.isfinite(rotation)
    places, rotation = places[known], rotation[known]
    if len(places) < 2 * fewest / len(lattice.motif):
        return [on]
    label = _parts(places, rotation, max(2.0, fewest / len(lattice.motif)))
    if label.max() < 1:
        return [on]
    label = _merged(places, rotation, label)
    whole = label >= 0
    distance, nearest = cKDTree(places[whole]).query(positions[on] / cell)
    of_column = np.where(distance < _OWN, label[whole][nearest], -1)
    found = [on[of_column == part] for part in np.unique(label[whole])]
    return sorted(found, key=len, reverse=True)


def _rotations(places: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Rotation of the four neighbours around each column against the mean lattice, rad; NaN where fewer than three are."""
    tree = cKDTree(places)
    dot, cross, bonds = np.zeros(len(places)), np.zeros(len(places)), np.zeros(len(places), int)
    for vector in (*basis, *-basis):
        distance, near = tree.query(places + vector)
        there = distance < _NEIGHBOUR * np.hypot(*vector)
        seen = places[near[there]] - places[there]
        dot[there] += seen @ vector
        cross[there] += vector[1] * seen[:, 0] - vector[0] * seen[:, 1]
        bonds += there
    return np.where(bonds >= _FEWEST_BONDS, np.arctan2(cross, dot), np.nan)


def _median(places: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Medians over the surroundings: they keep jumps sharp."""
    known = np.flatnonzero(np.isfinite(rotation))
    if not len(known):
        return rotation
    count = int(np.ceil(np.pi * _MEDIAN**2))
    distance, near = cKDTree(places[known]).query(places, k=min(count, len(known)))
    values = np.where(distance.reshape(len(places), -1) <= _MEDIAN, rotation[known][near.reshape(len(places), -1)], np.nan)
    found = np.full(len(places), np.nan)
    some = np.isfinite(values).sum(axis=1) >= 2 * _FEWEST_BONDS
    found[some] = np.nanmedian(values[some], axis=1)
    return found


def _parts(places: np.ndarray, rotation: np.ndarray, fewest: float) -> np.ndarray:
    """Number of the part of each column, -1 beside jumps and in small parts; all 0 if there is no boundary."""
    tree = cKDTree(places)
    pairs = tree.query_pairs(_ACROSS, output_type="ndarray")
    change = np.abs(rotation[pairs[:, 0]] - rotation[pairs[:, 1]])
    jump = max(LEAST_JUMP / 2, _CLEAR * 1.48 * float(np.median(change)) if len(change) else 0.0)
    beside = np.zeros(len(places), bool)
    beside[pairs[change > jump].ravel()] = True
    one = np.zeros(len(places), int)
    if not beside.any() or beside.mean() > _MOST_BOUNDARY:
        return one
    bonds = pairs[np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T) <= _BOND]
    bonds = bonds[~beside[bonds].any(axis=1)]
    joined = coo_array((np.ones(len(bonds)), bonds.T), shape=(len(places),) * 2)
    label = connected_components(joined, directed=False)[1]
    large = np.flatnonzero(np.bincount(label[~beside], minlength=label.max() + 1) >= fewest)
    if len(large) < 2:
        return one
    rank = np.full(label.max() + 1, -1)
    rank[large] = np.arange(len(large))
    return np.asarray(np.where(beside, -1, rank[label]))


def _merged(places: np.ndarray, rotation: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Parts joined wherever the rotation does not jump between them, but goes on as it does within."""
    joined = np.arange(label.max() + 1)
    for one in range(label.max() + 1):
        for two in range(one):
            if abs(_jump(places, rotation, label == one, label == two)) < LEAST_JUMP:
                joined[joined == joined[one]] = joined[two]
    return np.asarray(np.where(label >= 0, joined[label], -1))


def _jump(places: np.ndarray, rotation: np.ndarray, one: np.ndarray, two: np.ndarray) -> float:
    """Jump of the rotation from one part to the other, beyond its slope on both sides; infinite if they do not touch."""
    from_two, from_one = (cKDTree(places[part]).query(places)[0] for part in (two, one))
    signed = np.where(one, from_two, -from_one) / 2
    near = (one & (from_two < 2 * _BANDS[1])) | (two & (from_one < 2 * _BANDS[1]))
    if min(np.count_nonzero(near & part) for part in (one, two)) < 2 * _FEWEST_BONDS:
        return np.inf
    side = np.where(one[near], 0.5, -0.5)
    design = np.column_stack([np.ones(np.count_nonzero(near)), signed[near], side])
    return float(np.linalg.lstsq(design, rotation[near], rcond=None)[0][2])
