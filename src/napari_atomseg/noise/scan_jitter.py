"""Scan lines that start a little too early or too late: the row jitter of scanned images."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from napari_atomseg.core.quantities import Pixels


def line_offsets(rows: int, rms: Pixels, correlation: float, rng: np.random.Generator) -> np.ndarray:
    r"""Horizontal offset of each scan line, in px, shape (rows,).

    Parameters
    ----------
    rows : int
        Number of lines.
    rms : float, px
        Standard deviation of the offsets.
    correlation : float
        Number of lines over which the correlation falls to 1/e; 0 for independent lines.
    rng : Generator
        Source of chance.

    Notes
    -----
    A stationary first-order autoregressive process, :math:`o_n = a\,o_{n-1} + \sqrt{1 - a^2}\,\epsilon_n` with
    :math:`a = e^{-1/\ell}`: instabilities drift on between neighbouring lines. The same picture of row jitter as in
    Jones and Nellist, Microsc. Microanal. 19 (2013) 1050, doi:10.1017/S1431927613001402.
    """
    memory = np.exp(-1 / correlation) if correlation > 0 else 0.0
    kicks = rng.standard_normal(rows)
    kicks[1:] *= np.sqrt(1 - memory**2)
    return rms * np.asarray(lfilter([1.0], [1.0, -memory], kicks))


def shift_lines(image: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The image with every row moved to the right by its own offset.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Noiseless, because interpolation would correlate the noise of neighbouring pixels.
    offsets : ndarray, shape (Y,), px
        Positive to the right.

    Returns
    -------
    ndarray, shape (Y, X)
        Cubic interpolation (Keys 1981, a = -1/2); beyond the border the edge value is repeated.
    """
    width = image.shape[1]
    whole = np.floor(-offsets).astype(int)
    t = (-offsets - whole)[:, None]
    weights = (
        -0.5 * t**3 + t**2 - 0.5 * t,
        1.5 * t**3 - 2.5 * t**2 + 1,
        -1.5 * t**3 + 2 * t**2 + 0.5 * t,
        0.5 * t**3 - 0.5 * t**2,
    )
    moved = np.zeros(image.shape)
    for step, weight in zip((-1, 0, 1, 2), weights, strict=True):
        source = np.clip(np.arange(width) + whole[:, None] + step, 0, width - 1)
        moved += weight * np.take_along_axis(image, source, axis=1)
    return moved
