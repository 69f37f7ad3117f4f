"""Refine column positions: two-dimensional Gaussians on a background, fitted to all columns of an image together.

First each column is fitted in a round window of the raw image after the current models of its neighbours have been taken
away, a few rounds of all columns in batches, which is robust against poor starts; then all take their steps together
until they are at rest, so that overlapping columns do not pull at each other (De Backer et al., Ultramicroscopy 171, 104
(2016), Eq. 1). Pixels are weighted by the inverse of the variance that counting noise gives the current model, which is
Fisher scoring of the Poisson likelihood; standard deviations are those of the Fisher information with unknown neighbours.

Points on the shoulder of a far stronger column, or on nothing, are not let loose: they would run to the next column.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import spatial

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.coupled import coupled_step
from napari_atomseg.localise.faint import JOINT_SHOULDER_SHARE, all_too_faint, handed_over, look_again
from napari_atomseg.localise.least_squares import Prior, fit, heights_and_levels, problem, significances, stepped
from napari_atomseg.localise.parallel import each
from napari_atomseg.localise.row_shifts import estimate_row_shifts
from napari_atomseg.localise.scene import RefineParams, Scene, prepare
from napari_atomseg.localise.shape import HEIGHT, LEVEL, SIGMA, SLANT, STRETCH, TAIL, X, Y, axes
from napari_atomseg.localise.uncertainty import SHAPES_SPREAD, WIDTHS_SPREAD, covariances
from napari_atomseg.localise.windows import pairs_within

LINEAR_SWEEPS = 4
RELAXATION = 0.8
STEPS_OF_ROUNDS = (8, 5, 4, 4)
"""Steps of each column for itself, round by round, neighbours held; after all but the last the faint are looked for anew."""
ROUGHLY = 0.01
"""Rest of the separate fits, in sigma: the fit of all together goes on from there."""
LATER_STEPS = 4
ROW_PASSES = 3
AT_REST = 1e-3
REST_IN_ERRORS = 0.03
"""A column that changes by less, in units of its width or of its error bar, is left alone."""
PULL = 5.0
"""Columns nearer than this, in sigma, pull at each other."""
LONGEST = 0.5
"""No column moves farther in one step of all together, in sigma."""
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-4, 10.0
SHRINKS = 0.8
PATIENCE = 8
"""After so many steps of all together a column must not leap any more."""
FARTHEST = 2.2
"""No column is believed farther than this from where it was put, in sigma."""
FIRST_HEIGHT = 0.3
"""A lost column is tried with this share of the others' height ..."""
HOLDS, KNOWN, DISTINCT = 1.3, 0.15, 1.2
"""... and believed if it stays so near to where it was put, is known so well, and stands so far from others; in sigma."""
SEEN = 4.0
"""Significance of a height below which nothing is there to be fitted."""
NARROWEST, WIDEST = 0.4, 2.5
"""Limits of a shared width, in units of that of the separate fits."""


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
        that is independent from pixel to pixel, and `yx_correlation` is the correlation of the two. Elliptic columns
        have `sigma_px` along the long axis, `sigma_minor_px`, and `theta_rad` from x towards y.
    """
    params = params or RefineParams()
    if len(columns) == 0:
        return columns
    yield Progress(0, 0, "preparing")
    scene = prepare(image, columns, params)
    state = yield from _weighed(scene)
    for turn, steps in enumerate(STEPS_OF_ROUNDS):
        state = yield from _each_for_itself(scene, state, steps, turn)
    state = yield from _all_together(scene, state)
    if (state.faint | state.away).any():
        state = yield from _let_loose(scene, state)
    if params.row_jitter:
        scene, state = yield from _with_rows_displaced(scene, state)
    if params.width == "each":
        state = yield from _own_shapes(scene, state)
    state.model[state.faint, HEIGHT] = 0
    covariance = yield from _covariances(scene, state)
    return _verdict(columns, scene, state, covariance)


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """How far the refinement is.

    Attributes
    ----------
    model : ndarray, shape (N, 8)
        Current parameters; height 0 for columns that are not there.
    faint : ndarray of bool, shape (N,)
        Too faint to be fitted, or on a neighbour's shoulder.
    away : ndarray of bool, shape (N,)
        Ran away at the last attempt.
    moved : ndarray, shape (N,)
        Last step, in units of what matters: 1 is at rest.
    sign : float
        +1 for bright columns, -1 for dark ones.
    """

    model: np.ndarray
    faint: np.ndarray
    away: np.ndarray
    moved: np.ndarray
    sign: float


JOINT = (Y, X, HEIGHT)
"""What each column has for itself when all are fitted together."""


def shape_parameters(params: RefineParams) -> tuple[int, ...]:
    """The parameters of a column's shape."""
    return (SIGMA, STRETCH, SLANT) if params.shape == "elliptic" else (SIGMA,)


