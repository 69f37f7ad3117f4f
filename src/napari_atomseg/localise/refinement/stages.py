"""Rounds of the refinement: each column for itself with its neighbours held, all together, and own widths at the end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import spatial

from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.joint_step import coupled_step, trusted_columns
from napari_atomseg.localise.refinement.least_squares import (
    Prior,
    fit,
    heights_and_levels,
    significances,
    stepped,
    window_problem,
)
from napari_atomseg.localise.refinement.misfit import SHAPES, SLOPES, inflation, power_beyond_noise, sampled_rows
from napari_atomseg.localise.refinement.parallel import each
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, SLANT, STRETCH, TAIL, X, Y
from napari_atomseg.localise.refinement.uncertainty import SHAPES_SPREAD, WIDTHS_SPREAD, covariances, weighted_problem
from napari_atomseg.localise.refinement.weak_columns import all_too_faint, look_again
from napari_atomseg.localise.refinement.windows import pairs_within

LINEAR_SWEEPS = 4
RELAXATION = 0.8
STEPS_OF_ROUNDS = (8, 5, 4, 4)
"""Steps of each column for itself, round by round, neighbours held; after all but the last the faint are looked for anew."""
ROUGHLY = 0.01
"""Rest of the separate fits, in sigma: the fit of all together goes on from there."""
LATER_STEPS = 4
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
SEEN = 2.0
"""Significance of a height below which nothing is there to be fitted."""
SLOPE_SAMPLE, MOSTLY_SLOPES = 1000, 10.0
"""Columns that are asked whether they stand on slopes, and the power of slopes over that of other shapes that says so."""
NARROWEST, WIDEST = 0.4, 2.5
"""Limits of a shared width, in units of that of the separate fits."""


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


def canvas_of(problem: RefinementProblem, model: np.ndarray) -> np.ndarray:
    """All columns of a model together, without background, shape (Y, X).

    Parameters
    ----------
    problem : RefinementProblem
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    """
    canvas = np.zeros(problem.image.shape)
    problem.add(canvas, model)
    return canvas


def _local(problem: RefinementProblem) -> str:
    """The background of separate fits: one that all share can be told only from all together."""
    return "local" if problem.params.background == "shared" else problem.params.background


def fit_amplitudes(problem: RefinementProblem) -> Generator[Progress, None, State]:
    """Heights and levels for positions and widths as they were given."""
    model = problem.start.copy()
    significance = np.zeros(len(model))
    canvas = np.zeros(problem.image.shape)
    for sweep in range(LINEAR_SWEEPS):
        work = partial(_weigh, problem, canvas, model, with_significance=sweep == LINEAR_SWEEPS - 1)
        swept = model.copy()
        for chunk, (swept_chunk, significance_chunk) in each(work, problem.chunks(np.arange(len(model)))):
            yield Progress(sweep, LINEAR_SWEEPS, "weighing")
            swept[chunk], significance[chunk] = swept_chunk, significance_chunk
        model = swept
        canvas = canvas_of(problem, model)
    sign = 1.0 if np.nanmedian(model[:, HEIGHT]) >= 0 else -1.0
    faint = (sign * significance < SEEN) | all_too_faint(model, sign)
    return State(model=model, faint=faint, away=np.zeros_like(faint), moved=np.full(len(model), np.inf), sign=sign)


def _weigh(
    problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray, chunk: np.ndarray, *, with_significance: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Columns of a chunk with better heights and levels, and the significance of the heights if asked for."""
    windows = problem.windows(chunk)
    swept, significance = model[chunk].copy(), np.zeros(len(chunk))
    others = problem.others(canvas, windows, swept)
    height, swept[:, LEVEL], _ = heights_and_levels(windows, others, swept)
    swept[:, HEIGHT] += RELAXATION * (height - swept[:, HEIGHT])
    if with_significance:
        weighted = problem.weighted(windows, others, swept)
        best, _, information = heights_and_levels(weighted, others, swept)
        significance = best * np.sqrt(information)
    return swept, significance


