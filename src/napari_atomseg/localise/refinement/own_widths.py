"""A width of its own for each column, round by round, from where all are with a shared one."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.least_squares import (
    Prior,
    fit,
    significances,
    window_problem,
)
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, X, Y
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
    shape_parameters,
)
from napari_atomseg.localise.refinement.uncertainty import SHAPES_SPREAD, WIDTHS_SPREAD
from napari_atomseg.localise.refinement.windows import pairs_within

LATER_STEPS = 4


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
        active = there[restless_columns(moved, pairs)[there]]
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
        replace_on(canvas, problem, model, active[~lost], fitted[~lost])
        there = there[~away[there]]
    return replace(state, model=model, away=away, moved=moved)
