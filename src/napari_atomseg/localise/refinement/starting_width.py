"""The width from which columns are fitted: the one whose Gaussians explain most of the image around them.

A width that comes with a table may be a placeholder, and the autocorrelation may see a support instead of the columns. A fit that
begins far too narrow or too wide does not come back: it takes each column for a part of its background. So widths are tried:
heights and a smooth background are fitted linearly to the pixels about some columns, and the width that leaves least about
the typical column wins. Points that stand on nothing, or on a label, are a minority that does not move the median.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import spatial

SPREAD_OVER, EACH = 5, 10
"""So many columns far apart are looked at, each with its so many nearest ones."""
NEIGHBOURHOOD = 0.6
"""Radius of the pixels that belong to a column, in units of the distance to its nearest neighbours."""
LEAST_RADIUS, MOST_RADIUS = 2.5, 20.0
"""Of the same, px."""
NARROWEST, WIDEST, STEP = 0.12, 0.75, 1.2
"""Widths that are tried, in units of that distance, and the ratio of one to the next."""
LEAST_WIDTH = 0.6
FEWEST_PIXELS = 6
"""Columns with fewer pixels of their own are not heard."""
PIXELS_TOGETHER = 64
AS_GOOD = 1.01
BETTER, NEAR_ENOUGH = 0.97, 1.1
"""A given width is kept unless one that differs by a larger factor leaves less than this share of what it leaves: fits come back
from the rest."""


def best_width(image: np.ndarray, valid: np.ndarray, positions: np.ndarray, given: float) -> float:
    """Width, px, to begin with.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite intensities.
    valid : ndarray of bool, shape (Y, X)
    positions : ndarray, shape (N, 2), px
        Of the columns, (y, x).
    given : float
        What is thought to be the width, px; kept where no other is clearly better.
    """
    inside = np.all((positions > -0.5) & (positions < np.array(image.shape) - 0.5), axis=1)
    points = np.unique(np.round(positions[inside], 2), axis=0)
    if len(points) == 0:
        return given
    apart = _usual_distance(points, given)
    widths = _widths_to_try(apart, given)
    groups = [_surroundings(image, valid, points, group, apart) for group in _groups(points)]
    before = _left_over(groups, given)
    if not np.isfinite(before).any():
        return given
    # What is left counts in units of what the given width leaves, or bright columns would decide alone.
    typical = np.full(len(widths), np.inf)
    typical[0] = 1.0

    def weigh(numbers: Iterable[int]) -> None:
        for number in numbers:
            typical[number] = np.nanmedian(_left_over(groups, widths[number]) / np.maximum(before, 1e-30))

    weigh(range(1, len(widths), 2))
    coarse = 1 + int(np.argmin(typical[1:]))
    weigh(number for number in (coarse - 1, coarse + 1) if 0 < number < len(widths))
    # Columns that stand beside their points look wider, so of widths that explain the same the narrowest is the likeliest.
    best = min(np.flatnonzero(typical <= AS_GOOD * np.nanmin(typical)), key=lambda number: widths[number])
    near = max(widths[best], given) < NEAR_ENOUGH * min(widths[best], given)
    return given if near or typical[best] >= BETTER else float(widths[best])


def _usual_distance(points: np.ndarray, given: float) -> float:
    """Distance of a column from its nearest neighbours, px; of a lone one as if they stood eight widths away."""
    if len(points) < 2:
        return 8 * given
    distance = spatial.cKDTree(points).query(points, k=min(4, len(points)))[0][:, 1:]
    return float(np.clip(np.median(distance), 2.0, max(16 * given, 4.0)))


def _widths_to_try(apart: float, given: float) -> np.ndarray:
    """The given width and a series of others, ascending after it, shape (W,)."""
    lowest, highest = max(LEAST_WIDTH, min(NARROWEST * apart, given / 4)), max(WIDEST * apart, 1.5 * given)
    count = int(np.ceil(np.log(highest / lowest) / np.log(STEP))) + 1
    return np.concatenate([[given], np.geomspace(lowest, highest, count)])


def _groups(points: np.ndarray) -> list[np.ndarray]:
    """Rows of some columns, far apart from each other, each with those nearest to it."""
    tree = spatial.cKDTree(points)
    seeds = [int(tree.query(points.mean(axis=0))[1])]
    distance = np.full(len(points), np.inf)
    while len(seeds) < min(SPREAD_OVER, len(points)):
        distance = np.minimum(distance, np.hypot(*(points - points[seeds[-1]]).T))
        seeds.append(int(np.argmax(distance)))
    nearest = np.arange(1, min(EACH, len(points)) + 1)
    return [tree.query(points[seed], k=nearest)[1] for seed in seeds]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Surroundings:
    """Pixels about a group of G columns, in batches of B, and how each depends on the K columns near them.

    Attributes
    ----------
    values : ndarray, shape (C, B, 1)
        Intensities; the last batch is filled up with zeros.
    squared : ndarray of float32, shape (P, K), px^2
        Distance of each pixel from each column.
    level : ndarray, shape (P, G)
        A background as smooth as the columns are far apart.
    owner : ndarray of int, shape (P,)
        The column of the group that is nearest.
    counts : ndarray of int, shape (G,)
        Pixels of each.
    """

    values: np.ndarray
    squared: np.ndarray
    level: np.ndarray
    owner: np.ndarray
    counts: np.ndarray


def _surroundings(
    image: np.ndarray, valid: np.ndarray, points: np.ndarray, group: np.ndarray, apart: float
) -> _Surroundings | None:
    """Pixels about the columns `group`, rows of `points`; None where there are too few."""
    radius = float(np.clip(NEIGHBOURHOOD * apart, LEAST_RADIUS, MOST_RADIUS))
    low = np.maximum(np.floor(points[group].min(axis=0) - radius).astype(int), 0)
    high = np.minimum(np.ceil(points[group].max(axis=0) + radius).astype(int) + 1, image.shape)
    pixels = np.argwhere(valid[low[0] : high[0], low[1] : high[1]]) + low
    distance, owner = spatial.cKDTree(points[group]).query(pixels)
    pixels, owner = pixels[distance <= radius], owner[distance <= radius]
    if len(pixels) < 2 * len(group):
        return None
    near = points[spatial.cKDTree(points[group]).query(points)[0] < 2 * apart + radius]
    level = np.exp(-spatial.distance.cdist(pixels, points[group], "sqeuclidean") / (2 * apart**2))
    values = np.pad(image[tuple(pixels.T)].astype(float), (0, -len(pixels) % PIXELS_TOGETHER))
    return _Surroundings(
        values=values.reshape(-1, PIXELS_TOGETHER, 1),
        squared=spatial.distance.cdist(pixels, near, "sqeuclidean").astype(np.float32),
        level=level / level.sum(axis=1, keepdims=True),
        owner=owner,
        counts=np.bincount(owner, minlength=len(group)),
    )


def _left_over(groups: Iterable[_Surroundings | None], width: float) -> np.ndarray:
    """Mean squared rest about each column of the groups that has pixels enough, shape (N,)."""
    found = [np.zeros(0)]
    for group in groups:
        if group is None:
            continue
        pixels, columns = group.squared.shape
        design = np.zeros((group.values.size, columns + group.level.shape[1]))
        design[:pixels, :columns] = np.exp(group.squared * np.float32(-0.5 / width**2))
        design[:pixels, columns:] = group.level
        # In batches of few pixels: BLAS would begin threads for larger products, which cost more than the products.
        batches = design.reshape(len(group.values), PIXELS_TOGETHER, -1)
        turned = batches.transpose(0, 2, 1)
        normal = np.matmul(turned, batches).sum(axis=0)
        ridge = 1e-8 * np.trace(normal) / len(normal) * np.eye(len(normal))
        solution = np.linalg.solve(normal + ridge, np.matmul(turned, group.values).sum(axis=0))
        rest = (group.values - np.matmul(batches, solution)).ravel()[:pixels]
        enough = group.counts >= FEWEST_PIXELS
        found.append(np.bincount(group.owner, rest**2, minlength=len(enough))[enough] / group.counts[enough])
    return np.concatenate(found)
