"""The two shortest translations that carry columns onto columns, from the differences of neighbouring positions.

Differences are taken over a few cells only, so that slow distortions do not blur them; nothing here knows the motif.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, cKDTree

_SOURCES = 2000  # columns whose surroundings are looked at
_NEIGHBOURS = 140  # of each: cells of eight columns and twice as long as wide still show both their vectors
_BINS = 10  # per distance of nearest neighbours, in the map of differences
_CANDIDATES = 90  # differences that are tried as translations
_FLATTEST = 0.25  # sine of the smallest angle between two basis vectors before they are reduced
_AS_GOOD = 0.8  # of the best share of columns: a smaller cell that serves as many is preferred
_NEARLY_AS_GOOD, _MANY_TIMES = 0.72, 4.0  # the same for a cell so many times smaller than that of the best share
_TOLERANCES = (0.1, 0.6)  # least and largest, of the nearest distance, of where a translation may lead
_ACROSS, _SHORT = 0.5, 4.0  # sine of the angle to the sharpest translation, and length in nearest distances, of one across it
_TIE = 1e-2  # relative difference of lengths that does not call for another choice of vectors


def find_basis(positions: np.ndarray) -> tuple[np.ndarray, float]:
    """Reduced basis of the lattice that most columns share, and that share.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)

    Returns
    -------
    basis : ndarray, shape (2, 2), px
        One vector (y, x) in each row; see :func:`reduce_basis`.
    share : float
        Share of the columns that have a column at plus and minus both vectors, wherever there are columns at all. How near
        it must lie follows from the scatter of the sharpest translation.
    """
    tree = cKDTree(positions)
    count = len(positions)
    sources = positions[np.random.default_rng(0).permutation(count)[:_SOURCES]]
    distances, neighbours = tree.query(sources, k=min(_NEIGHBOURS, max(9, count // 2)))
    nearest = float(np.median(distances[:, 1]))
    reach = float(np.median(distances[:, -1]))
    if not nearest > 0:
        return np.eye(2), 0.0
    vectors = positions[neighbours[:, 1:]] - sources[:, None]
    candidates = _frequent_differences(vectors[distances[:, 1:] <= reach], nearest, reach)
    # Mean distance of columns, by which it is judged whether a place lies among columns or in vacuum.
    far = 1.3 * reach * np.sqrt(np.pi / distances.shape[1])
    for _ in range(3):
        offsets = _offsets(tree, sources, candidates, far)
        candidates = _without_twins(_recentred(candidates, offsets, nearest), 0.1 * nearest)
        candidates = candidates[np.hypot(*candidates.T) > 0.85 * nearest]
    if len(candidates) < 2:
        return np.eye(2), 0.0
    serves = _served(np.linalg.norm(_offsets(tree, sources, candidates, far), axis=-1), candidates, nearest)
    joint = serves @ serves.T / serves.shape[1]
    return _cheapest(candidates, joint, reach)


def _cheapest(candidates: np.ndarray, joint: np.ndarray, reach: float) -> tuple[np.ndarray, float]:
    """The smallest cell whose two vectors serve about as many columns as any, reduced, and the share that they serve."""
    area = np.abs(_cross(candidates[:, None], candidates[None]))
    length = np.hypot(*candidates.T)
    joint = np.where(area < _FLATTEST * length[:, None] * length[None], 0, joint)
    best = float(joint.max())
    if best <= 0:
        return np.eye(2), 0.0
    # A cell many times as large repeats whatever befell its columns: it has to serve clearly more.
    largest = area[np.unravel_index(int(np.argmax(joint)), joint.shape)]
    asked = np.where(area * _MANY_TIMES <= largest, _NEARLY_AS_GOOD, _AS_GOOD)
    cost = np.where(joint >= asked * best, area * (1 + 1e-3 * (length[:, None] + length[None]) / reach), np.inf)
    # Of cells that differ by chance only, the one that serves most columns.
    cost = np.where(cost <= 1.1 * cost.min(), -joint, np.inf)
    first, second = np.unravel_index(int(np.argmin(cost)), cost.shape)
    basis, _ = reduce_basis(candidates[[first, second]])
    return basis, float(joint[first, second])


def reduce_basis(basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shortest basis of the same lattice (Lagrange and Gauss), and the integer matrix that makes it.

    The first vector is the shortest, of equally short ones that closest to +x; the second stands counter-clockwise of it
    as seen on the screen (+y down), of equally short ones that at the larger angle. ``reduced = matrix @ basis``.
    """
    matrix = np.eye(2, dtype=int)
    for _ in range(100):
        first, second = matrix @ basis
        if first @ first > second @ second:
            matrix = matrix[::-1].copy()
            continue
        times = round((first @ second) / (first @ first))
        if times == 0:
            break
        matrix[1] -= times * matrix[0]
    around = np.array([(1, 0), (0, 1), (1, 1), (1, -1), (-1, 0), (0, -1), (-1, -1), (-1, 1)]) @ matrix
    vectors = around @ basis
    length = np.hypot(*vectors.T)
    short = length <= (1 + _TIE) * length.min()
    one = int(np.argmax(np.where(short, vectors[:, 1] / length - 1e-6 * vectors[:, 0] / length, -np.inf)))
    counter_clockwise = _cross(vectors[one], vectors) > 1e-6 * length**2
    shortest = np.min(length[counter_clockwise])
    short = counter_clockwise & (length <= (1 + _TIE) * shortest)
    two = int(np.argmin(np.where(short, (vectors @ vectors[one]) / length, np.inf)))
    matrix = around[[one, two]]
    return matrix @ basis, matrix


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Area between vectors (y, x); positive if the second stands counter-clockwise of the first on the screen."""
    return np.asarray(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])


def _frequent_differences(vectors: np.ndarray, nearest: float, reach: float) -> np.ndarray:
    """Maxima (M, 2) in the upper half of the smoothed map of differences, the most frequent first."""
    step = nearest / _BINS
    half = min(int(np.ceil(reach / step)) + 2, 600)
    cells = np.rint(vectors / step).astype(int)
    cells = cells[np.abs(cells).max(axis=1) <= half]
    width = 2 * half + 1
    counts = np.bincount((cells[:, 0] + half) * width + cells[:, 1] + half, minlength=width * width)
    density = counts.reshape(width, width).astype(float)
    density = ndimage.gaussian_filter(density + density[::-1, ::-1], 0.12 * _BINS, mode="constant")
    # Where columns scatter much, single peaks fall to pieces unless they are looked at more coarsely.
    tops = []
    for blur in (0.0, 0.2 * _BINS):
        smooth = ndimage.gaussian_filter(density, blur, mode="constant") if blur else density
        peaks = np.argwhere((ndimage.maximum_filter(smooth, size=int(0.5 * _BINS) + 1) == smooth) & (smooth > 0)) - half
        upper = (peaks[:, 0] > 0) | ((peaks[:, 0] == 0) & (peaks[:, 1] > 0))
        peaks = peaks[upper & (np.hypot(*peaks.T) > 0.5 * _BINS) & (np.hypot(*peaks.T) <= reach / step - 1)]
        order = np.argsort(smooth[tuple((peaks + half).T)])[::-1][:_CANDIDATES]
        tops.append(_centred(density, peaks[order], half) * step)
    return _without_twins(np.concatenate(tops), 0.1 * nearest)


def _without_twins(vectors: np.ndarray, distance: float) -> np.ndarray:
    """Vectors without those close to an earlier one."""
    if len(vectors) < 2:
        return vectors
    twins = cKDTree(vectors).query_pairs(distance, output_type="ndarray")
    return np.delete(vectors, np.unique(twins.max(axis=1)), axis=0) if len(twins) else vectors


def _centred(density: np.ndarray, peaks: np.ndarray, half: int) -> np.ndarray:
    """Centres of gravity of the map around each peak, in bins."""
    reach = round(0.3 * _BINS)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    y = np.clip(peaks[:, 0, None, None] + half + dy, 0, 2 * half)
    x = np.clip(peaks[:, 1, None, None] + half + dx, 0, 2 * half)
    weights = density[y, x]
    total = weights.sum(axis=(1, 2))
    shift = np.stack([(weights * dy).sum(axis=(1, 2)), (weights * dx).sum(axis=(1, 2))], axis=1)
    return np.asarray(peaks + shift / np.maximum(total, 1e-300)[:, None])


def _offsets(tree: cKDTree, sources: np.ndarray, vectors: np.ndarray, far: float) -> np.ndarray:
    """From where plus and minus each vector leads to the nearest column, (2, M, N, 2); NaN in vacuum."""
    both = np.stack([vectors, -vectors])
    places = sources[None, None] + both[:, :, None]
    distance, found = tree.query(places.reshape(-1, 2), distance_upper_bound=far, workers=-1)
    # Long vectors lead out of the image more often than short ones, which must not speak against them.
    hull = ConvexHull(tree.data).equations
    beyond = np.max(places.reshape(-1, 2) @ hull[:, :2].T + hull[:, 2], axis=1) > 0.1 * far
    distance[beyond & (distance > 0.3 * far)] = np.inf
    known = np.append(tree.data, [[np.nan, np.nan]], axis=0)
    return np.asarray(known[np.where(np.isfinite(distance), found, len(known) - 1)].reshape(places.shape) - places)


def _scatter(distance: np.ndarray) -> np.ndarray:
    """Standard deviation per axis (M,) about where each vector leads, from distances (2, M, N).

    Not from the median distance: of several grains each has its own translations. 15 % of a Gaussian in the plane lie
    within 0.570 sigma.
    """
    flat = np.where(np.isfinite(distance), distance, np.inf).transpose(1, 0, 2).reshape(distance.shape[1], -1)
    row = int(0.15 * flat.shape[1])
    return np.asarray(np.partition(flat, row, axis=1)[:, row] / 0.570)


def _recentred(vectors: np.ndarray, offsets: np.ndarray, nearest: float) -> np.ndarray:
    """Vectors moved to the mean of the columns that they lead to."""
    near = np.clip(2.5 * _scatter(np.linalg.norm(offsets, axis=-1)), 0.1 * nearest, 0.35 * nearest)
    offsets = np.concatenate([offsets[0], -offsets[1]], axis=1)
    weights = np.linalg.norm(offsets, axis=-1) <= near[:, None]
    total = np.where(weights[..., None], offsets, 0).sum(axis=1)
    return np.asarray(vectors + total / np.maximum(weights.sum(axis=1), 1)[:, None])


def _served(distance: np.ndarray, vectors: np.ndarray, nearest: float) -> np.ndarray:
    """1 where a column has a column at plus and minus a vector, else 0, shape (M, N); places in vacuum do not count."""
    inside = np.isfinite(distance)
    tolerance = np.clip(2.2 * _usual_scatter(_scatter(distance), vectors, nearest), *np.multiply(_TOLERANCES, nearest))
    return np.asarray(np.all(~inside | (distance <= tolerance), axis=0) & inside.any(axis=0), dtype=float)


def _usual_scatter(scatter: np.ndarray, vectors: np.ndarray, nearest: float) -> float:
    """Scatter of the sharpest translation, or of the sharpest short one across it if that scatters more.

    Columns of one scan row are displaced together: along the row translations are sharp, however much the rows scatter.
    """
    sharpest = int(np.argmin(scatter))
    length = np.hypot(*vectors.T)
    sine = np.abs(_cross(vectors, vectors[sharpest])) / (length * length[sharpest])
    across = (sine > _ACROSS) & (length <= _SHORT * nearest)
    return float(max(scatter[sharpest], scatter[across].min())) if across.any() else float(scatter[sharpest])
