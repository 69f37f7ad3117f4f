"""How well a column's position is known: Fisher information of its pixels, with the neighbours' share taken off."""

from __future__ import annotations

import numpy as np

from napari_atomseg.localise.least_squares import residuals
from napari_atomseg.localise.windows import HEIGHT, SIGMA, Windows, X, Y, pairs_of

RIDGE = 1e-9


def cramer_rao_bound(
    sigma: float, height: float, background: float, *, pixel_variance: float | None = None, gain: float = 1.0, radius: float = 4.0
) -> float:
    """Smallest standard deviation, per axis in px, with which a lone Gaussian column can be located.

    Parameters
    ----------
    sigma : float
        Width of the column, px.
    height, background : float
        Intensities.
    pixel_variance : float, optional
        Variance of every pixel; by default that of counting noise, `gain` times the expected intensity.
    gain : float
        Variance for each unit of intensity.
    radius : float
        Radius of the window in units of sigma.

    Notes
    -----
    Height, background and width are taken for known; they do not correlate with the position of a column in the
    middle of its window. Without background and with counting noise it is sigma / sqrt(counts) (Bettens et al.,
    Ultramicroscopy 77, 37 (1999), Eq. 27).
    """
    reach = int(np.ceil(radius * sigma))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    shape = np.exp(-(y**2 + x**2) / (2 * sigma**2))
    expected = background + height * shape
    variance = gain * np.maximum(expected, 1e-300) if pixel_variance is None else np.full_like(expected, pixel_variance)
    inside = np.hypot(y, x) <= reach
    slope = height * shape * x / sigma**2
    return float(1 / np.sqrt(np.sum((slope**2 / variance)[inside])))


def covariances(
    windows: Windows, others: np.ndarray, model: np.ndarray, chunk: np.ndarray, pairs: np.ndarray, informations: np.ndarray
) -> np.ndarray:
    """Covariance of (y, x) of each column of a chunk, shape (N, 2, 2), px squared.

    Parameters
    ----------
    windows : Windows
        Of the chunk; weights squared are inverse variances.
    others : ndarray, shape (N, P)
        What the neighbours give.
    model : ndarray, shape (M, 5)
        Of all columns.
    chunk : ndarray of int, shape (N,)
        The columns of the windows, ascending.
    pairs : ndarray of int, shape (K, 2)
        Ordered pairs of columns that reach into each other's windows.
    informations : ndarray, shape (M, F, F)
        :func:`own_information` of all columns, for what the neighbours' own windows know of them.

    Notes
    -----
    With H the information of the column, G that of a neighbour and C their cross term, the column knows H - C G^-1 C^T
    if the neighbour is unknown (Schur complement). Neighbours of neighbours are taken for known.
    """
    derivatives = _without_level(windows, _derivatives(windows, others, model[chunk], informations.shape[1]))
    left = informations[chunk].copy()
    own, other = pairs_of(chunk, pairs)
    present = model[other, HEIGHT] != 0
    own, other = own[present], other[present]
    theirs = _without_level(windows[own], _derivatives(windows[own], others[own], model[other], 3))
    cross = derivatives[own].transpose(0, 2, 1) @ theirs
    shared = np.einsum("nij,njk,nlk->nil", cross, np.linalg.pinv(informations[other][:, :3, :3], hermitian=True), cross)
    np.subtract.at(left, own, np.where(np.isfinite(shared), shared, 0.0))
    # Where little is left the neighbours cannot be told apart; the column alone is then the better statement.
    values = np.linalg.eigvalsh(_finite(left))
    known = np.asarray((values > 0).all(axis=1))
    left = np.where(known[:, None, None], left, informations[chunk])
    return np.asarray(np.linalg.pinv(_finite(left), hermitian=True)[:, :2, :2])


def own_information(windows: Windows, others: np.ndarray, model: np.ndarray, with_width: bool) -> np.ndarray:
    """Fisher information of (y, x, height) or (y, x, height, width) in each window, its level unknown; (N, F, F)."""
    derivatives = _without_level(windows, _derivatives(windows, others, model, 4 if with_width else 3))
    information = derivatives.transpose(0, 2, 1) @ derivatives
    diagonal = np.einsum("nii->ni", information)
    return np.asarray(information + RIDGE * diagonal[:, None, :] * np.eye(information.shape[1]))


def _derivatives(windows: Windows, others: np.ndarray, model: np.ndarray, count: int) -> np.ndarray:
    return residuals(windows, others, model, np.array([Y, X, HEIGHT, SIGMA][:count]))[1]


def _without_level(windows: Windows, derivatives: np.ndarray) -> np.ndarray:
    """Derivatives with the part that a change of the local level could make as well projected out."""
    weight = windows.weight[:, :, None]
    total = np.maximum(np.sum(weight**2, axis=1), 1e-300)
    return np.asarray(derivatives - weight * (np.sum(weight * derivatives, axis=1) / total)[:, None, :])


def _finite(matrices: np.ndarray) -> np.ndarray:
    usable = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    return np.where(usable[:, None, None], matrices, 0.0)