def refine_individually(problem: RefinementProblem, state: State, steps: int, turn: int) -> Generator[Progress, None, State]:
    """Fit each column with all others as they were before the round.

    Parameters
    ----------
    problem : RefinementProblem
    state : State
    steps : int
        Of each column.
    turn : int
        Number of the round, from 0; elliptic shapes are fitted from 1 on.

    Returns
    -------
    state : State
    """
    model, faint, away = state.model.copy(), state.faint.copy(), state.away.copy()
    model[faint, HEIGHT] = 0
    canvas = canvas_of(problem, model)
    waiting = np.flatnonzero(~faint)
    fitted = model.copy()
    which = (Y, X, HEIGHT, *((STRETCH, SLANT) if problem.params.shape == "elliptic" and turn > 0 else ()))

    def work(chunk: np.ndarray) -> np.ndarray:
        weighted, others = problem.fitted_windows(canvas, chunk, model[chunk])
        return fit(window_problem(weighted, others, _local(problem)), model[chunk], which, steps, rest=ROUGHLY)[0]

    for number, (chunk, found) in enumerate(each(work, problem.chunks(waiting))):
        yield Progress(turn * len(waiting) + number * len(chunk), 8 * len(waiting), "refining")
        fitted[chunk] = found
    away[waiting] = is_diverged(fitted[waiting], problem.start[waiting], state.sign)
    taken = waiting[~away[waiting]]
    model[taken] = fitted[taken]
    if len(taken):
        # Own widths are left to the fit of all together: far from the end they make poor starts worse.
        model[:, [SIGMA, STRETCH, SLANT]] = np.median(model[taken][:, [SIGMA, STRETCH, SLANT]], axis=0)
    if turn < len(STEPS_OF_ROUNDS) - 1 and (faint | away).any():
        yield Progress(0, 0, "looking for the faint")
        present = model.copy()
        present[faint | away, HEIGHT] = 0
        model, faint, away = look_again(problem, canvas_of(problem, present), model, faint, away, state.sign)
    if turn > 1:
        faint |= all_too_faint(model, state.sign)
    return replace(state, model=model, faint=faint, away=away)


def refine_jointly(
    problem: RefinementProblem, state: State, restless: np.ndarray | None = None, *, steps: int | None = None
) -> Generator[Progress, None, State]:
    """Steps of all columns at once until they are at rest.

    Parameters
    ----------
    problem : RefinementProblem
    state : State
    restless : ndarray of bool, shape (N,), optional
        The columns to begin with, where all others have been fitted already; all by default.
    steps : int, optional
        How many at most; by default as many rounds as the parameters allow.
    """
    shared = shared_parameters(problem.params)
    model, away = state.model.copy(), state.away.copy()
    model[state.faint, HEIGHT] = 0
    canvas = canvas_of(problem, model)
    if LEVEL in shared:
        model[:, LEVEL] = float(np.median((problem.image - canvas)[problem.valid])) if problem.valid.any() else 0.0
    widths = model[:, SIGMA].copy()
    there = np.flatnonzero(~state.faint & ~away)
    trusted = None
    moved = np.zeros(len(model))
    moved[there] = np.inf if restless is None else np.where(restless[there], np.inf, state.moved[there])
    damping, last = np.full(len(model), FIRST_DAMPING), np.full(len(model), np.inf)
    for turn in range(problem.params.rounds if steps is None else steps):
        sigma = float(np.median(model[:, SIGMA]))
        pairs = pairs_within(model, PULL * sigma)
        active = there[_restless(moved, pairs)[there]]
        if len(active) == 0:
            break
        # What all share can be told only from all.
        common = shared if len(active) == len(there) else ()
        if common and trusted is None:
            trusted = trusted_columns(problem, canvas, model)
        step = yield from coupled_step(problem, canvas, model, active, pairs, JOINT, common, damping[active], trusted)
        longest = np.max(np.abs(step.own[:, :2]), axis=1) / sigma
        # A column whose steps do not shrink is slowed down.
        wild = (longest > LONGEST) | (longest > SHRINKS * last[active])
        damping[active] = np.clip(np.where(wild, 4 * damping[active], damping[active] / 3), LEAST_DAMPING, MOST_DAMPING)
        model[active, LEVEL] = step.levels
        size = np.minimum(1.0, LONGEST / np.maximum(longest, 1e-30))
        trial, _ = stepped(model[active], problem.start[active], size[:, None] * step.own, JOINT)
        last[active] = longest
        growth = np.abs(trial[:, HEIGHT] - model[active, HEIGHT]) / np.maximum(np.abs(trial[:, HEIGHT]), 1e-30)
        moved[active] = np.maximum(longest, growth) / np.maximum(AT_REST, REST_IN_ERRORS * np.minimum(step.error, 1.0))
        lost = is_diverged(trial, problem.start[active], state.sign)
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
            canvas = canvas_of(problem, model)
        elif 2 * len(taken) > len(there):
            model[taken] = trial[~lost]
            canvas = canvas_of(problem, model)
        else:
            _replace_on(canvas, problem, model, taken, trial[~lost])
    return replace(state, model=model, away=away, moved=moved)


