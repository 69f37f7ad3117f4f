"""Refine column positions: a two-dimensional Gaussian on a flat local background, fitted to all columns in batches.

Each column is fitted in a round window on the raw image after the current models of its neighbours have been taken
away, in turn until all are at rest, so that overlapping columns do not pull at each other (block Gauss-Seidel on the
joint problem of De Backer et al., Ultramicroscopy 171, 104 (2016), Eq. 1). Pixels are weighted by the inverse of the
variance that counting noise gives the current model, which is Fisher scoring of the Poisson likelihood; standard
deviations are those of the Fisher information with unknown neighbours.

Points on the shoulder of a far stronger column, or on nothing, are not let loose: they would run to the next column.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import spatial

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.faint import all_too_faint, look_again
from napari_atomseg.localise.least_squares import (
    CONVERGED,
    EVERYTHING,
    POSITION_AND_HEIGHT,
    fit,
    heights_and_levels,
    significances,
)
from napari_atomseg.localise.scene import RefineParams, Scene, prepare
from napari_atomseg.localise.uncertainty import covariances, own_information
from napari_atomseg.localise.windows import (
    HEIGHT,
    LEVEL,
    SIGMA,
    X,
    Y,
    neighbour_pairs,
    profile,
    sum_of_neighbours,
)

LINEAR_SWEEPS = 6
RELAXATION = 0.8
FREE_WIDTH_ROUNDS = 3
WIDTH_EVERY = 4
"""The width that all columns share is measured in the first rounds, and then in every fourth until it is settled."""
FIRST_STEPS, LATER_STEPS = 12, 4
LOOK_AGAIN = (1, 2, 4)
"""After these rounds the faint are looked for anew on what the strong ones leave."""
AT_REST = 1e-3
REST_IN_ERRORS = 0.05
"""A column that changes by less, in units of its width or of its error bar, is left alone."""
OVERLAP_IN_SIGMA = 4.0
"""Columns nearer than this pull at each other."""
FARTHEST = 2.2
"""No column is believed farther than this from where it was put, in sigma."""
SEEN = 4.0
"""Significance of a height below which nothing is there to be fitted."""


__all__ = ["RefineParams", "refine_columns"]


def refine_columns(image: np.ndarray, columns: Columns, params: RefineParams | None = None) -> Generator[Progress, None, Columns]:
    """Fit every column of one image again.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Raw intensities; NaN and infinity have no weight.
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
        above the `background`, negative for dark columns. `y_std_px`, `x_std_px` are one standard deviation for noise
        that is independent from pixel to pixel.
    """
    params = params or RefineParams()
    if len(columns) == 0:
        return columns
    yield Progress(0, 0, "preparing")
    scene = prepare(image, columns, params)
    model, significance = yield from _weighed(scene)
    sign = 1.0 if np.nanmedian(model[:, HEIGHT]) >= 0 else -1.0
    nothing = (sign * significance < SEEN) | all_too_faint(model, sign)
    never = np.full(len(model), np.inf)
    state = State(
        model=model, faint=nothing, away=np.zeros_like(nothing), moved=never, error=np.zeros(len(model)), settled=False, sign=sign
    )
    restless = np.ones(len(model), bool)
    for turn in range(params.rounds):
        before = state.model
        state = yield from _round(scene, state, restless, turn)
        restless = _restless(before, state)
        if turn > max(LOOK_AGAIN) and not restless.any():
            break
        if turn < FREE_WIDTH_ROUNDS:
            restless[:] = True
        restless = _with_partners(restless, state.model, neighbour_pairs(state.model, scene.radius))
    state.model[state.faint, HEIGHT] = 0
    std = yield from _standard_deviations(scene, state.model)
    return _verdict(columns, scene, state, std)


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """How far the refinement is.

    Attributes
    ----------
    model : ndarray, shape (N, 5)
        Current parameters; height 0 for columns that are not there.
    faint : ndarray of bool, shape (N,)
        Too faint to be fitted, or on a neighbour's shoulder.
    away : ndarray of bool, shape (N,)
        Ran away at the last attempt.
    moved : ndarray, shape (N,)
        Last step of the last fit, in sigma.
    error : ndarray, shape (N,)
        About the standard deviation of a position, in sigma: the inverse of the height's significance.
    settled : bool
        The shared width changes no more.
    sign : float
        +1 for bright columns, -1 for dark ones.
    """

    model: np.ndarray
    faint: np.ndarray
    away: np.ndarray
    moved: np.ndarray
    error: np.ndarray
    settled: bool
    sign: float


def _round(scene: Scene, state: State, restless: np.ndarray, turn: int) -> Generator[Progress, None, State]:
    """Fit the restless columns once, each with all others as they were before the round."""
    params, sign = scene.params, state.sign
    model, faint, away = state.model.copy(), state.faint.copy(), state.away.copy()
    moved, error = state.moved.copy(), state.error.copy()
    model[faint, HEIGHT] = 0
    pairs = neighbour_pairs(model, scene.radius)
    due = turn < FREE_WIDTH_ROUNDS or (turn % WIDTH_EVERY == 0 and not state.settled)
    shares = params.width == "shared" and due
    # A median width of a few would not be that of all.
    waiting = np.flatnonzero((restless | shares) & ~faint)
    which = EVERYTHING if shares or params.width == "each" else POSITION_AND_HEIGHT
    fitted = model.copy()
    for number, chunk in enumerate(scene.chunks(waiting)):
        yield Progress(turn * len(waiting) + number, params.rounds * max(1, len(waiting)), "refining")
        windows = scene.windows(chunk)
        others = sum_of_neighbours(windows, model, chunk, pairs)
        weighted = scene.weighted(windows, others, model[chunk])
        steps = FIRST_STEPS if turn < 2 else LATER_STEPS
        fitted[chunk], moved[chunk] = fit(weighted, others, model[chunk], which, steps)
        error[chunk] = 1 / np.maximum(significances(weighted, fitted[chunk]), 1e-12)
    away[waiting] = _unbelievable(fitted[waiting], scene.start[waiting], sign)
    taken = waiting[~away[waiting]]
    model[taken] = fitted[taken]
    settled = state.settled
    if shares and len(taken):
        width = float(np.median(model[taken, SIGMA]))
        settled = turn >= FREE_WIDTH_ROUNDS and abs(width / float(np.median(state.model[taken, SIGMA])) - 1) < AT_REST
        model[:, SIGMA] = width
    if turn in LOOK_AGAIN:
        yield Progress(turn, params.rounds, "looking for the faint")
        model, faint, away = look_again(scene, model, pairs, faint, away, sign)
    if turn > 1:
        faint |= all_too_faint(model, sign)
    return State(model=model, faint=faint, away=away, moved=moved, error=error, settled=settled, sign=sign)


def _weighed(scene: Scene) -> Generator[Progress, None, tuple[np.ndarray, np.ndarray]]:
    """Heights and levels for positions and widths as they were given, shape (N, 5), and the significance of each height."""
    model = scene.start.copy()
    significance = np.zeros(len(model))
    pairs = neighbour_pairs(model, scene.radius)
    for sweep in range(LINEAR_SWEEPS):
        swept = model.copy()
        for chunk in scene.chunks(np.arange(len(model))):
            yield Progress(sweep, LINEAR_SWEEPS, "weighing")
            windows = scene.windows(chunk)
            others = sum_of_neighbours(windows, model, chunk, pairs)
            height, level, _ = heights_and_levels(windows, others, model[chunk])
            swept[chunk, HEIGHT] += RELAXATION * (height - model[chunk, HEIGHT])
            swept[chunk, LEVEL] = level
            if sweep == LINEAR_SWEEPS - 1:
                weighted = scene.weighted(windows, others, swept[chunk])
                best, _, information = heights_and_levels(weighted, others, swept[chunk])
                significance[chunk] = best * np.sqrt(information)
        model = swept
    return model, significance


def _unbelievable(fitted: np.ndarray, start: np.ndarray, sign: float) -> np.ndarray:
    """True where a fit ran away, turned round or broke, shape (N,)."""
    away = np.hypot(fitted[:, Y] - start[:, Y], fitted[:, X] - start[:, X]) > FARTHEST * start[:, SIGMA]
    return np.asarray(away | ~np.isfinite(fitted).all(axis=1) | (sign * fitted[:, HEIGHT] <= 0))


def _restless(before: np.ndarray, state: State) -> np.ndarray:
    """True where a round changed a column by more than matters, shape (N,)."""
    after = state.model
    step = np.hypot(after[:, Y] - before[:, Y], after[:, X] - before[:, X]) / after[:, SIGMA]
    growth = np.abs(after[:, HEIGHT] - before[:, HEIGHT]) / np.maximum(np.abs(after[:, HEIGHT]), 1e-30)
    matters = np.maximum(AT_REST, REST_IN_ERRORS * np.minimum(state.error, 1.0))
    return np.asarray(((step > matters) | (growth > matters)) & ~state.faint)


def _with_partners(restless: np.ndarray, model: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The restless columns and those so near that they will be moved by them, shape (N,)."""
    apart = np.hypot(*(model[pairs[:, 0], :2] - model[pairs[:, 1], :2]).T)
    moved = restless[pairs[:, 1]] & (apart < OVERLAP_IN_SIGMA * model[pairs[:, 0], SIGMA])
    grown = restless.copy()
    grown[pairs[moved, 0]] = True
    return grown


