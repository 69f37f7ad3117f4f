"""How noisy an image is, read from the image itself: gain and read-out noise from the mean-variance relation.

Counting noise has a variance proportional to the signal; the factor (gain) and the constant part are all that the
refinement needs to weight pixels and to state uncertainties (Mullikin et al., Proc. SPIE 2173, 73 (1994)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

from napari_atomseg.localise.detection.repair import SPIKE_LIMIT, mean_without_spikes
from napari_atomseg.localise.detection.response import DIFFERENCE, mean_around

BINS = 24
SMALLEST_BIN = 1000
"""So that the nine pixels that a spike reaches are few among those of a bin."""
SAMPLED_SIDE = 512
LEAST_SHARE = 0.05
"""Of the variance around, at a pixel where nothing is counted."""
CAUTION = 4.0
"""Standard deviations of a level that it may be higher than it looks."""
ENOUGH_PIXELS, BAND = 500_000, 64
"""Pixels that tell the noise of a large image to 0.3 %, and rows of one band of them."""
_RING_WIDTH = 1.8
_RING_REACH = 3


@dataclass(frozen=True, kw_only=True)
class NoiseLevel:
    """Variance of a pixel as a function of its expected intensity.

    Attributes
    ----------
    gain : float
        Variance for each unit of intensity above the pedestal; 1 for an image in counts.
    read_variance : float
        Variance that does not depend on the intensity, in squared units of the image.
    pedestal : float
        Intensity without any electron.
    """

    gain: float
    read_variance: float
    pedestal: float

    def variance(self, expected: np.ndarray) -> np.ndarray:
        """Variance of pixels of the given expected intensity, same shape."""
        return np.asarray(self.gain * np.maximum(expected - self.pedestal, 0.0) + self.read_variance)


def estimate_noise(image: np.ndarray) -> NoiseLevel:
    """Noise level of an image from second differences, which smooth columns hardly touch.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite intensities.

    Notes
    -----
    Pixels are sorted by the mean of a ring around them that shares no pixel with their difference; else pixels that are
    low by chance would be taken for pixels of low variance. The intensity of the sorted ones is then the mean of their
    own, since the ring's is lower than a column's top. Correlated noise is underestimated.
    """
    stencil = DIFFERENCE.astype(np.float64)
    kernels = (stencil, stencil**2 / np.sum(stencil**2), _ring())
    bands = [np.asarray(image[rows], dtype=np.float64) for rows in sampled_bands(image.shape)]
    difference, local, around = (
        np.concatenate([ndimage.convolve(band, kernel, mode="reflect").ravel() for band in bands]) for kernel in kernels
    )
    squared = difference**2
    parts = [part for part in np.array_split(np.argsort(around), max(1, min(BINS, around.size // SMALLEST_BIN))) if len(part)]
    spread = np.array([mean_without_spikes(squared[part]) for part in parts])
    # Where a spike makes the difference it makes the mean too.
    quiet = [part[squared[part] <= SPIKE_LIMIT * limit] for part, limit in zip(parts, spread, strict=True)]
    mean = np.array([local[part].mean() for part in quiet])
    if not spread.any():
        return NoiseLevel(gain=0.0, read_variance=0.0, pedestal=float(mean.min()))
    pedestal = float(mean.min())
    weight = 1 / np.maximum(spread, 0.1 * spread.mean())
    design = np.stack([mean - pedestal, np.ones_like(mean)], axis=1) * weight[:, None]
    (gain, read_variance), _ = optimize.nnls(design, spread * weight)
    return NoiseLevel(gain=float(gain), read_variance=float(read_variance), pedestal=pedestal)


def noise_by_level(image: np.ndarray, around: np.ndarray, sigma: float) -> np.ndarray:
    """Noise of the response, shared out in its surroundings as that of counts is, by the image's own mean-variance relation.

    A faint column between strong ones, or in a gap, has less noise than these.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite intensities.
    around : ndarray, shape (Y, X)
        Standard deviation of the response as measured over a few columns around each pixel.
    sigma : float
        Width of the filter, px.

    Returns
    -------
    ndarray, shape (Y, X)
        Never more than `around`.
    """
    starts = [max(0, (length - SAMPLED_SIDE) // 2) for length in image.shape]
    noise = estimate_noise(image[starts[0] : starts[0] + SAMPLED_SIDE, starts[1] : starts[1] + SAMPLED_SIDE])
    # The square of the band-pass kernel has the second moment of this Gaussian.
    level = ndimage.gaussian_filter(image, sigma / np.sqrt(2), mode="reflect")
    expected = noise.variance(mean_around(image, sigma))
    # Where few are counted a low level may be chance, and what is low by chance must not be significant for it.
    level += CAUTION * np.sqrt(expected / (2 * np.pi)) / sigma
    share = noise.variance(level) / np.maximum(expected, 1e-30)
    return np.asarray(around * np.sqrt(np.clip(share, LEAST_SHARE, 1.0)))


def sampled_bands(shape: tuple[int, ...]) -> list[slice]:
    """Rows of an image, all of them or, of a large one, bands spread evenly over it that hold enough pixels for its noise."""
    height, width = shape
    count = max(1, -(-ENOUGH_PIXELS // (BAND * width)))
    if 2 * count * BAND > height:
        return [slice(0, height)]
    return [slice(first, first + BAND) for first in np.linspace(0, height - BAND, count).astype(int)]


def _ring() -> np.ndarray:
    y, x = np.mgrid[-_RING_REACH : _RING_REACH + 1, -_RING_REACH : _RING_REACH + 1]
    ring = np.exp(-(y**2 + x**2) / (2 * _RING_WIDTH**2))
    ring[np.maximum(np.abs(y), np.abs(x)) <= 1] = 0
    return np.asarray(ring / ring.sum())
