"""Noise of an image, from its pixels alone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def pixel_noise(image: np.ndarray) -> float:
    """Standard deviation of noise from pixel to pixel (Immerkaer, Comput. Vis. Image Underst. 64 (1996) 300).

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        What is not finite is left out; NaN if nothing is left.
    """
    bent = ndimage.convolve(image, np.outer([1, -2, 1], [1, -2, 1]) / 6)
    bent = bent[1:-1, 1:-1]
    known = bent[np.isfinite(bent)]
    return 1.4826 * float(np.median(np.abs(known))) if known.size else float("nan")
