"""What a wrong model does to the uncertainties: residuals beyond noise, where they are as smooth as what displaces a column.

Fisher information knows noise alone. A neighbour that nobody saw, a slope, a profile that is no Gaussian leave residuals too.
At its minimum a fit leaves none along the displacement of a column itself, so that its error cannot be read there; but what
displaces it also tilts, stretches and bends what is left around it. Noise has the same power in each of these shapes; what they
hold beyond it is taken for the power that the displacement holds as well.
"""

from __future__ import annotations

import numpy as np

from napari_atomseg.localise.refinement.least_squares import WindowProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, X, Y

SLOPES, SHAPES = 2, 8
"""A slope along y and x, a dipole that turns round, two quadrupoles and two hexapoles."""
ALIKE = 30
"""Columns of about one height are believed to be off alike: so many are averaged."""
SAMPLE = 3000
"""Columns that are looked at, at most."""
WILDEST = 20.0
"""No column counts for more than so many times the usual power."""
WEIGHTS_READ_OFF = 1.08
"""Variances are that much larger than the Fisher information says where the model is right, since noise level, background and
width are read from the same image (mean of 18 structures and four doses)."""


def sampled_rows(model: np.ndarray) -> np.ndarray:
    """Columns (ascending rows) of a model (N, 8) to be looked at: all, or a bounded number, of all heights alike."""
    there = np.flatnonzero(model[:, HEIGHT] != 0)
    ranked = there[np.argsort(np.abs(model[there, HEIGHT]), kind="stable")]
    return np.sort(ranked[:: max(1, -(-len(ranked) // SAMPLE))])


def power_beyond_noise(task: WindowProblem, model: np.ndarray, shapes: int = SHAPES) -> np.ndarray:
    """Mean power of the residuals of each window in shapes that a column displaced by a wrong model leaves.

    Parameters
    ----------
    task : WindowProblem
        Windows whose residuals are weighted by the inverse standard deviation of each pixel.
    model : ndarray, shape (N, 8)
        The fitted column of each window; see :mod:`.shape`.
    shapes : int
        How many of the eight are looked at, slopes first.

    Returns
    -------
    ndarray, shape (N,), in units of the noise
        Of each shape; 1 is expected of noise alone.
    """
    own = (Y, X, HEIGHT, SIGMA)
    residual, slopes = task.linearised(model, own)
    both = np.concatenate([slopes, task.without_background(_shapes(task, model)[:, :shapes])], axis=1)
    return np.maximum(_explained(both, residual) - _explained(slopes, residual), 0.0) / shapes


def inflation(model: np.ndarray, rows: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Factor on the variances of all columns, from what some of them have beyond noise; columns of like height are off alike.

    Parameters
    ----------
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    rows : ndarray of int, shape (M,)
        Columns that were looked at.
    power : ndarray, shape (M,), in units of the noise
        Of :func:`power_beyond_noise`.

    Returns
    -------
    ndarray, shape (N,)
        1.08 where the model is right, more elsewhere.
    """
    factor = np.full(len(model), WEIGHTS_READ_OFF)
    if len(rows) == 0:
        return factor
    height = np.abs(model[rows, HEIGHT])
    order = np.argsort(height, kind="stable")
    limited = np.minimum(power, WILDEST * max(float(np.median(power)), 1.0))[order]
    number = min(ALIKE, len(rows))
    total = np.concatenate([[0.0], np.cumsum(limited)])
    first = np.clip(np.arange(len(rows)) - number // 2, 0, len(rows) - number)
    pooled = (total[first + number] - total[first]) / number
    by_chance = np.sqrt(2 / (SHAPES * number))
    factor += np.interp(np.abs(model[:, HEIGHT]), height[order], np.maximum(pooled - 1.0 - by_chance, 0.0))
    return factor


def _shapes(task: WindowProblem, model: np.ndarray) -> np.ndarray:
    """Weighted shapes (N, 8, P): slopes, then products of a Gaussian of the column's width with polynomials."""
    dy, dx = task.windows.distances(model)
    sigma = model[:, SIGMA, None].astype(np.float32)
    v, u = dy / sigma, dx / sigma
    squared = u * u + v * v
    bell = np.exp(-squared / 2)
    found = [v, u, bell * v * squared, bell * u * squared, bell * (v * v - u * u), bell * u * v]
    found += [bell * v * (v * v - 3 * u * u), bell * u * (u * u - 3 * v * v)]
    return np.asarray(np.stack(found, axis=1) * task.windows.weight[:, None])


def _explained(functions: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Squared length of the part of residuals (N, P) that functions (N, F, P) can make, shape (N,)."""
    products = (functions @ functions.transpose(0, 2, 1)).astype(np.float64)
    along = np.einsum("nfp,np->nf", functions, residual, dtype=np.float64)
    scale = 1 / np.sqrt(np.maximum(np.einsum("nii->ni", products), 1e-30))
    scaled = products * scale[:, :, None] * scale[:, None, :] + 1e-6 * np.eye(products.shape[1])
    along = along * scale
    return np.asarray(np.einsum("nf,nf->n", along, np.linalg.solve(scaled, along[..., None])[..., 0]))
