"""Displacements of single scan rows, told from how the columns that they cross are broken up.

A row that was written while probe and specimen shook against each other shows its part of every column displaced alike.
Against the smooth columns of the fit that can be seen row by row (as in Jones & Nellist, Microsc. Microanal. 19, 1050
(2013), who use a whole image). What several rows have in common moves their columns as a whole, and cannot be told here.
"""

from __future__ import annotations

import numpy as np

from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL
from napari_atomseg.localise.refinement.windows import add_columns

COVERED = 0.1
"""Pixels where columns give less than this share of the usual height tell nothing of their place."""
SEEN = 1.5
"""Rows are taken to be displaced if their displacements vary so many times more than their errors explain."""
MEDIAN_OF_SQUARES = 0.455


def estimate_row_shifts(problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Displacement of each row, from a fit that already takes up those of `problem.shifts`.

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns of the model together.
    model : ndarray, shape (N, 8)

    Returns
    -------
    ndarray, shape (Y, 2), px, (y, x)
        Shrunk towards 0 as the ratio of its variance to that of its error asks for; 0 all over if nothing is to be seen.
    """
    before = np.zeros((len(canvas), 2)) if problem.shifts is None else problem.shifts
    there = np.flatnonzero((model[:, HEIGHT] != 0) & np.isfinite(model).all(axis=1))
    if len(there) == 0:
        return before
    usual = float(np.median(np.abs(model[there, HEIGHT])))
    level = _levels(problem, model, there)
    covered = (np.abs(canvas) > COVERED * usual) & problem.valid
    residual = problem.image - canvas - level
    variance = problem.image_variance(canvas + level)
    if not covered.any():
        return before
    surplus = max(1.0, float(np.median(residual[covered] ** 2 / variance[covered])) / MEDIAN_OF_SQUARES)
    weight = covered / (surplus * variance)
    slopes = -np.stack(np.gradient(canvas))
    normal = np.einsum("kyx,lyx,yx->ykl", slopes, slopes, weight)
    right = np.einsum("kyx,yx,yx->yk", slopes, residual, weight)
    # A row that is further displaced by d is brighter by d times the slope.
    crossed = np.linalg.det(normal) > 1e-6 * np.prod(np.median(np.einsum("ykk->yk", normal), axis=0) + 1e-300)
    if crossed.sum() < 3:
        return before
    change = np.linalg.solve(normal[crossed], right[crossed][:, :, None])[:, :, 0]
    total = before[crossed] + change
    error = np.linalg.inv(normal[crossed])
    variances = np.einsum("ykk->yk", error)
    size = np.median(total**2, axis=0) / MEDIAN_OF_SQUARES - np.median(variances, axis=0)
    found = np.zeros_like(before)
    known = size > (SEEN - 1) * np.median(variances, axis=0)
    if known.any():
        precision = np.diag(1 / np.where(known, size, 1e-12))
        shrunk = np.linalg.solve(normal[crossed] + precision, normal[crossed] @ total[:, :, None])[:, :, 0]
        found[crossed] = np.where(known, shrunk, 0.0)
    return found


def _levels(problem: RefinementProblem, model: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Background under the columns, shape (Y, X): that of the columns that reach there, weighted by what they give."""
    levels, weights = np.zeros(problem.image.shape), np.full(problem.image.shape, 1e-12)
    for chunk in problem.chunks(there):
        windows = problem.windows(chunk)
        part = model[chunk].copy()
        part[:, HEIGHT] = 1.0
        shares = windows.columns(part)
        add_columns(weights, windows, shares)
        add_columns(levels, windows, shares * part[:, LEVEL, None].astype(np.float32))
    return np.asarray(levels / weights)