def refine_widths(problem: RefinementProblem, state: State) -> Generator[Progress, None, State]:
    """Give each column its own width, from where all are with a shared one.

    Fitted round by round: where neighbours overlap, widths and local levels of all columns at once have no common cost
    that steps of all together could be sure to lower.

    Parameters
    ----------
    problem : RefinementProblem
    state : State

    Returns
    -------
    state : State
    """
    model, away = state.model.copy(), state.away.copy()
    model[state.faint | away, HEIGHT] = 0
    there = np.flatnonzero(model[:, HEIGHT] != 0)
    which = (*JOINT, *shape_parameters(problem.params))
    usual = np.array([0.0, 0.0, 0.0, float(np.median(model[:, SIGMA])), 0.0, 0.0])[: len(which)]
    spread = np.array([np.inf, np.inf, np.inf, WIDTHS_SPREAD * usual[3], SHAPES_SPREAD, SHAPES_SPREAD])[: len(which)]
    moved = np.where(model[:, HEIGHT] != 0, np.inf, 0.0)
    canvas = canvas_of(problem, model)
    for turn in range(problem.params.rounds):
        pairs = pairs_within(model, PULL * float(np.median(model[:, SIGMA])))
        active = there[_restless(moved, pairs)[there]]
        if len(active) == 0:
            break
        fitted = model[active].copy()
        place = np.full(len(model), -1)
        place[active] = np.arange(len(active))
        error = np.zeros(len(active))
        for chunk in problem.chunks(active):
            yield Progress(turn * len(there) + int(place[chunk[0]]), problem.params.rounds * len(there), "fitting widths")
            weighted, others = problem.fitted_windows(canvas, chunk, model[chunk])
            task = window_problem(weighted, others, problem.params.background)
            fitted[place[chunk]], _ = fit(task, model[chunk], which, LATER_STEPS, Prior(usual=usual, spread=spread))
            error[place[chunk]] = 1 / np.maximum(significances(weighted, fitted[place[chunk]]), 1e-12)
        lost = is_diverged(fitted, problem.start[active], state.sign)
        change = np.max(np.abs(fitted - model[active])[:, [Y, X, SIGMA]], axis=1) / fitted[:, SIGMA]
        moved[active] = np.where(lost, 0.0, change / np.maximum(AT_REST, REST_IN_ERRORS * np.minimum(error, 1.0)))
        away[active[lost]] = True
        _replace_on(canvas, problem, model, active[~lost], fitted[~lost])
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


