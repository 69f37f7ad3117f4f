"""Refine column positions: a two-dimensional Gaussian on a flat local background, fitted to all columns in batches.

Each column is fitted in a round window on the raw image after the current models of its neighbours have been taken
away, a few times in turn, so that overlapping columns do not pull at each other (block Gauss-Seidel on the joint
least-squares problem of De Backer et al., Ultramicroscopy 171, 104 (2016), Eq. 1). Standard deviations come from the
least-squares covariance with the residual variance of the window.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from scipy import spatial

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.localise.repair import repair
from napari_atomseg.localise.scale import estimate_scale

CHUNK_VALUES = 400_000
"""Window pixels treated at once; bounds memory to some tens of MB."""
Y, X, SIGMA, HEIGHT, LEVEL = range(5)
CONVERGED = 1e-4
"""Largest last step of a position, in units of sigma, that counts as converged."""
AT_REST = 1e-3
"""A column that changes by less in a round, relative to its width or height, needs no further one."""
REST_IN_STD = 0.05
OVERLAP_IN_SIGMA = 4.0
"""Columns nearer than this pull at each other."""
FULL_ROUNDS = 2
"""So many rounds are made with all columns."""


@dataclass(frozen=True, kw_only=True)
class RefineParams:
    """How columns are refined.

    Attributes
    ----------
    width : str
        Each column its own width, or one shared by all (the median), which is steadier where columns overlap.
    window : float
        Smallest radius of the fitted window in units of the column's sigma; wider where columns stand apart.
    rounds : int
        How often neighbours are taken away anew, at most; columns at rest are left alone.
    """

    width: Literal["each", "shared"] = "each"
    window: Annotated[float, Quantity(low=1, high=5, decimals=1)] = 2.5
    rounds: Annotated[int, Quantity(low=1, high=20)] = 20

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Pixels around each column of a chunk.

    Attributes
    ----------
    y, x : ndarray of int, shape (N, P)
        Pixel coordinates; those outside the image are clipped and have no weight.
    values : ndarray, shape (N, P)
        Intensities.
    weight : ndarray, shape (N, P)
        1 inside the image and on a valid pixel, else 0.
    """

    y: np.ndarray
    x: np.ndarray
    values: np.ndarray
    weight: np.ndarray


