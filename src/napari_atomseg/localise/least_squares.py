"""Levenberg-Marquardt for many small Gaussian fits at once, with analytic derivatives."""

from __future__ import annotations

import numpy as np

from napari_atomseg.localise.windows import HEIGHT, LEVEL, SIGMA, Windows, X, Y, profile

CONVERGED = 1e-4
"""Largest last step of a position, in units of sigma, that counts as converged."""
POSITION_AND_HEIGHT = np.array([Y, X, HEIGHT, LEVEL])
EVERYTHING = np.array([Y, X, SIGMA, HEIGHT, LEVEL])


def fit(
    windows: Windows, others: np.ndarray, model: np.ndarray, which: np.ndarray, steps: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Fit one Gaussian on a flat background in each window.

    Parameters
    ----------
    windows : Windows
        N windows of P pixels; residuals are multiplied by their weights.
    others : ndarray, shape (N, P)
        What the neighbours give, taken away first.
    model : ndarray, shape (N, 5)
        Start.
    which : ndarray of int
        The parameters that are free.
    steps : int
        At most so many.

    Returns
    -------
    model : ndarray, shape (N, 5)
    moved : ndarray, shape (N,)
        Last step of the position in units of sigma.
    """
    current = model.copy()
    damping = np.full(len(model), 1e-3)
    moved = np.full(len(model), np.inf)
    residual, jacobian = residuals(windows, others, current, which)
    cost = np.sum(residual**2, axis=1)
    for _ in range(steps):
        active = np.flatnonzero(moved > CONVERGED)
        if len(active) == 0:
            break
        trial, step = _trial(current[active], model[active], residual[active], jacobian[active], damping[active], which)
        new_residual, new_jacobian = residuals(windows[active], others[active], trial, which)
        new_cost = np.sum(new_residual**2, axis=1)
        better = np.isfinite(new_cost) & (new_cost <= cost[active])
        kept = active[better]
        moved[kept] = np.max(np.abs(step[better][:, :2]), axis=1) / trial[better, SIGMA]
        current[kept], cost[kept] = trial[better], new_cost[better]
        residual[kept], jacobian[kept] = new_residual[better], new_jacobian[better]
        damping[active] = np.where(better, damping[active] / 5, damping[active] * 8)
        # Where rounding lets no step improve the fit any more, the minimum is reached.
        small = np.max(np.abs(step[:, :2]), axis=1) < CONVERGED * trial[:, SIGMA]
        moved[active[~better & (small | (damping[active] > 1e6))]] = 0.0
    return current, moved


def residuals(windows: Windows, others: np.ndarray, model: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted residuals (N, P) and derivatives of the model (N, P, len(which))."""
    dy = windows.y - model[:, Y, None]
    dx = windows.x - model[:, X, None]
    sigma, height = model[:, SIGMA, None], model[:, HEIGHT, None]
    shape = profile(windows, model)
    residual = windows.weight * (windows.values - others - height * shape - model[:, LEVEL, None])
    slope = windows.weight * height * shape / sigma**2
    every = {
        Y: slope * dy,
        X: slope * dx,
        SIGMA: slope * (dy**2 + dx**2) / sigma,
        HEIGHT: windows.weight * shape,
        LEVEL: windows.weight,
    }
    return residual, np.stack([every[int(name)] for name in which], axis=2)


def heights_and_levels(windows: Windows, others: np.ndarray, model: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best height and level of each window for the position and width as they are, and the height's information.

    Each has shape (N,); the information is the inverse variance of the height if `windows.weight` squared is the
    inverse variance of each pixel.
    """
    weight = windows.weight**2
    shape = profile(windows, model)
    data = windows.values - others
    total, first, second = weight.sum(axis=1), (weight * shape).sum(axis=1), (weight * shape**2).sum(axis=1)
    constant, along = (weight * data).sum(axis=1), (weight * shape * data).sum(axis=1)
    determinant = total * second - first**2
    usable = determinant > 1e-12 * np.maximum(total * second, 1e-300)
    safe = np.where(usable, determinant, 1.0)
    height = np.where(usable, (total * along - first * constant) / safe, 0.0)
    level = np.where(usable, (second * constant - first * along) / safe, 0.0)
    return height, level, np.where(usable, safe / np.maximum(total, 1e-300), 0.0)


def significances(windows: Windows, model: np.ndarray) -> np.ndarray:
    """Height of each column over its standard deviation, all else known, shape (N,); weights as inverse deviations."""
    return np.asarray(np.abs(model[:, HEIGHT]) * np.sqrt(np.sum((windows.weight * profile(windows, model)) ** 2, axis=1)))


def _trial(
    current: np.ndarray, start: np.ndarray, residual: np.ndarray, jacobian: np.ndarray, damping: np.ndarray, which: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    turned = jacobian.transpose(0, 2, 1)
    normal = turned @ jacobian
    gradient = (turned @ residual[:, :, None])[:, :, 0]
    step = damped_solution(normal, gradient, damping)
    # A position may not leap out of its window in one step, nor a width leave its scale.
    step[:, :2] = np.clip(step[:, :2], -start[:, SIGMA, None], start[:, SIGMA, None])
    trial = current.copy()
    trial[:, which] += step
    trial[:, SIGMA] = np.clip(trial[:, SIGMA], 0.3 * start[:, SIGMA], 3 * start[:, SIGMA])
    return trial, step


def damped_solution(normal: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Marquardt's step, scaled by the diagonal; zero where nothing can be solved."""
    size = normal.shape[1]
    diagonal = np.einsum("nii->ni", normal)
    solvable = np.isfinite(diagonal) & (diagonal > 0)
    scale = np.sqrt(np.where(solvable, diagonal, 1.0))
    scaled = normal / (scale[:, :, None] * scale[:, None, :])
    scaled = np.where(np.isfinite(scaled), scaled, 0.0) + (damping[:, None, None] + 1e-12) * np.eye(size)
    scaled += (~solvable)[:, :, None] * np.eye(size)
    right = np.where(np.isfinite(gradient), gradient, 0.0) / scale
    return np.asarray(np.linalg.solve(scaled, right[:, :, None])[:, :, 0] / scale)