def _replace_on(canvas: np.ndarray, problem: RefinementProblem, model: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """Give some columns new parameters, in the model and in the image of all, in place."""
    before = model[rows].copy()
    before[:, HEIGHT] *= -1
    problem.add(canvas, before)
    model[rows] = values
    problem.add(canvas, model[rows])


def is_diverged(fitted: np.ndarray, start: np.ndarray, sign: float) -> np.ndarray:
    """True where a fit ran away, turned round or broke, shape (N,).

    Parameters
    ----------
    fitted, start : ndarray, shape (N, 8)
        Model after the fit and before it.
    sign : float
        +1 for bright columns, -1 for dark ones.
    """
    away = np.hypot(fitted[:, Y] - start[:, Y], fitted[:, X] - start[:, X]) > FARTHEST * start[:, SIGMA]
    return np.asarray(away | ~np.isfinite(fitted).all(axis=1) | (sign * fitted[:, HEIGHT] <= 0))


def noise_covariances(
    problem: RefinementProblem, canvas: np.ndarray, state: State
) -> Generator[Progress, None, tuple[np.ndarray, float]]:
    """Of (y, x), shape (N, 2, 2), px squared, scaled up where residuals are larger than the noise level says; and that scale.

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns of the model together, without background.
    state : State
    """
    model = state.model
    pairs = pairs_within(model, problem.radius + 3 * float(np.median(model[:, SIGMA])))
    covariance, surplus = yield from covariances(problem, canvas, model, stated_parameters(problem.params), pairs)
    there = model[:, HEIGHT] != 0
    scale = max(1.0, float(np.median(surplus[there]))) if there.any() else 1.0
    return scale * covariance, scale


def stated_covariances(problem: RefinementProblem, state: State) -> Generator[Progress, None, np.ndarray]:
    """Of (y, x), shape (N, 2, 2), px squared, with what the model's own errors add to the noise.

    Parameters
    ----------
    problem : RefinementProblem
    state : State
    """
    model = state.model
    canvas = canvas_of(problem, model)
    covariance, scale = yield from noise_covariances(problem, canvas, state)
    rows = sampled_rows(model)
    power = np.zeros(len(rows))
    for chunk in problem.chunks(np.arange(len(rows))):
        yield Progress(int(chunk[0]), len(rows), "stating uncertainties")
        power[chunk] = power_beyond_noise(weighted_problem(problem, canvas, model, rows[chunk]), model[rows[chunk]])
    return covariance * inflation(model, rows, power / scale)[:, None, None]


def on_slopes(problem: RefinementProblem, state: State) -> bool:
    """Whether what is left of the windows is mostly slopes, which no flat level under each column can follow.

    Parameters
    ----------
    problem : RefinementProblem
    state : State
    """
    model = without_lost(state)
    rows = sampled_rows(model)[:SLOPE_SAMPLE]
    if len(rows) == 0:
        return False
    task, own = weighted_problem(problem, canvas_of(problem, model), model, rows), model[rows]
    slopes = float(np.median(power_beyond_noise(task, own, SLOPES)))
    every = float(np.median(power_beyond_noise(task, own)))
    others = (SHAPES * every - SLOPES * slopes) / (SHAPES - SLOPES)
    return slopes > MOSTLY_SLOPES * max(others, 1.0)


def without_lost(state: State) -> np.ndarray:
    """The model (N, 8) in which columns that are not there have no height."""
    model = state.model.copy()
    model[state.faint | state.away, HEIGHT] = 0
    return model


def nearest_others(positions: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Distance to the nearest other column that was fitted, shape (N,), px; infinity if there is none.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
    failed : ndarray of bool, shape (N,)
        Columns that were not fitted, which are no others.
    """
    closest = np.full(len(positions), np.inf)
    rows = np.flatnonzero(~failed)
    if len(rows) > 1:
        closest[rows] = spatial.cKDTree(positions[rows]).query(positions[rows], k=2)[0][:, 1]
    return closest
