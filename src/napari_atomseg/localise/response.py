"""Matched band-pass for round columns of a known width, and the noise that it lets through.

The scale-normalised Laplacian of Gaussian flattens any background that is smooth over a few column widths and gives
half of a column's height at its centre (Lindeberg, Int. J. Comput. Vis. 30, 79 (1998), Sec. 5).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_DIFFERENCE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6
"""Kernel blind to any plane and any saddle, with unit gain for white noise (Immerkaer, CVIU 64, 300 (1996))."""

SQUARED_MEDIAN = 0.4549
"""Median of the square of a unit normal variable."""


def band_pass(image: np.ndarray, sigma: float) -> np.ndarray:
    """Response of round bright spots of width `sigma` px: half of the height of a Gaussian spot at its centre.

    Parameters
    ----------
    image : ndarray of float32, shape (Y, X)
        No NaN.
    sigma : float
        Width of the columns, px.
    """
    # The sum of the cut-off kernel is not quite zero, and would let a high level of the image show through.
    level = np.min(image)
    response: np.ndarray = ndimage.gaussian_laplace(image - level, sigma, mode="reflect", truncate=4.0)
    return -(sigma**2) * response


def noise_of_response(image: np.ndarray, sigma: float) -> np.ndarray:
    """Standard deviation of the response that white noise alone would give, pixel by pixel, shape (Y, X).

    The noise is measured in the image itself, from second differences over a few columns around each pixel, so that
    counting noise that follows the signal is followed too.
    """
    residual = ndimage.convolve(image, _DIFFERENCE, mode="reflect") ** 2
    # Edges of columns and leftover spikes are no noise: no pixel may count for more than five sigma.
    residual = np.minimum(residual, 25 * float(np.median(residual)) / SQUARED_MEDIAN + 1e-30)
    # Two running means cost the same for any width; together they are a smooth window of about four sigma.
    side = 2 * round(3.5 * sigma) + 1
    variance = ndimage.uniform_filter(ndimage.uniform_filter(residual, side, mode="reflect"), side, mode="reflect")
    # In a vacuum without counts nothing fluctuates, and nothing may become infinitely significant there.
    variance = np.maximum(variance, 0.02 * float(variance.mean()) + 1e-30)
    return np.sqrt(variance * _squared_gain(sigma))


def _squared_gain(sigma: float) -> float:
    """Sum of squares of the band-pass kernel."""
    radius = int(np.ceil(4 * sigma))
    delta = np.zeros((2 * radius + 1, 2 * radius + 1), dtype=np.float64)
    delta[radius, radius] = 1
    return float(np.sum(band_pass(delta, sigma) ** 2))


def expected_noise_maxima(sigma: float, area: float, level: np.ndarray) -> np.ndarray:
    """Number of maxima above `level` standard deviations that white noise gives in `area` px.

    High maxima of a smooth Gaussian field: Adler, The Geometry of Random Fields (1981), Eq. 6.3.1, with the second
    spectral moment 3 / (2 sigma^2) of white noise after the Laplacian of Gaussian.
    """
    moment = 1.5 / sigma**2
    return area * moment / (2 * np.pi) ** 1.5 * level * np.exp(-(level**2) / 2)
