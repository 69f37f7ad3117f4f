"""How wide a column is and how far its neighbours are, read from the image's own autocorrelation.

The autocorrelation of Gaussian columns of width sigma has a central peak of width sqrt(2) sigma, whatever their
arrangement; white noise touches only its zero lag, which is left out. The first ring gives the typical spacing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from napari_atomseg.localise.detection.repair import repair
from napari_atomseg.localise.detection.response import wide_gaussian

LARGEST_CROP = 1024
SMALLEST_SIDE = 12
BACKGROUND_IN_SIGMA = 3.0
"""What is narrower than so many widths of a column is no background."""
FEW_COLUMNS_ROUNDS = 4
STEEP = 10.0
"""Variance of an image, relative to that without background, beyond which its background towers above all else."""
STEEP_ROUNDS = 4
STEEP_WIDTH = 0.6
STEEP_BORDER = 1.5
CHANCE_LIMIT = 5.0
"""Standard deviations of a chance correlation beyond which neighbouring pixels are believed to belong together ..."""
NEARBY, CHANCE_LIMIT_NEARBY = 2.3, 6.0
"""... and pixels up to so far apart, px, all together, which tells of wide columns in much noise."""
SAMPLE_SIDE = 512
"""Part of an image that tells the width and polarity of its columns, px."""


@dataclass(frozen=True, kw_only=True)
class ColumnScale:
    """Size and spacing of the columns.

    Attributes
    ----------
    sigma_px : float
        Standard deviation of a column's profile, in pixels.
    spacing_px : float
        Typical distance between neighbouring columns (or groups of them), in pixels.
    order : float
        Height of the first ring of the autocorrelation relative to its centre: above 0.1 in crystals, about 0 in noise.
    """

    sigma_px: float
    spacing_px: float
    order: float


def estimate_scale(image: np.ndarray) -> ColumnScale | None:
    """Column width and spacing of an image, or None if nothing in it is correlated.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Any intensities; the centre of at most 1024 x 1024 pixels is used.

    Returns
    -------
    ColumnScale or None
    """
    if min(image.shape) < SMALLEST_SIDE:
        return None
    crop, _ = repair(centre_crop(image, LARGEST_CROP))
    # Anything wider than a twelfth of the field is background, unless only a few columns fill the field.
    background = min(crop.shape) / 12
    scale = _scale_of(_flattened(crop, background))
    for _ in range(FEW_COLUMNS_ROUNDS):
        if scale is None or background >= BACKGROUND_IN_SIGMA * scale.sigma_px:
            break
        background = BACKGROUND_IN_SIGMA * scale.sigma_px
        scale = _scale_of(_flattened(crop, background))
    return scale


def _scale_of(flat: np.ndarray) -> ColumnScale | None:
    """Width and spacing of what is left of an image without its background."""
    lag, correlation = _radial_autocorrelation(flat)
    # Row jitter makes sampled bins ragged; a quarter-pixel grid smoothed over 1.5 of its steps loses nothing.
    grid = np.arange(1.0, lag[-1], 0.25)
    if len(grid) < 8:
        return None
    profile = ndimage.gaussian_filter1d(np.interp(grid, lag, correlation), 1.5)
    if not np.isfinite(profile).all() or not (_correlated(lag, correlation, flat.size) and profile[0] > 0):
        return None
    dip = _first_dip(profile)
    sigma = _central_width(grid, profile, float(profile[dip]))
    ring = _first_ring(profile, dip)
    if sigma is None:
        return None
    return ColumnScale(sigma_px=sigma, spacing_px=float(grid[ring]), order=float(profile[ring] / profile[0]))


def _correlated(lag: np.ndarray, correlation: np.ndarray, size: int) -> bool:
    """Whether near pixels belong together; those of white noise, whatever its distribution, are correlated by chance only."""
    chance = float(correlation[0]) / np.sqrt(size)
    near = (lag > 0) & (lag <= NEARBY)
    # Half of the lags of a ring are the other half seen from the other side.
    count = np.pi * lag[near] / 2
    together = float(np.sum(count * correlation[near])) / np.sqrt(np.sum(count))
    return float(correlation[near][0]) > CHANCE_LIMIT * chance or together > CHANCE_LIMIT_NEARBY * chance


def _flattened(image: np.ndarray, width: float) -> np.ndarray:
    """An image without what is wider than `width` px.

    Where the background towers above all else, the filter's answer to its curvature does so too; then it is applied again
    and again, and the border, which has no other side, is cut off.
    """
    flat = image - wide_gaussian(image, width)
    if float(np.var(image)) < STEEP * float(np.var(flat)):
        return np.asarray(flat)
    width *= STEEP_WIDTH
    flat = image
    for _ in range(STEEP_ROUNDS):
        flat = flat - wide_gaussian(flat, width)
    cut = min(round(STEEP_BORDER * width), min(image.shape) // 4)
    return np.asarray(flat[cut:-cut, cut:-cut])


def centre_crop(image: np.ndarray, side: int) -> np.ndarray:
    """The middle of an image, at most `side` pixels along each axis."""
    starts = [max(0, (length - side) // 2) for length in image.shape]
    window = tuple(slice(start, start + side) for start in starts)
    return image[window]


def _radial_autocorrelation(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean autocorrelation over rings of half a pixel; lag in pixels, zero lag included."""
    shape = [fft.next_fast_len(2 * n, real=True) for n in flat.shape]
    product = fft.irfft2(np.abs(fft.rfft2(flat, shape)) ** 2, shape)
    pairs = fft.irfft2(np.abs(fft.rfft2(np.ones_like(flat), shape)) ** 2, shape)
    half = [n // 2 for n in flat.shape]
    lag_y = fft.fftfreq(shape[0], 1 / shape[0])[:, None]
    lag_x = fft.fftfreq(shape[1], 1 / shape[1])[None, :]
    inside = (np.abs(lag_y) <= half[0]) & (lag_x >= 0) & (lag_x <= half[1])
    distance = np.hypot(lag_y, lag_x)
    inside &= distance < min(half)
    ring = np.round(2 * distance[inside]).astype(int)
    count = np.bincount(ring)
    total = np.bincount(ring, (product[inside] / np.maximum(pairs[inside], 1)))
    lag = np.bincount(ring, distance[inside])
    some = count > 0
    return lag[some] / count[some], total[some] / count[some]


def _first_dip(profile: np.ndarray) -> int:
    """Index of the first minimum after the central peak has fallen below 60 %."""
    for index in range(1, len(profile) - 2):
        falling = profile[index] <= profile[index - 1] and profile[index] < profile[index + 1]
        if falling and profile[index] < 0.6 * profile[0]:
            return index
    return len(profile) - 2


def _first_ring(profile: np.ndarray, dip: int) -> int:
    """Index of the first maximum beyond the dip that rises at least half as high above it as the highest one."""
    beyond = profile[dip : 5 * dip + 8]
    highest = int(np.argmax(beyond))
    enough = profile[dip] + 0.5 * (beyond[highest] - profile[dip])
    for index in range(1, highest):
        if beyond[index - 1] <= beyond[index] > beyond[index + 1] and beyond[index] > enough:
            return dip + index
    return dip + highest


def _central_width(grid: np.ndarray, profile: np.ndarray, floor: float) -> float | None:
    """Column sigma from the half width of the central peak above `floor`; zero lag is extrapolated as a Gaussian."""
    sigma = 1.0
    for _ in range(20):
        top = floor + (profile[0] - floor) * np.exp(grid[0] ** 2 / (4 * sigma**2))
        below = np.flatnonzero(profile < 0.5 * (top + floor))
        if len(below) == 0:
            return None
        after = int(below[0])
        half = float(grid[0])
        if after > 0:
            first, second = profile[after - 1], profile[after]
            half = float(grid[after - 1] + 0.25 * (first - 0.5 * (top + floor)) / (first - second))
        # Half width at half maximum of exp(-r^2 / 4 sigma^2).
        sigma = half / (2 * np.sqrt(np.log(2)))
    return sigma