def shared_parameters(params: RefineParams) -> tuple[int, ...]:
    """What all columns have together when all are fitted together."""
    return (*shape_parameters(params), *((TAIL,) if params.tails else ()), *((LEVEL,) if params.background == "shared" else ()))


def stated_parameters(params: RefineParams) -> tuple[int, ...]:
    """What is unknown of each column when its uncertainty is stated."""
    return (*JOINT, *shape_parameters(params)) if params.width == "each" else JOINT


def canvas_of(scene: Scene, model: np.ndarray) -> np.ndarray:
    """All columns of a model together, without background, shape (Y, X)."""
    canvas = np.zeros(scene.image.shape)
    scene.add(canvas, model)
    return canvas


def _local(scene: Scene) -> str:
    """The background of separate fits: one that all share can be told only from all together."""
    return "local" if scene.params.background == "shared" else scene.params.background


def _weighed(scene: Scene) -> Generator[Progress, None, State]:
    """Heights and levels for positions and widths as they were given."""
    model = scene.start.copy()
    significance = np.zeros(len(model))
    canvas = np.zeros(scene.image.shape)
    for sweep in range(LINEAR_SWEEPS):
        work = partial(_weigh, scene, canvas, model, with_significance=sweep == LINEAR_SWEEPS - 1)
        swept = model.copy()
        for chunk, (swept_chunk, significance_chunk) in each(work, scene.chunks(np.arange(len(model)))):
            yield Progress(sweep, LINEAR_SWEEPS, "weighing")
            swept[chunk], significance[chunk] = swept_chunk, significance_chunk
        model = swept
        canvas = canvas_of(scene, model)
    sign = 1.0 if np.nanmedian(model[:, HEIGHT]) >= 0 else -1.0
    faint = (sign * significance < SEEN) | all_too_faint(model, sign)
    return State(model=model, faint=faint, away=np.zeros_like(faint), moved=np.full(len(model), np.inf), sign=sign)


