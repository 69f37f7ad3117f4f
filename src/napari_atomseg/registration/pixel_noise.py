"""Noise of an image, from its pixels alone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def pixel_noise(image: np.ndarray, over_all: bool = False) -> float:
    """Standard deviation of noise from pixel to pixel (Immerkaer, Comput. Vis. Image Underst. 64 (1996) 300).

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        What is not finite is left out; NaN if nothing is left.
    over_all : bool
        Of all pixels, bright ones with more noise included, by the mean of the differences; otherwise by their median, which
        sharp structures do not raise.
    """
    bent = ndimage.convolve(image, np.outer([1, -2, 1], [1, -2, 1]) / 6)
    bent = bent[1:-1, 1:-1]
    known = bent[np.isfinite(bent)]
    if known.size == 0:
        return float("nan")
    # Both are 1 for normal noise.
    return float(np.sqrt(np.pi / 2) * np.abs(known).mean() if over_all else 1.4826 * np.median(np.abs(known)))