def refine_columns(image: np.ndarray, columns: Columns, params: RefineParams | None = None) -> Generator[Progress, None, Columns]:
    """Fit every column of one image again.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Raw intensities; NaN allowed.
    columns : Columns
        Of this image alone (one frame); `sigma_px` serves as a start where known.
    params : RefineParams

    Yields
    ------
    Progress
        One for each chunk of columns and round.

    Returns
    -------
    Columns
        Same order and number. `fit` is `ok`, `border` (part of the window lies outside), `overlap` (a neighbour within
        1.5 sigma) or `failed`; a failed column keeps its earlier position, height and width. `intensity` is the height
        above the `background`, negative for dark columns. `y_std_px`, `x_std_px` are one standard deviation.
    """
    params = params or RefineParams()
    if len(columns) == 0:
        return columns
    yield Progress(0, 0, "preparing")
    repaired, valid = repair(image)
    start = _starting_values(repaired, columns)
    radius = _window_radius(start, params.window)
    offsets = _window_offsets(radius)
    size = max(1, CHUNK_VALUES // len(offsets))
    model, std, moved = start.copy(), np.full((len(start), 2), np.nan), np.full(len(start), np.inf)
    restless = np.ones(len(start), bool)
    for turn in range(params.rounds):
        neighbours = _neighbour_pairs(model, radius)
        share = params.width == "shared" and turn > 0
        if share:
            model[:, SIGMA] = np.median(model[:, SIGMA])
        if turn >= FULL_ROUNDS:
            restless = _with_partners(restless, model, neighbours)
        waiting = np.flatnonzero(restless)
        fitted = model.copy()
        for first in range(0, len(waiting), size):
            yield Progress(turn * len(waiting) + first, params.rounds * len(waiting), "refining")
            chunk = waiting[first : first + size]
            windows = _cut(repaired, valid, start[chunk], offsets)
            others = _sum_of_neighbours(windows, model, chunk, neighbours)
            fitted[chunk], std[chunk], moved[chunk] = _fit(windows, others, model[chunk], free=4 if share else 5)
        before, model = model, _believable(fitted, model, start)
        if turn + 1 >= FULL_ROUNDS:
            restless = _restless(before, model, std)
        if not restless.any():
            break
    return _refined(columns, start, model, std, moved, radius, image.shape)


def _starting_values(image: np.ndarray, columns: Columns) -> np.ndarray:
    """(y, x, sigma, height, level) of each column, shape (N, 5), from its features where known, else from the image."""
    sigma = columns.features["sigma_px"].to_numpy(dtype=float, copy=True)
    unknown = ~np.isfinite(sigma) | (sigma <= 0)
    if unknown.any():
        sigma[unknown] = np.median(sigma[~unknown]) if not unknown.all() else _usual_width(image)
    start = np.empty((len(columns), 5))
    start[:, :2] = columns.positions
    start[:, SIGMA] = sigma
    # The linear parameters follow in the first step; zero height would leave the first derivatives empty.
    inside = np.clip(np.round(np.nan_to_num(columns.positions)).astype(int), 0, np.array(image.shape) - 1)
    height = columns.features["intensity"].to_numpy(dtype=float, copy=True)
    level = columns.features["background"].to_numpy(dtype=float, copy=True)
    unknown = ~np.isfinite(height) | ~np.isfinite(level) | (height == 0)
    around = float(np.median(image))
    level[unknown] = around
    height[unknown] = image[tuple(inside[unknown].T)] - around + 1e-3 * (float(np.std(image)) + 1e-12)
    start[:, HEIGHT], start[:, LEVEL] = height, level
    return start


def _window_radius(start: np.ndarray, window: float) -> float:
    """`window` sigmas, and wider where columns stand apart: without some background, width and level cannot be told apart."""
    sigma = float(np.median(start[:, SIGMA]))
    points = start[np.isfinite(start[:, :2]).all(axis=1), :2]
    apart = float(np.median(spatial.cKDTree(points).query(points, k=2)[0][:, 1])) if len(points) > 1 else np.inf
    return max(2.5, window * sigma, min(0.6 * apart, 2 * window * sigma))


def _usual_width(image: np.ndarray) -> float:
    scale = estimate_scale(image)
    return scale.sigma_px if scale else 3.0


def _window_offsets(radius: float) -> np.ndarray:
    reach = int(np.ceil(radius))
    offsets = np.argwhere(np.ones((2 * reach + 1, 2 * reach + 1))) - reach
    return np.asarray(offsets[np.hypot(*offsets.T) <= radius])


def _cut(image: np.ndarray, valid: np.ndarray, start: np.ndarray, offsets: np.ndarray) -> Windows:
    centre = np.round(np.nan_to_num(start[:, :2])).astype(int)
    y = centre[:, :1] + offsets[:, 0]
    x = centre[:, 1:] + offsets[:, 1]
    inside = (y >= 0) & (x >= 0) & (y < image.shape[0]) & (x < image.shape[1])
    row, column = np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)
    weight = (inside & valid[row, column]).astype(float)
    return Windows(y=y, x=x, values=image[row, column].astype(float), weight=weight)


def _neighbour_pairs(model: np.ndarray, radius: float) -> np.ndarray:
    """Ordered pairs (i, j), sorted by i, of columns whose profile of j reaches into the window of i; shape (M, 2)."""
    finite = np.flatnonzero(np.isfinite(model).all(axis=1))
    tree = spatial.cKDTree(model[finite, :2])
    reach = radius + 3.0 * float(np.median(model[finite, SIGMA])) if len(finite) else 1.0
    pairs = finite[tree.query_pairs(reach, output_type="ndarray")]
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return np.asarray(both[np.argsort(both[:, 0], kind="stable")])


