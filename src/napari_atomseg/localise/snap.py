"""Move a hand-placed point to the column under it."""

from __future__ import annotations

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.detection.repair import repair
from napari_atomseg.localise.refinement.refine import refine_columns

REACH_IN_SIGMA = 2.0


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
    values = sign * repair(patch)[0].astype(float)
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
    fitted = run(refine_columns(patch, Columns(positions=at[None]).with_features(sigma_px=[sigma])))
    if fitted.features["fit"].iloc[0] != "failed":
        at = fitted.positions[0]
    moved = at + corner
    return np.asarray(moved if np.hypot(*(moved - point)) <= REACH_IN_SIGMA * sigma else point)
