"""Columns from a map of them: Otsu's threshold, watershed, weighted centroid.

A map is what a network says of every pixel, and each column is a Gaussian of height 1 in it where the network is sure of the
column and of its place. Where it is not, the Gaussian is low or wide; its integral is the probability of a column there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

LEAST, MOST = 0.05, 0.15
"""Limits of Otsu's threshold: a map of nothing has no two classes, one of sure columns no weak ones, and the top of a column
whose place is unsure by two widths is not higher than the second."""
FOOT = 0.02
"""Pixels with more than this are shared out among the columns, since a Gaussian that is cut off has its centroid elsewhere."""
HAZE = 3.0
"""Half the side, in widths, of the square that holds a column: what fills it evenly is haze."""
REACH = 4.0
"""Pixels farther from the summit than so many widths are not the column's."""
SMOOTHING = 0.6
"""Blur before maxima are looked for, in units of the Gaussian's width, so that ripples of one column are one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MapColumns:
    """Columns that a map shows.

    Attributes
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
        Centroids.
    confidence : ndarray, shape (N,)
        Integral in units of that of a sure column, at most 1.
    spread : ndarray, shape (N,), px
        Root mean square distance from the centroid along one axis, beyond that of a sure column: how well the place is known.
    threshold : float
        Summits of columns are higher than this.
    """

    positions: np.ndarray
    confidence: np.ndarray
    spread: np.ndarray
    threshold: float


def map_columns(values: np.ndarray, sigma: float, threshold: float | None = None) -> MapColumns:
    """Columns of a map.

    Parameters
    ----------
    values : ndarray, shape (Y, X)
        From 0 to 1; what is not finite counts as 0.
    sigma : float, px
        Width of the Gaussian of a sure column.
    threshold : float, optional
        Summits have to be higher; by default Otsu's, within limits.

    References
    ----------
    Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979); Lin et al., Sci. Rep. 11, 5386 (2021), who localise in the same order.
    """
    values = _without_haze(np.nan_to_num(np.asarray(values, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0), sigma)
    threshold = _otsu(values) if threshold is None else threshold
    smooth = ndimage.gaussian_filter(values, SMOOTHING * sigma)
    summits = (values > threshold) & (smooth == ndimage.maximum_filter(smooth, 3))
    markers, count = ndimage.label(summits, structure=np.ones((3, 3)))
    if count == 0:
        return MapColumns(positions=np.zeros((0, 2)), confidence=np.zeros(0), spread=np.zeros(0), threshold=threshold)
    basins = watershed(-smooth, markers, mask=values > FOOT)
    return _measured(values, _near_summits(basins, markers, count, REACH * sigma), count, sigma, threshold)


def otsu_columns(values: np.ndarray, sigma: float) -> MapColumns:
    """Columns of a map as Lin et al., Sci. Rep. 11, 5386 (2021), find them: the centre of each area above Otsu's threshold.

    Every pixel of an area counts alike, and areas that touch are one column.

    Parameters
    ----------
    values : ndarray, shape (Y, X)
        From 0 to 1; what is not finite counts as 0.
    sigma : float, px
        Width of the Gaussian of a sure column; for `confidence` and `spread` only.
    """
    values = np.nan_to_num(np.asarray(values, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    threshold = float(threshold_otsu(values)) if np.ptp(values) > 0 else 1.0
    areas, count = ndimage.label(values > threshold, structure=np.ones((3, 3)))
    if count == 0:
        return MapColumns(positions=np.zeros((0, 2)), confidence=np.zeros(0), spread=np.zeros(0), threshold=threshold)
    measured = _measured(values, areas, count, sigma, threshold)
    return replace(measured, positions=np.array(ndimage.center_of_mass(areas > 0, areas, np.arange(1, count + 1))))


def _otsu(values: np.ndarray) -> float:
    taken = values[values > LEAST]
    return float(np.clip(threshold_otsu(taken), LEAST, MOST)) if taken.size and np.ptp(taken) > 0 else LEAST


def _without_haze(values: np.ndarray, sigma: float) -> np.ndarray:
    """The map less what is as high all around: that there are columns somewhere, but not where."""
    side = 2 * round(HAZE * sigma) + 1
    return np.asarray(np.maximum(values - ndimage.gaussian_filter(ndimage.grey_opening(values, (side, side)), sigma), 0.0))


def _near_summits(basins: np.ndarray, markers: np.ndarray, count: int, reach: float) -> np.ndarray:
    """Basins without what is farther than `reach` px from their summits: haze belongs to no column."""
    y, x = np.nonzero(markers)
    which = markers[y, x] - 1
    number = np.bincount(which, minlength=count)
    summit = np.stack([np.bincount(which, along, count) / number for along in (y, x)], axis=1)
    y, x = np.nonzero(basins)
    own = summit[basins[y, x] - 1]
    near = np.hypot(y - own[:, 0], x - own[:, 1]) <= reach
    result = np.zeros_like(basins)
    result[y[near], x[near]] = basins[y[near], x[near]]
    return result


def _measured(values: np.ndarray, basins: np.ndarray, count: int, sigma: float, threshold: float) -> MapColumns:
    """Integral, centroid and second moment of every basin."""
    y, x = np.nonzero(basins)
    which = basins[y, x] - 1
    weight = values[y, x].astype(float)
    total = np.bincount(which, weight, count)
    centre = np.stack([np.bincount(which, weight * along, count) for along in (y, x)], axis=1) / total[:, None]
    square = np.bincount(which, weight * ((y - centre[which, 0]) ** 2 + (x - centre[which, 1]) ** 2), count) / total / 2
    # What lies below the foot was left out: of a Gaussian of height 1 that share.
    sure = 2 * np.pi * sigma**2 * (1 - FOOT)
    return MapColumns(
        positions=centre,
        confidence=np.minimum(total / sure, 1.0),
        spread=np.sqrt(np.maximum(square - sigma**2, 0.0)),
        threshold=threshold,
    )
