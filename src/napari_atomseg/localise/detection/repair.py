"""Make an image fit for filters: no NaN or infinity, no isolated hot pixels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

HOT_LIMIT = 8.0
"""A pixel this many standard deviations of its surroundings above their median is no electron."""
SPIKE_LIMIT = 64.0
STEEPEST_TOP = 1.5
"""Height of a column's topmost pixel above its neighbours, at most, relative to their height above the lowest pixel near."""


def repair(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image without invalid and hot pixels, and which pixels are believed.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Any intensities; NaN and infinity allowed.

    Returns
    -------
    repaired : ndarray of float32, shape (Y, X)
        Invalid pixels take the mean of the valid ones around them, hot pixels their local median.
    valid : ndarray of bool, shape (Y, X)
        False where the image held no finite number.
    """
    values = np.asarray(image, dtype=np.float32)
    valid = np.isfinite(values)
    if not valid.all():
        values = _fill(values, valid)
    return _without_hot_pixels(values), valid


def _fill(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    if not valid.any():
        return np.zeros_like(values)
    known = np.where(valid, values, 0).astype(np.float64)
    weight = valid.astype(np.float64)
    around = ndimage.gaussian_filter(weight, 4.0)
    near = ndimage.gaussian_filter(known, 4.0) / np.maximum(around, 1e-6)
    mean = known.sum() / weight.sum()
    filled = np.where(around > 1e-3, near, mean)
    return np.where(valid, values, filled).astype(np.float32)


def _without_hot_pixels(values: np.ndarray) -> np.ndarray:
    """Replace single pixels far above all eight neighbours; a column is never one pixel wide.

    Where there is little noise, the top of a narrow column is far above its neighbours too; but these in turn are then
    above theirs, by more than two thirds of it for any column wider than 0.75 px.

    The limit grows with the square root of the local level, as counting noise does, with the gain that the image
    itself shows; where hardly anything is counted, a few counts in one pixel are still no fault of it.
    """
    median = ndimage.median_filter(values, 3, mode="nearest")
    excess = values - median
    level = median - float(median.min())
    variance = mean_without_spikes(excess.astype(np.float64) ** 2)
    mean_level = float(np.mean(values - values.min()))
    gain = variance / mean_level if mean_level > 0 else 0.0
    noise = np.sqrt(0.5 * variance + gain * np.maximum(level, 0.5 * mean_level)) + 0.5 * gain
    noise += 1e-6 * float(np.ptp(median)) + 1e-30
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    others = ndimage.maximum_filter(values, footprint=ring, mode="nearest")
    tip = values - others
    foot = others - ndimage.minimum_filter(values, 5, mode="nearest")
    hot = (excess > HOT_LIMIT * noise) & (tip > 0.5 * HOT_LIMIT * noise) & (tip > STEEPEST_TOP * foot)
    return np.where(hot, median, values)


def mean_without_spikes(squared: np.ndarray) -> float:
    """Mean of squared residuals in which none counts for more than 64 times the mean; right for sparse counts as well."""
    mean = float(squared.mean())
    # An extreme spike (a dead pixel of a 32-bit camera) takes many rounds to be forgotten, ordinary noise one.
    for _ in range(100):
        before, mean = mean, float(np.minimum(squared, SPIKE_LIMIT * mean).mean())
        if mean >= 0.999 * before:
            break
    return mean
