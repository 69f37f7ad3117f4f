"""Second chances for columns that the separate fits have lost: fitted with all others, or given what a stranger took."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np

from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, TAIL, X, Y
from napari_atomseg.localise.refinement.stages import refine_jointly
from napari_atomseg.localise.refinement.state import State, canvas_of, nearest_others
from napari_atomseg.localise.refinement.stated_errors import noise_covariances
from napari_atomseg.localise.refinement.weak_columns import JOINT_SHOULDER_SHARE, all_too_faint, handed_over, look_again

TRIAL_STEPS = 7
"""Where a column goes shows early; those that have no place would take many more steps to come to rest."""
FIRST_HEIGHT = 0.3
"""A lost column is tried with this share of the others' height ..."""
HOLDS, KNOWN, DISTINCT = 1.3, 0.15, 1.2
"""... and believed if it stays so near to where it was put, is known so well, and stands so far from others; in sigma."""


def recover_failed(problem: RefinementProblem, state: State) -> Generator[Progress, None, State]:
    """Fit the lost together with all others, which can tell a shoulder from a column; keep those that hold their place.

    Parameters
    ----------
    problem : RefinementProblem
    state : State

    Returns
    -------
    state : State
    """
    lost = state.faint | state.away
    model = state.model.copy()
    model[lost] = np.where(np.arange(model.shape[1]) == LEVEL, model[lost], problem.start[lost])
    model[lost, SIGMA] = np.median(model[~lost, SIGMA]) if not lost.all() else problem.start[lost, SIGMA]
    model[lost, TAIL] = np.median(model[:, TAIL])
    model[lost, HEIGHT] = state.sign * FIRST_HEIGHT * np.median(np.abs(model[~lost, HEIGHT])) if not lost.all() else 0.0
    free = replace(state, model=model, faint=np.zeros_like(lost), away=np.zeros_like(lost))
    fitted = (yield from refine_jointly(problem, free, steps=TRIAL_STEPS)) if not lost.all() else state
    place, start = fitted.model[:, [Y, X]], problem.start[:, [Y, X]]
    believed = ~fitted.away & (np.hypot(*(place - start).T) < HOLDS * fitted.model[:, SIGMA]) & ~lost.all()
    believed &= ~all_too_faint(fitted.model, state.sign, shoulder=JOINT_SHOULDER_SHARE)
    believed &= nearest_others(place, fitted.away) > DISTINCT * fitted.model[:, SIGMA]
    if (believed & lost).any():
        covariance, _ = yield from noise_covariances(problem, canvas_of(problem, fitted.model), fitted)
        error = np.sqrt(np.einsum("nii->n", covariance))
        believed &= (error > 0) & (error < KNOWN * fitted.model[:, SIGMA])
    still = lost & ~believed
    if not still.any():
        return (yield from refine_jointly(problem, fitted, fitted.moved > 1))
    model = np.where(believed[:, None], fitted.model, state.model)
    model[still, HEIGHT] = 0
    settled = yield from refine_jointly(problem, replace(state, model=model, faint=still, away=np.zeros_like(lost)))
    settled = yield from _rightly_owned(problem, settled)
    return replace(settled, faint=settled.faint | all_too_faint(settled.model, state.sign, shoulder=JOINT_SHOULDER_SHARE))


def _rightly_owned(problem: RefinementProblem, state: State) -> Generator[Progress, None, State]:
    """Give columns that a stranger has taken to the lost that were put nearer, and look once more for what is left."""
    model, faint, away = handed_over(problem, state.model, state.faint, state.away)
    present = model.copy()
    present[faint | away, HEIGHT] = 0
    yield Progress(0, 0, "looking for the faint")
    model, faint, away = look_again(problem, canvas_of(problem, present), model, faint, away, state.sign)
    if np.array_equal(faint | away, state.faint | state.away):
        return state
    return (yield from refine_jointly(problem, replace(state, model=model, faint=faint, away=away)))
