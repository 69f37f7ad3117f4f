"""Noiseless images of atomic columns as sums of Gaussians: quick and exact, for samples and tests.

Not a simulation of the probe or of dynamical scattering; the profile is a narrow core with a weak wide tail, which is
how a column looks once probe tails and source size are in.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr


def render_columns(positions: np.ndarray, intensity: np.ndarray, sigma: np.ndarray | float, shape: tuple[int, int]) -> np.ndarray:
    r"""Sum of Gaussians, each integrated over every pixel.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
        Centres; the centre of the first pixel is (0, 0).
    intensity : ndarray, shape (N,)
        Total intensity of each column, conserved where the column lies well inside the image.
    sigma : float or ndarray, shape (N,), px
        Standard deviation.
    shape : tuple of int
        (Y, X).

    Returns
    -------
    ndarray, shape (Y, X)
        Intensity per pixel.

    Notes
    -----
    A Gaussian is separable, and so is its integral over a pixel, which makes the whole sum one matrix product:

    .. math:: I_{yx} = \sum_n I_n\, g_n(y)\, g_n(x), \quad
              g_n(x) = \Phi\!\left(\frac{x + 1/2 - x_n}{\sigma_n}\right) - \Phi\!\left(\frac{x - 1/2 - x_n}{\sigma_n}\right)
    """
    positions = np.asarray(positions, dtype=float).reshape(-1, 2)
    widths = np.broadcast_to(np.asarray(sigma, dtype=float), (len(positions),))
    along_y = _pixel_shares(positions[:, 0], widths, shape[0]) * np.asarray(intensity, dtype=float)[:, None]
    along_x = _pixel_shares(positions[:, 1], widths, shape[1])
    return along_y.T @ along_x


def render_cloud(positions: np.ndarray, intensity: float, sigma: float, shape: tuple[int, int]) -> np.ndarray:
    """Very many equal Gaussians, placed to the pixel: fit for the speckle of an amorphous film, shape (Y, X).

    Parameters are those of :func:`render_columns`, with one intensity and one width for all.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
    intensity : float
        Height of each Gaussian.
    sigma : float, px
        Standard deviation.
    shape : tuple of int
    """
    edges = [np.arange(n + 1) - 0.5 for n in shape]
    counts = np.histogram2d(positions[:, 0], positions[:, 1], bins=edges)[0]
    return gaussian_filter(intensity * counts, sigma, mode="nearest")


def _pixel_shares(centres: np.ndarray, widths: np.ndarray, count: int) -> np.ndarray:
    """Share of each Gaussian that falls into each pixel of one axis, shape (N, count)."""
    edges = np.arange(count + 1) - 0.5
    return np.diff(ndtr((edges - centres[:, None]) / widths[:, None]), axis=1)