def _sum_of_neighbours(windows: Windows, model: np.ndarray, chunk: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """What all neighbours together give in each window, shape (N, P); `chunk` is in ascending order."""
    first, last = np.searchsorted(pairs[:, 0], [chunk[0], chunk[-1] + 1])
    total = np.zeros_like(windows.values)
    near = pairs[first:last]
    place = np.minimum(np.searchsorted(chunk, near[:, 0]), len(chunk) - 1)
    mine = chunk[place] == near[:, 0]
    own, other = place[mine], near[mine, 1]
    # Rank by rank, so that each addition touches a window only once and plain indexing suffices.
    rank = np.arange(len(own)) - np.searchsorted(own, own, side="left")
    for level in range(int(rank.max(initial=-1)) + 1):
        rows = own[rank == level]
        y0, x0, sigma, height = (model[other[rank == level], k][:, None] for k in (Y, X, SIGMA, HEIGHT))
        total[rows] += height * np.exp(-((windows.y[rows] - y0) ** 2 + (windows.x[rows] - x0) ** 2) / (2 * sigma**2))
    return total


def _fit(windows: Windows, others: np.ndarray, model: np.ndarray, free: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levenberg-Marquardt for a batch of windows; `free` 4 keeps the widths.

    Returns the parameters (N, 5), the standard deviations of y and x (N, 2) and the last step in sigma (N,).
    """
    which = np.array([Y, X, HEIGHT, LEVEL] if free == 4 else [Y, X, SIGMA, HEIGHT, LEVEL])
    current = model.copy()
    damping = np.full(len(model), 1e-3)
    moved = np.full(len(model), np.inf)
    residual, jacobian = _residual(windows, others, current, which)
    cost = np.sum(residual**2, axis=1)
    for _ in range(12):
        active = np.flatnonzero(moved > CONVERGED)
        if len(active) == 0:
            break
        normal = np.einsum("npi,npj->nij", jacobian[active], jacobian[active])
        gradient = np.einsum("npi,np->ni", jacobian[active], residual[active])
        step = _damped_solution(normal, gradient, damping[active])
        # A position may not leap out of its window in one step.
        step[:, :2] = np.clip(step[:, :2], -model[active, SIGMA, None], model[active, SIGMA, None])
        trial = current[active].copy()
        trial[:, which] += step
        trial[:, SIGMA] = np.clip(trial[:, SIGMA], 0.3 * model[active, SIGMA], 3 * model[active, SIGMA])
        part = Windows(y=windows.y[active], x=windows.x[active], values=windows.values[active], weight=windows.weight[active])
        new_residual, new_jacobian = _residual(part, others[active], trial, which)
        new_cost = np.sum(new_residual**2, axis=1)
        better = np.isfinite(new_cost) & (new_cost <= cost[active])
        kept = active[better]
        moved[kept] = np.max(np.abs(step[better][:, :2]), axis=1) / trial[better, SIGMA]
        current[kept], residual[kept], jacobian[kept], cost[kept] = (
            trial[better],
            new_residual[better],
            new_jacobian[better],
            new_cost[better],
        )
        damping[active] = np.where(better, damping[active] / 5, damping[active] * 8)
        # Where rounding lets no step improve the fit any more, the minimum is reached.
        moved[active[(~better) & (damping[active] > 1e6)]] = 0.0
    return current, _standard_deviations(residual, jacobian, windows.weight), moved


def _residual(windows: Windows, others: np.ndarray, model: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted residuals (N, P) and derivatives of the model (N, P, len(which))."""
    dy = windows.y - model[:, Y, None]
    dx = windows.x - model[:, X, None]
    sigma, height = model[:, SIGMA, None], model[:, HEIGHT, None]
    profile = np.exp(-(dy**2 + dx**2) / (2 * sigma**2))
    residual = windows.weight * (windows.values - others - height * profile - model[:, LEVEL, None])
    slope = windows.weight * height * profile / sigma**2
    every = {
        Y: slope * dy,
        X: slope * dx,
        SIGMA: slope * (dy**2 + dx**2) / sigma,
        HEIGHT: windows.weight * profile,
        LEVEL: windows.weight,
    }
    return residual, np.stack([every[int(k)] for k in which], axis=2)


def _damped_solution(normal: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Marquardt's step, scaled by the diagonal; zero where nothing can be solved."""
    size = normal.shape[1]
    diagonal = np.einsum("nii->ni", normal)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = normal / (scale[:, :, None] * scale[:, None, :])
    scaled = np.where(np.isfinite(scaled), scaled, 0.0) + (damping[:, None, None] + 1e-12) * np.eye(size)
    scaled += (diagonal <= 0)[:, :, None] * np.eye(size)
    right = np.where(np.isfinite(gradient), gradient, 0.0) / scale
    return np.asarray(np.linalg.solve(scaled, right[:, :, None])[:, :, 0] / scale)


def _standard_deviations(residual: np.ndarray, jacobian: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Of y and x in px, shape (N, 2), from the covariance; NaN where it cannot be inverted."""
    normal = np.einsum("npi,npj->nij", jacobian, jacobian)
    freedom = np.maximum(weight.sum(axis=1) - jacobian.shape[2], 1)
    variance = np.sum(residual**2, axis=1) / freedom
    usable = np.isfinite(normal).all(axis=(1, 2)) & (np.abs(np.linalg.det(np.nan_to_num(normal))) > 0)
    covariance = np.full_like(normal, np.nan)
    covariance[usable] = np.linalg.pinv(normal[usable], hermitian=True)
    with np.errstate(invalid="ignore"):
        return np.sqrt(variance[:, None] * np.stack([covariance[:, 0, 0], covariance[:, 1, 1]], axis=1))


def _believable(fitted: np.ndarray, before: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Between rounds a runaway goes back to where it was, so that it cannot spoil its neighbours."""
    away = np.hypot(fitted[:, Y] - start[:, Y], fitted[:, X] - start[:, X]) > 1.5 * start[:, SIGMA]
    broken = ~np.isfinite(fitted).all(axis=1) | (np.sign(fitted[:, HEIGHT]) != np.sign(start[:, HEIGHT]))
    return np.where((away | broken)[:, None], before, fitted)


def _restless(before: np.ndarray, after: np.ndarray, std: np.ndarray) -> np.ndarray:
    """True where a round changed a column by more than matters, beside its width and beside its error bar, shape (N,)."""
    step = np.hypot(after[:, Y] - before[:, Y], after[:, X] - before[:, X])
    growth = np.abs(after[:, HEIGHT] - before[:, HEIGHT]) / np.maximum(np.abs(after[:, HEIGHT]), 1e-30)
    # Noise leaves nothing to gain beyond a small part of the error bar.
    matters = np.maximum(AT_REST, REST_IN_STD * np.nan_to_num(np.hypot(*std.T)) / after[:, SIGMA])
    return np.asarray((step / after[:, SIGMA] > matters) | (growth > matters))


def _with_partners(restless: np.ndarray, model: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The restless columns and those so near that they will be moved by them, shape (N,)."""
    apart = np.hypot(*(model[pairs[:, 0], :2] - model[pairs[:, 1], :2]).T)
    moved = restless[pairs[:, 1]] & (apart < OVERLAP_IN_SIGMA * model[pairs[:, 0], SIGMA])
    grown = restless.copy()
    grown[pairs[moved, 0]] = True
    return grown


def _refined(
    columns: Columns,
    start: np.ndarray,
    model: np.ndarray,
    std: np.ndarray,
    moved: np.ndarray,
    radius: float,
    shape: tuple[int, ...],
) -> Columns:
    """Columns with the fit where it can be believed, and the verdict on each."""
    away = np.hypot(model[:, Y] - start[:, Y], model[:, X] - start[:, X]) > start[:, SIGMA]
    width = model[:, SIGMA] / start[:, SIGMA]
    extent = np.array(shape) - 1.0
    outside = np.any((model[:, :2] < -0.5) | (model[:, :2] > extent + 0.5), axis=1)
    failed = away | outside | (width < 0.35) | (width > 2.9) | ~np.isfinite(model).all(axis=1) | ~np.isfinite(std).all(axis=1)
    failed |= np.sign(model[:, HEIGHT]) != np.sign(start[:, HEIGHT])
    failed |= moved > 100 * CONVERGED
    # An error bar wider than the column: there is none.
    failed |= np.any(std > model[:, SIGMA, None], axis=1)
    near = np.any((start[:, :2] < 0.6 * radius) | (start[:, :2] > extent - 0.6 * radius), axis=1)
    usable = np.isfinite(model[:, :2]).all(axis=1)
    closest = np.full(len(model), np.inf)
    if usable.sum() > 1:
        closest[usable] = spatial.cKDTree(model[usable, :2]).query(model[usable, :2], k=2)[0][:, 1]
    fit = np.where(failed, "failed", np.where(near, "border", np.where(closest < 1.5 * model[:, SIGMA], "overlap", "ok")))
    before = columns.features
    good = ~failed

    def chosen(name: str, values: np.ndarray) -> Any:
        return np.where(good, values, before[name].to_numpy(dtype=float))

    return replace(
        columns.with_features(
            y_std_px=np.where(good, std[:, 0], np.nan),
            x_std_px=np.where(good, std[:, 1], np.nan),
            intensity=chosen("intensity", model[:, HEIGHT]),
            background=chosen("background", model[:, LEVEL]),
            sigma_px=chosen("sigma_px", model[:, SIGMA]),
            fit=fit,
        ),
        positions=np.where(good[:, None], model[:, :2], columns.positions),
    )
