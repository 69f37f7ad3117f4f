"""Covariances as they are stated: of the noise, and of what the model cannot describe."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.misfit import SHAPES, SLOPES, inflation, power_beyond_noise, sampled_rows
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA
from napari_atomseg.localise.refinement.state import State, canvas_of, stated_parameters, without_lost
from napari_atomseg.localise.refinement.uncertainty import covariances, weighted_problem
from napari_atomseg.localise.refinement.windows import pairs_within

SLOPE_SAMPLE, MOSTLY_SLOPES = 1000, 10.0
"""Columns that are asked whether they stand on slopes, and the power of slopes over that of other shapes that says so."""


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