def _standard_deviations(scene: Scene, model: np.ndarray) -> Generator[Progress, None, np.ndarray]:
    """Of y and x, shape (N, 2), px; scaled up where the residuals are larger than the noise level says."""
    pairs = neighbour_pairs(model, scene.radius)
    everyone = np.arange(len(model))
    with_width = scene.params.width == "each"
    size = 4 if with_width else 3
    information = np.zeros((len(model), size, size))
    surplus = np.ones(len(model))
    for chunk in scene.chunks(everyone):
        yield Progress(0, 0, "stating uncertainties")
        windows = scene.windows(chunk)
        others = sum_of_neighbours(windows, model, chunk, pairs)
        weighted = scene.weighted(windows, others, model[chunk])
        information[chunk] = own_information(weighted, others, model[chunk], with_width)
        expected = others + model[chunk, HEIGHT, None] * profile(windows, model[chunk]) + model[chunk, LEVEL, None]
        freedom = np.maximum(np.sum(weighted.weight > 0, axis=1) - size - 1, 1)
        surplus[chunk] = np.sum((weighted.weight * (windows.values - expected)) ** 2, axis=1) / freedom
    variance = np.zeros((len(model), 2))
    for chunk in scene.chunks(everyone):
        yield Progress(0, 0, "stating uncertainties")
        windows = scene.windows(chunk)
        others = sum_of_neighbours(windows, model, chunk, pairs)
        weighted = scene.weighted(windows, others, model[chunk])
        covariance = covariances(weighted, others, model, chunk, pairs, information)
        variance[chunk] = np.stack([covariance[:, 0, 0], covariance[:, 1, 1]], axis=1)
    there = model[:, HEIGHT] != 0
    scale = max(1.0, float(np.median(surplus[there]))) if there.any() else 1.0
    with np.errstate(invalid="ignore"):
        return np.sqrt(scale * variance)


