"""Matched band-pass for round columns of a known width, and the noise that it lets through.

The scale-normalised Laplacian of Gaussian flattens any background that is smooth over a few column widths and gives
half of a column's height at its centre (Lindeberg, Int. J. Comput. Vis. 30, 79 (1998), Sec. 5).
"""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from napari_atomseg.localise.detection.repair import SPIKE_LIMIT, mean_without_spikes

DIFFERENCE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6
"""Kernel blind to any plane and any saddle, with unit gain for white noise (Immerkaer, CVIU 64, 300 (1996))."""

MOSTLY_SLOPE = 0.1
ROOM_OF_BEND = 16
"""A slope bends once in so many widths of a column at most."""
STEEPEST_DEGREE = 8
SAMPLED_VALUES = 65536
STEP_RESPONSE = 0.5
DITHERED = 0.05
"""Variance, in squared steps, beyond which an image is no mere staircase (the rounding itself has 1/12)."""


def band_pass(image: np.ndarray, sigma: float) -> np.ndarray:
    """Response of round bright spots of width `sigma` px: half of the height of a Gaussian spot at its centre.

    Parameters
    ----------
    image : ndarray of float32, shape (Y, X)
        No NaN.
    sigma : float
        Width of the columns, px.
    """
    response: np.ndarray = ndimage.gaussian_laplace(_without_slope(image, sigma), sigma, mode="reflect", truncate=4.0)
    return -(sigma**2) * response


def _without_slope(image: np.ndarray, sigma: float) -> np.ndarray:
    """The image less its level or, if it is hardly anything but a slope, less that.

    The sum of the cut-off kernel is not quite zero, so that a high level would show through; and a slope that is
    reflected at the border has a crease there.
    """
    flat = image - slope_of(image, sigma)
    return flat if float(np.var(flat)) < MOSTLY_SLOPE * float(np.var(image)) else image - np.min(image)


def slope_of(image: np.ndarray, sigma: float) -> np.ndarray:
    """Slope of an image along y plus that along x by least squares.

    Both are polynomials of a degree that cannot follow columns of width `sigma` px: planes in small fields.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite.
    sigma : float, px
        Width of the columns.

    Returns
    -------
    ndarray, shape (Y, X), of the type of `image`
    """
    along_y = _smooth(image.mean(axis=1, dtype=np.float64), sigma)
    along_x = _smooth(image.mean(axis=0, dtype=np.float64), sigma)
    return np.asarray(along_y[:, None] + along_x - float(along_x.mean()), dtype=image.dtype)


def _smooth(profile: np.ndarray, sigma: float) -> np.ndarray:
    degree = int(np.clip(len(profile) // (ROOM_OF_BEND * sigma), 1, STEEPEST_DEGREE)) if len(profile) > 1 else 0
    place = np.linspace(-1, 1, len(profile))
    return np.asarray(np.polynomial.legendre.legval(place, np.polynomial.legendre.legfit(place, profile, degree)))


def noise_of_response(image: np.ndarray, sigma: float) -> np.ndarray:
    """Standard deviation of the response that white noise alone would give, pixel by pixel.

    The noise is measured in the image itself, from second differences over a few columns around each pixel, so that
    counting noise that follows the signal is followed too.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite.
    sigma : float, px
        Width of the filter.

    Returns
    -------
    ndarray, shape (Y, X), in the unit of `image`
        Nowhere zero.
    """
    residual = ndimage.convolve(image, DIFFERENCE, mode="reflect") ** 2
    # Leftover spikes are no noise: no pixel may count for more than eight sigma.
    residual = np.minimum(residual, SPIKE_LIMIT * mean_without_spikes(residual) + 1e-30)
    variance = mean_around(residual, sigma)
    # In a vacuum without counts nothing fluctuates, and nothing may become infinitely significant there.
    variance = np.maximum(variance, 0.02 * float(variance.mean()) + 1e-30)
    return np.sqrt(variance * squared_gain(sigma))


def mean_around(image: np.ndarray, sigma: float) -> np.ndarray:
    """Mean over a smooth window of about four sigma around each pixel.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Mirrored at its borders.
    sigma : float, px

    Returns
    -------
    ndarray, shape (Y, X)
    """
    # Two running means cost the same for any width.
    side = 2 * round(3.5 * sigma) + 1
    return np.asarray(ndimage.uniform_filter(ndimage.uniform_filter(image, side, mode="reflect"), side, mode="reflect"))


def wide_gaussian(image: np.ndarray, sigma: float) -> np.ndarray:
    """An image blurred by a Gaussian, for widths at which summing over its kernel would take long.

    The cosine transform mirrors the image at its borders, as `scipy.ndimage` does; the kernel is not cut off.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Finite.
    sigma : float, px

    Returns
    -------
    ndarray, shape (Y, X), of the type of `image`
    """
    height, width = (np.exp(-0.5 * (sigma * np.pi * np.arange(length) / length) ** 2) for length in image.shape)
    blurred = fft.idctn(fft.dctn(image) * np.outer(height, width).astype(image.dtype))
    return np.asarray(blurred, dtype=image.dtype)


def quantisation_floor(image: np.ndarray, noise: np.ndarray, sigma: float) -> float:
    """Response that the steps of an undithered, quantised image can give; 0 where noise blurs the steps.

    The edge of a step of one level gives a response of 0.24 levels (the maximum of u exp(-u^2 / 2) / sqrt(2 pi)).

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    noise : ndarray, shape (Y, X)
        From :func:`noise_of_response` for the same `sigma`.
    sigma : float
        Width of the filter, px.
    """
    thin = max(1, image.size // SAMPLED_VALUES)
    levels = np.unique(image.ravel()[::thin])
    if len(levels) < 2:
        return 0.0
    step = float(np.min(np.diff(levels)))
    whole = (levels - levels[0]) / step
    quantised = step > 1e-4 * float(np.ptp(levels)) and bool(np.all(np.abs(whole - np.round(whole)) < 1e-2))
    variance = float(np.mean(noise.astype(np.float64) ** 2)) / squared_gain(sigma)
    return STEP_RESPONSE * step if quantised and variance < DITHERED * step**2 else 0.0


def squared_gain(sigma: float) -> float:
    """Sum of squares of the band-pass kernel."""
    radius = int(np.ceil(4 * sigma))
    delta = np.zeros((2 * radius + 1, 2 * radius + 1), dtype=np.float64)
    delta[radius, radius] = 1
    return float(np.sum(band_pass(delta, sigma) ** 2))


def expected_noise_maxima(sigma: float, area: float, level: np.ndarray) -> np.ndarray:
    """Number of maxima of white noise that are higher than a level.

    High maxima of a smooth Gaussian field: Adler, The Geometry of Random Fields (1981), Eq. 6.3.1, with the second
    spectral moment 3 / (2 sigma^2) of white noise after the Laplacian of Gaussian.

    Parameters
    ----------
    sigma : float, px
        Width of the Laplacian of Gaussian.
    area : float, px
        Number of pixels.
    level : ndarray
        In standard deviations of the filtered noise; right well above 1.

    Returns
    -------
    ndarray, of the shape of `level`
    """
    moment = 1.5 / sigma**2
    return area * moment / (2 * np.pi) ** 1.5 * level * np.exp(-(level**2) / 2)
