"""Move a hand-placed point to the column under it."""

from __future__ import annotations

import numpy as np

from napari_atomseg.localise.detection.repair import repair
from napari_atomseg.localise.refinement.least_squares import fit, window_problem
from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, X, Y, blank_model
from napari_atomseg.localise.refinement.state import is_diverged
from napari_atomseg.localise.refinement.windows import cut, window_offsets

REACH_IN_SIGMA = 2.0
WINDOW_IN_SIGMA = 2.0
"""Radius of what is fitted: a neighbour three widths away hardly enters it."""


def snap_positions(image: np.ndarray, positions: np.ndarray, sigma: float, sign: float = 1.0) -> np.ndarray:
    """Centres of the columns nearest to the given points.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    positions : ndarray, shape (N, 2), px, (y, x)
        Where the hand clicked.
    sigma : float
        Width of the columns, px; a point moves by at most two sigma, else it stays.
    sign : float
        +1 for bright columns, -1 for dark ones.

    Returns
    -------
    ndarray, shape (N, 2), px, (y, x)
    """
    return np.array([_snap_one(image, np.asarray(point, float), sigma, sign) for point in positions]).reshape(-1, 2)


def _snap_one(image: np.ndarray, point: np.ndarray, sigma: float, sign: float) -> np.ndarray:
    """Climb to the local centre of gravity, then fit; whatever leaves the reach is not believed."""
    if not np.isfinite(point).all():
        return point
    reach = max(2, int(np.ceil((REACH_IN_SIGMA + 3) * sigma)))
    corner = np.maximum(np.floor(point).astype(int) - reach, 0)
    patch = np.asarray(image[corner[0] : corner[0] + 2 * reach + 1, corner[1] : corner[1] + 2 * reach + 1], dtype=float)
    if patch.size == 0:
        return point
    repaired, valid = repair(patch)
    values = sign * repaired.astype(float)
    y, x = np.mgrid[: patch.shape[0], : patch.shape[1]]
    at = point - corner
    for _ in range(20):
        near = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * (1.2 * sigma) ** 2))
        window = (y - at[0]) ** 2 + (x - at[1]) ** 2 <= (2 * sigma) ** 2
        if not window.any():
            return point
        weight = near * np.maximum(values - np.quantile(values[window], 0.1), 0)
        total = weight.sum()
        if total <= 0:
            return point
        step = np.array([(weight * y).sum(), (weight * x).sum()]) / total - at
        at = at + step
        if np.hypot(*step) < 1e-2 * sigma:
            break
    moved = _fitted(values, valid, at, sigma) + corner
    return np.asarray(moved if np.hypot(*(moved - point)) <= REACH_IN_SIGMA * sigma else point)


def _fitted(values: np.ndarray, valid: np.ndarray, at: np.ndarray, sigma: float) -> np.ndarray:
    """Centre of one bright Gaussian on a flat level near `at`; `at` itself where the fit goes astray.

    A whole refinement would take ten times as long, which a hand that clicks would feel.
    """
    start = blank_model(1)
    start[0, [Y, X, SIGMA, HEIGHT]] = *at, sigma, np.ptp(values)
    windows = cut(values - values.mean(), valid, at[None], window_offsets(max(2.5, WINDOW_IN_SIGMA * sigma)))
    found, _ = fit(window_problem(windows, np.zeros_like(windows.values), "local"), start, (Y, X, HEIGHT))
    return at if is_diverged(found, start, 1.0)[0] else found[0, [Y, X]]
