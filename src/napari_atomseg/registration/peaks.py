"""Heights of peaks between the pixels."""

from __future__ import annotations

import numpy as np


def peak_heights(image: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Heights between the pixels, by parabolas along both axes.

    Parameters
    ----------
    image : ndarray, two-dimensional
    peaks : ndarray of int, shape (N, 2), px, (y, x)
        Maxima of the image.

    Returns
    -------
    heights : ndarray, shape (N,)
        At most 0.1 above the pixel for each axis.
    """
    rows, columns = np.clip(peaks.T, 1, (np.array(image.shape) - 2)[:, None])
    heights = image[rows, columns].copy()
    for before, after in (
        (image[rows - 1, columns], image[rows + 1, columns]),
        (image[rows, columns - 1], image[rows, columns + 1]),
    ):
        bend = np.minimum(before + after - 2 * image[rows, columns], -1e-9)
        heights -= np.clip((after - before) ** 2 / (8 * bend), -0.1, 0)
    return np.asarray(heights)
