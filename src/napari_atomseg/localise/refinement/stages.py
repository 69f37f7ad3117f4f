"""Rounds of the refinement: each column for itself with its neighbours held, then all together."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial

import numpy as np

from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.joint_step import coupled_step, trusted_columns
from napari_atomseg.localise.refinement.least_squares import (
    fit,
    heights_and_levels,
    stepped,
    window_problem,
)
from napari_atomseg.localise.refinement.parallel import each
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, SLANT, STRETCH, TAIL, X, Y
from napari_atomseg.localise.refinement.state import (
    AT_REST,
    JOINT,
    PULL,
    REST_IN_ERRORS,
    State,
    canvas_of,
    is_diverged,
    replace_on,
    restless_columns,
    shared_parameters,
)
from napari_atomseg.localise.refinement.weak_columns import all_too_faint, look_again
from napari_atomseg.localise.refinement.windows import pairs_within

LINEAR_SWEEPS = 4
RELAXATION = 0.8
STEPS_OF_ROUNDS = (8, 5, 4, 4)
"""Steps of each column for itself, round by round, neighbours held; after all but the last the faint are looked for anew."""
ROUGHLY = 0.01
"""Rest of the separate fits, in sigma: the fit of all together goes on from there."""
LONGEST = 0.5
"""No column moves farther in one step of all together, in sigma."""
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-4, 10.0
SHRINKS = 0.8
PATIENCE = 8
"""After so many steps of all together a column must not leap any more."""
SEEN = 2.0
"""Significance of a height below which nothing is there to be fitted."""
NARROWEST, WIDEST = 0.4, 2.5
"""Limits of a shared width, in units of that of the separate fits."""


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
    trusted = None
    there, moved = np.flatnonzero(~state.faint & ~away), np.zeros(len(model))
    moved[there] = np.inf if restless is None else np.where(restless[there], np.inf, state.moved[there])
    damping, last = np.full(len(model), FIRST_DAMPING), np.full(len(model), np.inf)
    for turn in range(problem.params.rounds if steps is None else steps):
        sigma = float(np.median(model[:, SIGMA]))
        pairs = pairs_within(model, PULL * sigma)
        active = there[restless_columns(moved, pairs)[there]]
        if len(active) == 0:
            break
        # What all share can be told only from all.
        common = shared if len(active) == len(there) else ()
        if common and trusted is None:
            trusted = trusted_columns(problem, canvas, model)
        step = yield from coupled_step(problem, canvas, model, active, pairs, JOINT, common, damping[active], trusted)
        longest = np.max(np.abs(step.own[:, :2]), axis=1) / sigma
        damping[active] = _damped(damping[active], longest, last[active])
        model[active, LEVEL] = step.levels
        size = np.minimum(1.0, LONGEST / np.maximum(longest, 1e-30))
        trial, _ = stepped(model[active], problem.start[active], size[:, None] * step.own, JOINT)
        last[active] = longest
        moved[active] = _unrest(longest, model[active, HEIGHT], trial[:, HEIGHT], step.error)
        lost = is_diverged(trial, problem.start[active], state.sign)
        # What has found no rest so late would only unsettle its neighbours.
        lost |= (turn > PATIENCE) & (longest > LONGEST)
        away[active[lost]] = True
        moved[active[lost]] = 0
        there = there[~away[there]]
        taken = active[~lost]
        if not common and 2 * len(taken) <= len(there):
            replace_on(canvas, problem, model, taken, trial[~lost])
            continue
        model[taken] = trial[~lost]
        if common:
            change = _shared_step(model, widths, step.shared, shared)
            if change > AT_REST:
                moved[there] = np.maximum(moved[there], change / AT_REST)
        canvas = canvas_of(problem, model)
    return replace(state, model=model, away=away, moved=moved)


def _damped(damping: np.ndarray, longest: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Damping of the next steps: a column whose steps do not shrink, in sigma, is slowed down, any other freed."""
    wild = (longest > LONGEST) | (longest > SHRINKS * last)
    return np.clip(np.where(wild, 4 * damping, damping / 3), LEAST_DAMPING, MOST_DAMPING)


def _unrest(longest: np.ndarray, before: np.ndarray, height: np.ndarray, error: np.ndarray) -> np.ndarray:
    """How far columns are from rest, which is 1: by their steps in sigma or the growth of their heights, beside their errors."""
    growth = np.abs(height - before) / np.maximum(np.abs(height), 1e-30)
    return np.maximum(longest, growth) / np.maximum(AT_REST, REST_IN_ERRORS * np.minimum(error, 1.0))


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
