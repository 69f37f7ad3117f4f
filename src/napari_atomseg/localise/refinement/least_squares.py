"""Levenberg-Marquardt for many small fits at once, with analytic derivatives and the background eliminated.

The background of a window is linear in its coefficients, so that it is taken out of residuals and derivatives by a
projection (variable projection, Golub & Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)) instead of being fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_atomseg.localise.refinement.shape import FLATTEST, HEIGHT, LEVEL, SIGMA, SLANT, STRETCH, TAIL, X, Y, derivatives
from napari_atomseg.localise.refinement.windows import Windows

CONVERGED = 1e-4
"""Largest last step of a position, in units of sigma, that counts as converged."""
PLACE = (Y, X)


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowProblem:
    """Windows with what is known of them while their columns are fitted.

    Attributes
    ----------
    windows : Windows
        N windows of P pixels; residuals are multiplied by their weights.
    others : ndarray, shape (N, P)
        What the neighbours give.
    basis : ndarray, shape (N, B, P)
        Orthonormal functions, weighted, that the background is made of; none if it is known.
    """

    windows: Windows
    others: np.ndarray
    basis: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> WindowProblem:
        return WindowProblem(windows=self.windows[rows], others=self.others[rows], basis=self.basis[rows])

    def without_background(self, weighted: np.ndarray) -> np.ndarray:
        """The part of weighted functions (N, F, P) that no background can make."""
        if self.basis.shape[1] == 0:
            return weighted
        background = (weighted @ self.basis.transpose(0, 2, 1)) @ self.basis
        return np.asarray(np.subtract(weighted, background, out=background))

    def linearised(self, model: np.ndarray, which: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Residuals and derivatives of the model, both weighted and without what the background can make.

        Parameters
        ----------
        model : ndarray, shape (N, 8)
            One column a row; see :mod:`.shape`.
        which : tuple of int, length F
            Parameters that derivatives are taken by.

        Returns
        -------
        residual : ndarray, shape (N, P)
            Data less model.
        slopes : ndarray, shape (N, F, P)
        """
        weight = self.windows.weight
        shape, slopes = derivatives(*self.windows.distances(model), model, which)
        height, level = model[:, HEIGHT, None].astype(np.float32), model[:, LEVEL, None].astype(np.float32)
        residual = self.windows.values - self.others
        residual -= height * shape
        residual -= level
        residual *= weight
        slopes *= weight[:, None]
        if self.basis.shape[1] == 0:
            return residual, slopes
        return self.without_background(residual[:, None])[:, 0], self.without_background(slopes)

    def levels(self, model: np.ndarray) -> np.ndarray:
        """Background at the centre of each window for the columns as they are, shape (N,); as it was where it is known."""
        if self.basis.shape[1] == 0:
            return np.asarray(model[:, LEVEL])
        weight = self.windows.weight
        left = weight * (self.windows.values - self.others - self.windows.columns(model))
        functions = _functions(self.windows, self.basis.shape[1])
        fitted = ((left[:, None] @ self.basis.transpose(0, 2, 1)) @ self.basis)[:, 0]
        weighted = functions * weight[:, None]
        normal = (weighted @ weighted.transpose(0, 2, 1)).astype(np.float64)
        right = (weighted @ fitted[:, :, None])[:, :, 0].astype(np.float64)
        return damped_solution(normal, right, np.zeros(len(model)))[:, 0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prior:
    """What is expected of the free parameters before the image is looked at, each of shape (F,); spread may be infinite."""

    usual: np.ndarray
    spread: np.ndarray


def window_problem(windows: Windows, others: np.ndarray, background: str) -> WindowProblem:
    """What is known of windows while their columns are fitted.

    Parameters
    ----------
    windows : Windows
        N windows of P pixels, with their weights.
    others : ndarray, shape (N, P)
        What all other columns give in each window.
    background : {"local", "tilted", "shared"}
        A flat level in each window, a tilted plane, or a level that is known.

    Returns
    -------
    WindowProblem
    """
    count = {"local": 1, "tilted": 3, "shared": 0}[background]
    return WindowProblem(windows=windows, others=others, basis=_orthonormal(_functions(windows, count) * windows.weight[:, None]))


def fit(
    task: WindowProblem,
    model: np.ndarray,
    which: tuple[int, ...],
    steps: int = 12,
    prior: Prior | None = None,
    rest: float = CONVERGED,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit one column in each window.

    Parameters
    ----------
    task : WindowProblem
        N windows of P pixels.
    model : ndarray, shape (N, 8)
        Start.
    which : tuple of int
        The parameters that are free, the position first.
    steps : int
        At most so many.
    prior : Prior, optional
    rest : float
        Columns whose last step, in units of sigma, was smaller are left alone.

    Returns
    -------
    model : ndarray, shape (N, 8)
    moved : ndarray, shape (N,)
        Last step of the position in units of sigma.
    """
    current = model.copy()
    damping = np.full(len(model), 1e-3)
    moved = np.full(len(model), np.inf)
    normal, gradient, cost = _equations(task, current, which, prior)
    for _ in range(steps):
        active = np.flatnonzero(moved > rest)
        if len(active) == 0:
            break
        part = task if len(active) == len(model) else task[active]
        step = damped_solution(normal[active], gradient[active], damping[active])
        trial, step = stepped(current[active], model[active], step, which)
        new_normal, new_gradient, new_cost = _equations(part, trial, which, prior)
        better = np.isfinite(new_cost) & (new_cost <= cost[active])
        kept = active[better]
        moved[kept] = np.max(np.abs(step[better][:, :2]), axis=1) / trial[better, SIGMA]
        current[kept], cost[kept] = trial[better], new_cost[better]
        normal[kept], gradient[kept] = new_normal[better], new_gradient[better]
        damping[active] = np.where(better, damping[active] / 5, damping[active] * 8)
        # Where rounding lets no step improve the fit any more, the minimum is reached.
        small = np.max(np.abs(step[:, :2]), axis=1) < rest * trial[:, SIGMA]
        moved[active[~better & (small | (damping[active] > 1e6))]] = 0.0
    current[:, LEVEL] = task.levels(current)
    return current, moved


def stepped(current: np.ndarray, start: np.ndarray, step: np.ndarray, which: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A model after a step, which is cut where it would leap out of its window, or leave its scale.

    Parameters
    ----------
    current : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    start : ndarray, shape (N, 8)
        The model to begin with: no step along y or x is longer than its sigma, and sigma stays at 0.3 to 3 times its sigma.
    step : ndarray, shape (N, F)
        Added to the parameters `which`, of which y and x are the first.
    which : tuple of int, length F

    Returns
    -------
    trial : ndarray, shape (N, 8)
        With a tail of 0 to 0.95, and axes that differ by no more than a factor 4.4.
    step : ndarray, shape (N, F)
        With the steps of positions as they were cut.
    """
    width = start[:, SIGMA, None]
    step = step.copy()
    step[:, :2] = np.clip(step[:, :2], -width, width)
    trial = current.copy()
    trial[:, list(which)] += step
    trial[:, SIGMA] = np.clip(trial[:, SIGMA], 0.3 * start[:, SIGMA], 3 * start[:, SIGMA])
    trial[:, TAIL] = np.clip(trial[:, TAIL], 0.0, 0.95)
    flatness = np.hypot(trial[:, STRETCH], trial[:, SLANT])
    trial[:, STRETCH : SLANT + 1] *= np.minimum(1.0, FLATTEST / np.maximum(flatness, FLATTEST))[:, None]
    return trial, step


def heights_and_levels(windows: Windows, others: np.ndarray, model: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best height and flat level of each window for the position and shape as they are, and the height's information.

    Each has shape (N,); the information is the inverse variance of the height if `windows.weight` squared is the
    inverse variance of each pixel.

    Parameters
    ----------
    windows : Windows
        N windows of P pixels, with their weights.
    others : ndarray, shape (N, P)
        What all other columns give in each window.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`. Its height and level are not used.

    Returns
    -------
    height, level : ndarray, shape (N,)
        In intensities; 0 where the window cannot tell one from the other.
    information : ndarray, shape (N,)
    """
    weight = windows.weight**2
    shape = windows.columns(of_unit_height(model))
    data = windows.values - others
    sums = np.stack([weight, weight * shape, weight * shape**2, weight * data, weight * shape * data]).sum(
        axis=2, dtype=np.float64
    )
    total, first, second, constant, along = sums
    determinant = total * second - first**2
    usable = determinant > 1e-6 * np.maximum(total * second, 1e-300)
    safe = np.where(usable, determinant, 1.0)
    height = np.where(usable, (total * along - first * constant) / safe, 0.0)
    level = np.where(usable, (second * constant - first * along) / safe, 0.0)
    return height, level, np.where(usable, safe / np.maximum(total, 1e-300), 0.0)


def significances(windows: Windows, model: np.ndarray) -> np.ndarray:
    """Height of each column over its standard deviation, all else known.

    Parameters
    ----------
    windows : Windows
        Whose weights are inverse standard deviations of the pixels.
    model : ndarray, shape (N, 8)
        The column of each window; see :mod:`.shape`.

    Returns
    -------
    ndarray, shape (N,)
        Positive for dark columns too.
    """
    return np.asarray(np.sqrt(np.sum((windows.weight * windows.columns(model)) ** 2, axis=1, dtype=np.float64)))


def of_unit_height(model: np.ndarray) -> np.ndarray:
    """The same columns, all of height 1."""
    unit = model.copy()
    unit[:, HEIGHT] = 1.0
    return unit


def damped_solution(normal: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Marquardt's step, scaled by the diagonal; zero where nothing can be solved.

    Parameters
    ----------
    normal : ndarray, shape (N, F, F)
        Normal matrices.
    gradient : ndarray, shape (N, F)
        Derivatives of the model times residuals, data less model.
    damping : ndarray, shape (N,)
        Added to the diagonal, in units of itself; 0 for the step of Gauss and Newton.

    Returns
    -------
    ndarray, shape (N, F)
        To be added to the parameters.
    """
    size = normal.shape[1]
    diagonal = np.einsum("nii->ni", normal)
    solvable = np.isfinite(diagonal) & (diagonal > 0)
    scale = np.sqrt(np.where(solvable, diagonal, 1.0))
    scaled = normal / (scale[:, :, None] * scale[:, None, :])
    scaled = np.where(np.isfinite(scaled), scaled, 0.0) + (damping[:, None, None] + 1e-9) * np.eye(size)
    scaled += (~solvable)[:, :, None] * np.eye(size)
    right = np.where(np.isfinite(gradient), gradient, 0.0) / scale
    return np.asarray(np.linalg.solve(scaled, right[:, :, None])[:, :, 0] / scale)


def _equations(
    task: WindowProblem, model: np.ndarray, which: tuple[int, ...], prior: Prior | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal matrices (N, F, F), gradients (N, F) and costs (N,)."""
    # A trial out of all bounds is turned down for its cost.
    with np.errstate(over="ignore", invalid="ignore"):
        residual, slopes = task.linearised(model, which)
        normal = (slopes @ slopes.transpose(0, 2, 1)).astype(np.float64)
        gradient = (slopes @ residual[:, :, None])[:, :, 0].astype(np.float64)
    cost = np.einsum("np,np->n", residual, residual, dtype=np.float64)
    if prior is not None:
        precision = 1 / prior.spread**2
        unusual = prior.usual - model[:, list(which)]
        normal += np.diag(precision)
        gradient += precision * unusual
        cost += unusual**2 @ precision
    return normal, gradient, cost


def _functions(windows: Windows, count: int) -> np.ndarray:
    """1, y and x of each pixel from the middle of its window, the latter two scaled; the first `count`, shape (B, P)."""
    reach = max(1.0, float(np.abs(windows.offsets).max(initial=0)))
    ones = np.ones((1, len(windows.offsets)), np.float32)
    return np.concatenate([ones, windows.offsets.T / reach]).astype(np.float32)[:count]


def _orthonormal(functions: np.ndarray) -> np.ndarray:
    """Functions (N, B, P) made orthonormal one after the other; zero where one is no news."""
    found = np.zeros_like(functions)
    for place in range(functions.shape[1]):
        left = functions[:, place]
        # Twice is enough against rounding (Gram & Schmidt after Kahan and Parlett).
        for _ in range(2 if place else 0):
            left = left - ((left[:, None] @ found.transpose(0, 2, 1)) @ found)[:, 0]
        norm = np.sqrt(np.einsum("np,np->n", left, left, dtype=np.float64))
        whole = np.sqrt(np.einsum("np,np->n", functions[:, place], functions[:, place], dtype=np.float64))
        news = norm > 1e-4 * whole
        found[:, place] = np.where(news[:, None], left / np.where(news, norm, 1.0)[:, None], 0.0)
    return found