def _verdict(columns: Columns, scene: Scene, state: State, std: np.ndarray) -> Columns:
    """Columns with the fit where it can be believed, and the verdict on each."""
    model = state.model
    lost = state.faint | state.away | (state.moved > 100 * CONVERGED)
    extent = np.array(scene.image.shape) - 1.0
    outside = np.any((model[:, :2] < -0.5) | (model[:, :2] > extent + 0.5), axis=1)
    failed = lost | outside | _unbelievable(model, scene.start, state.sign) | ~np.isfinite(std).all(axis=1)
    # An error bar wider than the column, or none: nothing was measured.
    failed |= np.any((std > model[:, SIGMA, None]) | (std <= 0), axis=1)
    near = 0.6 * scene.radius
    border = np.any((scene.start[:, :2] < near) | (scene.start[:, :2] > extent - near), axis=1)
    overlap = _nearest(model, failed) < 1.5 * model[:, SIGMA]
    verdict = np.where(failed, "failed", np.where(border, "border", np.where(overlap, "overlap", "ok")))
    good = ~failed

    def chosen(name: str, values: np.ndarray) -> Any:
        return np.where(good, values, columns.features[name].to_numpy(dtype=float))

    return replace(
        columns.with_features(
            y_std_px=np.where(good, std[:, 0], np.nan),
            x_std_px=np.where(good, std[:, 1], np.nan),
            intensity=chosen("intensity", model[:, HEIGHT]),
            background=chosen("background", model[:, LEVEL]),
            sigma_px=chosen("sigma_px", model[:, SIGMA]),
            fit=verdict,
        ),
        positions=np.where(good[:, None], model[:, :2], columns.positions),
    )


def _nearest(model: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Distance to the nearest other column that was fitted, shape (N,), px; infinity if there is none."""
    closest = np.full(len(model), np.inf)
    rows = np.flatnonzero(~failed)
    if len(rows) > 1:
        closest[rows] = spatial.cKDTree(model[rows, :2]).query(model[rows, :2], k=2)[0][:, 1]
    return closest