def _weigh(
    scene: Scene, canvas: np.ndarray, model: np.ndarray, chunk: np.ndarray, *, with_significance: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Columns of a chunk with better heights and levels, and the significance of the heights if asked for."""
    windows = scene.windows(chunk)
    swept, significance = model[chunk].copy(), np.zeros(len(chunk))
    others = scene.others(canvas, windows, swept)
    height, swept[:, LEVEL], _ = heights_and_levels(windows, others, swept)
    swept[:, HEIGHT] += RELAXATION * (height - swept[:, HEIGHT])
    if with_significance:
        weighted = scene.weighted(windows, others, swept)
        best, _, information = heights_and_levels(weighted, others, swept)
        significance = best * np.sqrt(information)
    return swept, significance


def _each_for_itself(scene: Scene, state: State, steps: int, turn: int) -> Generator[Progress, None, State]:
    """Fit each column with all others as they were before the round."""
    model, faint, away = state.model.copy(), state.faint.copy(), state.away.copy()
    model[faint, HEIGHT] = 0
    canvas = canvas_of(scene, model)
    waiting = np.flatnonzero(~faint)
    fitted = model.copy()
    which = (Y, X, SIGMA, HEIGHT, *((STRETCH, SLANT) if scene.params.shape == "elliptic" and turn > 0 else ()))

    def work(chunk: np.ndarray) -> np.ndarray:
        windows = scene.windows(chunk)
        others = scene.others(canvas, windows, model[chunk])
        weighted = scene.weighted(windows, others, model[chunk])
        return fit(problem(weighted, others, _local(scene)), model[chunk], which, steps, rest=ROUGHLY)[0]

    for number, (chunk, found) in enumerate(each(work, scene.chunks(waiting))):
        yield Progress(turn * len(waiting) + number * len(chunk), 8 * len(waiting), "refining")
        fitted[chunk] = found
    away[waiting] = _unbelievable(fitted[waiting], scene.start[waiting], state.sign)
    taken = waiting[~away[waiting]]
    model[taken] = fitted[taken]
    if len(taken):
        # Own widths are left to the fit of all together: far from the end they make poor starts worse.
        model[:, [SIGMA, STRETCH, SLANT]] = np.median(model[taken][:, [SIGMA, STRETCH, SLANT]], axis=0)
    if turn < len(STEPS_OF_ROUNDS) - 1 and (faint | away).any():
        yield Progress(0, 0, "looking for the faint")
        present = model.copy()
        present[faint | away, HEIGHT] = 0
        model, faint, away = look_again(scene, canvas_of(scene, present), model, faint, away, state.sign)
    if turn > 1:
        faint |= all_too_faint(model, state.sign)
    return replace(state, model=model, faint=faint, away=away)


def _all_together(scene: Scene, state: State) -> Generator[Progress, None, State]:
    """Steps of all columns at once until they are at rest."""
    shared = shared_parameters(scene.params)
    model, away = state.model.copy(), state.away.copy()
    model[state.faint, HEIGHT] = 0
    canvas = canvas_of(scene, model)
    if LEVEL in shared:
        model[:, LEVEL] = float(np.median((scene.image - canvas)[scene.valid])) if scene.valid.any() else 0.0
    widths = model[:, SIGMA].copy()
    there = np.flatnonzero(~state.faint & ~away)
    moved = np.zeros(len(model))
    moved[there] = np.inf
    damping, last = np.full(len(model), FIRST_DAMPING), np.full(len(model), np.inf)
    for turn in range(scene.params.rounds):
        sigma = float(np.median(model[:, SIGMA]))
        pairs = pairs_within(model, PULL * sigma)
        active = there[_restless(moved, pairs)[there]]
        if len(active) == 0:
            break
        # What all share can be told only from all.
        common = shared if len(active) == len(there) else ()
        step = yield from coupled_step(scene, canvas, model, active, pairs, JOINT, common, damping[active])
        longest = np.max(np.abs(step.own[:, :2]), axis=1) / sigma
        # A column whose steps do not shrink is slowed down.
        wild = (longest > LONGEST) | (longest > SHRINKS * last[active])
        damping[active] = np.clip(np.where(wild, 4 * damping[active], damping[active] / 3), LEAST_DAMPING, MOST_DAMPING)
        model[active, LEVEL] = step.levels
        size = np.minimum(1.0, LONGEST / np.maximum(longest, 1e-30))
        trial, _ = stepped(model[active], scene.start[active], size[:, None] * step.own, JOINT)
        last[active] = longest
        growth = np.abs(trial[:, HEIGHT] - model[active, HEIGHT]) / np.maximum(np.abs(trial[:, HEIGHT]), 1e-30)
        moved[active] = np.maximum(longest, growth) / np.maximum(AT_REST, REST_IN_ERRORS * np.minimum(step.error, 1.0))
        lost = _unbelievable(trial, scene.start[active], state.sign)
        # What has found no rest so late would only unsettle its neighbours.
        lost |= (turn > PATIENCE) & (longest > LONGEST)
        away[active[lost]] = True
        moved[active[lost]] = 0
        there = there[~away[there]]
        taken = active[~lost]
        if common:
            model[taken] = trial[~lost]
            change = _shared_step(model, widths, step.shared, shared)
            if change > AT_REST:
                moved[there] = np.maximum(moved[there], change / AT_REST)
            canvas = canvas_of(scene, model)
        else:
            _replace_on(canvas, scene, model, taken, trial[~lost])
    return replace(state, model=model, away=away, moved=moved)


def _let_loose(scene: Scene, state: State) -> Generator[Progress, None, State]:
    """Fit the lost together with all others, which can tell a shoulder from a column; keep those that hold their place."""
    lost = state.faint | state.away
    model = state.model.copy()
    model[lost] = np.where(np.arange(model.shape[1]) == LEVEL, model[lost], scene.start[lost])
    model[lost, SIGMA] = np.median(model[~lost, SIGMA]) if not lost.all() else scene.start[lost, SIGMA]
    model[lost, TAIL] = np.median(model[:, TAIL])
    model[lost, HEIGHT] = state.sign * FIRST_HEIGHT * np.median(np.abs(model[~lost, HEIGHT])) if not lost.all() else 0.0
    free = replace(state, model=model, faint=np.zeros_like(lost), away=np.zeros_like(lost))
    fitted = (yield from _all_together(scene, free)) if not lost.all() else state
    covariance = (yield from _covariances(scene, fitted)) if not lost.all() else np.zeros((len(model), 2, 2))
    place, start = fitted.model[:, [Y, X]], scene.start[:, [Y, X]]
    error = np.sqrt(np.einsum("nii->n", covariance))
    believed = np.hypot(*(place - start).T) < HOLDS * fitted.model[:, SIGMA]
    believed &= ~fitted.away & (error > 0) & (error < KNOWN * fitted.model[:, SIGMA])
    believed &= ~all_too_faint(fitted.model, state.sign, shoulder=JOINT_SHOULDER_SHARE)
    believed &= _nearest(place, fitted.away) > DISTINCT * fitted.model[:, SIGMA]
    still = lost & ~believed
    if not still.any():
        return fitted
    model = np.where(believed[:, None], fitted.model, state.model)
    model[still, HEIGHT] = 0
    settled = yield from _all_together(scene, replace(state, model=model, faint=still, away=np.zeros_like(lost)))
    settled = yield from _rightly_owned(scene, settled)
    return replace(settled, faint=settled.faint | all_too_faint(settled.model, state.sign, shoulder=JOINT_SHOULDER_SHARE))


def _rightly_owned(scene: Scene, state: State) -> Generator[Progress, None, State]:
    """Give columns that a stranger has taken to the lost that were put nearer, and look once more for what is left."""
    model, faint, away = handed_over(scene, state.model, state.faint, state.away)
    present = model.copy()
    present[faint | away, HEIGHT] = 0
    yield Progress(0, 0, "looking for the faint")
    model, faint, away = look_again(scene, canvas_of(scene, present), model, faint, away, state.sign)
    if np.array_equal(faint | away, state.faint | state.away):
        return state
    return (yield from _all_together(scene, replace(state, model=model, faint=faint, away=away)))


def _with_rows_displaced(scene: Scene, state: State) -> Generator[Progress, None, tuple[Scene, State]]:
    """Displacements of rows and columns in turn."""
    for _ in range(ROW_PASSES):
        yield Progress(0, 0, "measuring row displacements")
        model = state.model.copy()
        model[state.faint | state.away, HEIGHT] = 0
        scene = replace(scene, shifts=estimate_row_shifts(scene, canvas_of(scene, model), model))
        state = yield from _all_together(scene, state)
    return scene, state


def _own_shapes(scene: Scene, state: State) -> Generator[Progress, None, State]:
    """Give each column its own width, from where all are with a shared one.

    Fitted round by round: where neighbours overlap, widths and local levels of all columns at once have no common cost
    that steps of all together could be sure to lower.
    """
    model, away = state.model.copy(), state.away.copy()
    model[state.faint | away, HEIGHT] = 0
    there = np.flatnonzero(model[:, HEIGHT] != 0)
    which = (*JOINT, *shape_parameters(scene.params))
    usual = np.array([0.0, 0.0, 0.0, float(np.median(model[:, SIGMA])), 0.0, 0.0])[: len(which)]
    spread = np.array([np.inf, np.inf, np.inf, WIDTHS_SPREAD * usual[3], SHAPES_SPREAD, SHAPES_SPREAD])[: len(which)]
    moved = np.where(model[:, HEIGHT] != 0, np.inf, 0.0)
    canvas = canvas_of(scene, model)
    for turn in range(scene.params.rounds):
        pairs = pairs_within(model, PULL * float(np.median(model[:, SIGMA])))
        active = there[_restless(moved, pairs)[there]]
        if len(active) == 0:
            break
        fitted = model[active].copy()
        place = np.full(len(model), -1)
        place[active] = np.arange(len(active))
        error = np.zeros(len(active))
        for chunk in scene.chunks(active):
            yield Progress(turn * len(there) + int(place[chunk[0]]), scene.params.rounds * len(there), "fitting widths")
            windows = scene.windows(chunk)
            others = scene.others(canvas, windows, model[chunk])
            weighted = scene.weighted(windows, others, model[chunk])
            task = problem(weighted, others, scene.params.background)
            fitted[place[chunk]], _ = fit(task, model[chunk], which, LATER_STEPS, Prior(usual=usual, spread=spread))
            error[place[chunk]] = 1 / np.maximum(significances(weighted, fitted[place[chunk]]), 1e-12)
        lost = _unbelievable(fitted, scene.start[active], state.sign)
        change = np.max(np.abs(fitted - model[active])[:, [Y, X, SIGMA]], axis=1) / fitted[:, SIGMA]
        moved[active] = np.where(lost, 0.0, change / np.maximum(AT_REST, REST_IN_ERRORS * np.minimum(error, 1.0)))
        away[active[lost]] = True
        _replace_on(canvas, scene, model, active[~lost], fitted[~lost])
        there = there[~away[there]]
    return replace(state, model=model, away=away, moved=moved)


def _restless(moved: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Columns that are not at rest, and those that they pull at, shape (N,)."""
    restless = moved > 1
    grown = restless.copy()
    grown[pairs[restless[pairs[:, 1]], 0]] = True
    return grown


def _shared_step(model: np.ndarray, widths: np.ndarray, step: np.ndarray, shared: tuple[int, ...]) -> float:
    """Change what all columns share, in place; how far that was, in units of the width or the height."""
    largest = 0.0
    for name, change in zip(shared, step, strict=True):
        before = model[:, name].copy()
        model[:, name] += change
        if name == SIGMA:
            model[:, name] = np.clip(model[:, name], NARROWEST * widths, WIDEST * widths)
        elif name != LEVEL:
            model[:, name] = np.clip(model[:, name], 0.0 if name == TAIL else -0.6, 0.9 if name == TAIL else 0.6)
        scale = model[0, SIGMA] if name == SIGMA else 1.0
        largest = max(largest, float(np.max(np.abs(model[:, name] - before))) / scale)
    return largest


def _replace_on(canvas: np.ndarray, scene: Scene, model: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """Give some columns new parameters, in the model and in the image of all, in place."""
    before = model[rows].copy()
    before[:, HEIGHT] *= -1
    scene.add(canvas, before)
    model[rows] = values
    scene.add(canvas, model[rows])


def _unbelievable(fitted: np.ndarray, start: np.ndarray, sign: float) -> np.ndarray:
    """True where a fit ran away, turned round or broke, shape (N,)."""
    away = np.hypot(fitted[:, Y] - start[:, Y], fitted[:, X] - start[:, X]) > FARTHEST * start[:, SIGMA]
    return np.asarray(away | ~np.isfinite(fitted).all(axis=1) | (sign * fitted[:, HEIGHT] <= 0))


def _covariances(scene: Scene, state: State) -> Generator[Progress, None, np.ndarray]:
    """Of (y, x), shape (N, 2, 2), px squared; scaled up where the residuals are larger than the noise level says."""
    model = state.model
    pairs = pairs_within(model, scene.radius + 3 * float(np.median(model[:, SIGMA])))
    covariance, surplus = yield from covariances(scene, canvas_of(scene, model), model, stated_parameters(scene.params), pairs)
    there = model[:, HEIGHT] != 0
    return covariance * (max(1.0, float(np.median(surplus[there]))) if there.any() else 1.0)


def _verdict(columns: Columns, scene: Scene, state: State, covariance: np.ndarray) -> Columns:
    """Columns with the fit where it can be believed, and the verdict on each."""
    model = state.model
    with np.errstate(invalid="ignore"):
        std = np.sqrt(np.einsum("nii->ni", covariance))
    lost = state.faint | state.away | (state.moved > 30)
    extent = np.array(scene.image.shape) - 1.0
    place = model[:, [Y, X]]
    outside = np.any((place < -0.5) | (place > extent + 0.5), axis=1)
    failed = lost | outside | _unbelievable(model, scene.start, state.sign) | ~np.isfinite(std).all(axis=1)
    # An error bar wider than the column, or none: nothing was measured.
    failed |= np.any((std > model[:, SIGMA, None]) | (std <= 0), axis=1)
    near = 0.6 * scene.radius
    start = scene.start[:, [Y, X]]
    border = np.any((start < near) | (start > extent - near), axis=1)
    overlap = _nearest(place, failed) < 1.5 * model[:, SIGMA]
    verdict = np.where(failed, "failed", np.where(border, "border", np.where(overlap, "overlap", "ok")))
    good = ~failed
    major, minor, angle = axes(model)
    measured: dict[str, Any] = {
        "intensity": scene.unit * model[:, HEIGHT],
        "background": scene.zero + scene.unit * model[:, LEVEL],
        "sigma_px": major,
    }
    if scene.params.shape == "elliptic":
        measured |= {"sigma_minor_px": minor, "theta_rad": angle}
    kept = {name: np.where(good, values, columns.features[name].to_numpy(dtype=float)) for name, values in measured.items()}
    correlation = covariance[:, 0, 1] / np.maximum(std[:, 0] * std[:, 1], 1e-300)
    if scene.params.tails:
        kept["tail_share"] = np.where(good, model[:, TAIL], np.nan)
    return replace(
        columns.with_features(
            **kept,
            y_std_px=np.where(good, std[:, 0], np.nan),
            x_std_px=np.where(good, std[:, 1], np.nan),
            yx_correlation=np.where(good, correlation, np.nan),
            fit=verdict,
        ),
        positions=np.where(good[:, None], place, columns.positions),
    )


def _nearest(positions: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Distance to the nearest other column that was fitted, shape (N,), px; infinity if there is none."""
    closest = np.full(len(positions), np.inf)
    rows = np.flatnonzero(~failed)
    if len(rows) > 1:
        closest[rows] = spatial.cKDTree(positions[rows]).query(positions[rows], k=2)[0][:, 1]
    return closest
