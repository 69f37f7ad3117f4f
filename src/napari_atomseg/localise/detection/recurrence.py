"""How far a maximum recurs: the share of the image's own repeat vectors at which one like it stands.

A crystal repeats itself, noise and the specks of a support do not. Where several crystals lie side by side each has vectors
of its own, and a maximum belongs to the one in which it recurs most.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, spatial

from napari_atomseg.localise.detection.peaks import Peaks

NEIGHBOURS = 10
FAINTEST = 0.05
"""No column is fainter than this share of the strong ones around it (visibility by eye ends at about 0.1)."""
FAINT = 0.1
"""Below this share recurrence has to be beyond chance."""
FAINT_SIGNIFICANCE = 2.5
SIMILAR_HEIGHT = np.log(1.8)
REACH_IN_SPACINGS = 3.2
TOLERANCE_IN_SIGMA = 1.0
CHANCE_DEVIATIONS = 2.0
FEWEST_VECTORS = 4
SHARED, SHARED_IN_NOISE = 0.3, 0.2
"""Least share of the points that have a partner at a repeat vector; where noise hides half of the columns, a quarter have."""
MANY, MANY_VECTORS = 20, 8
"""Points of which so small a share may be no chance, and the vectors that they then have to share at the least."""
BEYOND_CHANCE = 4.0
"""Standard deviations by which the points that share a vector outnumber those that would by chance."""
NARROWEST_FAN = 0.2
"""Extent of these vectors across the direction in which they extend the farthest; maxima along scan lines have only that one."""
MOST_SHARED = 0.65
MOST_CRYSTALS = 2
"""Crystals whose vectors are looked for one after the other; a third one changed nothing on drawn images."""
OF_NO_CRYSTAL = 0.25
"""Recurrence below which a strong maximum may belong to another crystal."""


def recurrence_of(
    peaks: Peaks,
    relative: np.ndarray,
    strong: np.ndarray,
    significant: np.ndarray,
    sigma: float,
    shape: tuple[int, int],
) -> np.ndarray | None:
    """Recurrence of each peak in the crystal in which it recurs most.

    Parameters
    ----------
    peaks : Peaks
        Maxima of the whole image.
    relative : ndarray, shape (N,)
        Height relative to the strong maxima around.
    strong, significant : ndarray of bool, shape (N,)
        Those whose vectors are looked at first, and those that are none of the noise's.
    sigma : float
        Width of the filter, px.
    shape : tuple of int
        Shape of the image, px.

    Returns
    -------
    ndarray, shape (N,), or None
        From 0 to 1; None if the maxima share no set of vectors.
    """
    found = recurrence_in_one_crystal(peaks, relative, strong, sigma, shape)
    # In much noise the strong ones may be too few, and many of their partners are lost.
    for more in (significant, peaks.significance > FAINT_SIGNIFICANCE):
        if found is not None or significant.sum() < MANY:
            break
        found = recurrence_in_one_crystal(peaks, relative, more, sigma, shape, SHARED_IN_NOISE)
    if found is None:
        return None
    for _ in range(MOST_CRYSTALS - 1):
        other = recurrence_in_one_crystal(peaks, relative, significant & (found < OF_NO_CRYSTAL), sigma, shape)
        if other is None:
            break
        found = np.maximum(found, other)
    return found


def recurrence_in_one_crystal(
    peaks: Peaks,
    relative: np.ndarray,
    strong: np.ndarray,
    sigma: float,
    shape: tuple[int, int],
    shared: float = SHARED,
) -> np.ndarray | None:
    """Share of the repeat vectors of the strong maxima at which a peak has a partner of like height.

    None if the strong maxima share no set of vectors.

    Parameters
    ----------
    peaks : Peaks
    relative : ndarray, shape (N,)
        Height of each in units of that of the strong maxima around it; those of 0.05 or less have no partners.
    strong : ndarray of bool, shape (N,)
        Maxima that the vectors are read from.
    sigma : float, px
        Width of the columns; partners stand within as much of the end of a vector.
    shape : tuple of int, px
        (Y, X) of the image; vectors that lead out of it do not count.
    shared : float
        Smallest share of the strong maxima that have a vector. Below the usual 0.3 vectors must be those of a lattice besides.

    Returns
    -------
    ndarray, shape (N,), or None
        From 0 to 1; None if the strong maxima share no set of vectors.
    """
    tolerance = TOLERANCE_IN_SIGMA * sigma
    vectors = repeat_vectors(peaks.pixel[strong], sigma, tolerance, shared)
    if len(vectors) < FEWEST_VECTORS or (shared < SHARED and not _of_a_lattice(vectors)):
        return None
    able = (peaks.significance > FAINT_SIGNIFICANCE) & (relative > FAINTEST)
    points = peaks.pixel[able].astype(float)
    logs = np.log(peaks.height[able])
    tree = spatial.cKDTree(points)
    partners = np.zeros(len(points))
    possible = np.zeros(len(points))
    chance = _chance_of_partner(points, logs, tolerance, shape)
    for vector in vectors:
        target = points + vector
        inside = np.all((target >= 0) & (target < shape), axis=1)
        distance, other = tree.query(target, distance_upper_bound=tolerance)
        hit = np.isfinite(distance)
        hit[hit] = np.abs(logs[hit] - logs[other[hit]]) < SIMILAR_HEIGHT
        partners += hit & inside
        possible += inside
    share = np.zeros(len(peaks))
    possible = np.maximum(possible, 1)
    # Among the faintest are so many that what they give by chance is no recurrence.
    by_chance = chance + CHANCE_DEVIATIONS * np.sqrt(chance * (1 - chance) / possible)
    believed = (relative[able] > FAINT) | (partners > by_chance * possible)
    share[able] = np.where(believed, partners / possible, 0.0)
    return share


def _of_a_lattice(vectors: np.ndarray) -> bool:
    """Whether vectors (N, 2) are too many for chance and point in more than one direction."""
    long, short = np.linalg.svd(vectors, compute_uv=False)
    return len(vectors) >= MANY_VECTORS and bool(short > NARROWEST_FAN * long)


def _chance_of_partner(points: np.ndarray, logs: np.ndarray, tolerance: float, shape: tuple[int, int]) -> np.ndarray:
    """Probability that a maximum of like height stands at a place by chance, shape (N,)."""
    order = np.sort(logs)
    alike = np.searchsorted(order, logs + SIMILAR_HEIGHT) - np.searchsorted(order, logs - SIMILAR_HEIGHT)
    return np.asarray(-np.expm1(-alike * np.pi * tolerance**2 / float(np.prod(shape))))


def repeat_vectors(points: np.ndarray, sigma: float, tolerance: float, least: float = SHARED) -> np.ndarray:
    """Vectors that a large share of the points has, and far more than chance would have.

    Parameters
    ----------
    points : ndarray, shape (N, 2), px, (y, x)
    sigma : float, px
        Width of the columns; vectors up to twice as long are not looked at.
    tolerance : float, px
        Vectors that differ by about as much are one.
    least : float
        Smallest share of the points that have a vector, 0 to 1.

    Returns
    -------
    ndarray, shape (V, 2), px, (y, x)
        Up to a few spacings long; none for fewer than ten points.
    """
    if len(points) < NEIGHBOURS:
        return np.zeros((0, 2))
    tree = spatial.cKDTree(points)
    distance = np.median(tree.query(points, k=NEIGHBOURS)[0], axis=0)
    # In a lattice of dumbbells the nearest neighbour says nothing of the translations.
    reach = REACH_IN_SPACINGS * max(distance[1], 0.5 * distance[-1])
    pairs = tree.query_pairs(reach, output_type="ndarray")
    differences = (points[pairs[:, 1]] - points[pairs[:, 0]]).astype(float)
    differences = np.concatenate([differences, -differences])
    step = max(1.0, tolerance / 2)
    half = int(np.ceil(reach / step))
    cell = np.round(differences / step).astype(int) + half
    inside = np.all((cell >= 0) & (cell <= 2 * half), axis=1)
    counts = np.zeros((2 * half + 1, 2 * half + 1))
    np.add.at(counts, tuple(cell[inside].T), 1.0)
    width = tolerance / step / 1.5
    density = ndimage.gaussian_filter(counts, width, mode="constant") * 2 * np.pi * width**2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(y, x) * step
    ring = (distance < reach) & (distance > 2 * sigma)
    if not ring.any():
        return np.zeros((0, 2))
    usual = float(density[ring].mean())
    shared = (density > least * len(points)) & (density > 2 * usual) & (density > usual + BEYOND_CHANCE * np.sqrt(usual))
    peak = ring & shared & (density == ndimage.maximum_filter(density, 5))
    # From one kind of column to another only some can go; the translations of the whole pattern are shared by most.
    peak &= density > MOST_SHARED * np.max(density[peak], initial=0.0)
    return (np.argwhere(peak) - half) * step
