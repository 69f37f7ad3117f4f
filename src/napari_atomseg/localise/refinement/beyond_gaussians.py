"""Positions freed of what Gaussians cannot describe: unseen neighbours, and the profile that all columns have in common.

Both are estimated from what the fit leaves over, taken off the image, and the positions fitted again, in turn. Heights,
widths and backgrounds that are reported stay those of the Gaussians that describe the image itself.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.column_profile import excess_image, learn_profile
from napari_atomseg.localise.refinement.companions import find_companions
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, X, Y
from napari_atomseg.localise.refinement.stages import refine_jointly
from napari_atomseg.localise.refinement.state import State, canvas_of, without_lost

TURNS = 2
UNCHANGED = 2e-3
"""Changes of the image by less than this share of a column's height do not move it."""
FEW = 0.02
"""Where fewer of the columns are touched, one turn is enough ..."""
FARTHEST = 1.0
"""A column that moves by more sigmas when so little is taken off was not held by the image."""
MOVED = 0.3
"""... as it is where the first has moved them by less than this share of their errors: the second would by a part of that."""


@dataclass(frozen=True, kw_only=True)
class Beyond:
    """What was taken off an image beside its Gaussians.

    Attributes
    ----------
    companions : int
        Unseen neighbours.
    profile : bool
        Whether the columns' own profile was.
    """

    companions: int = 0
    profile: bool = False


def beyond_gaussians(
    problem: RefinementProblem, state: State
) -> Generator[Progress, None, tuple[RefinementProblem, State, Beyond]]:
    """The problem without what Gaussians cannot describe, the state of its fit, and what that was.

    Parameters
    ----------
    problem : RefinementProblem
    state : State
        At rest.
    """
    bare, taken = problem, Beyond()
    excess = np.zeros(problem.image.shape)
    for _ in range(TURNS):
        model = without_lost(state)
        canvas = canvas_of(bare, model)
        yield Progress(0, 0, "looking for unseen neighbours")
        found = find_companions(_less(bare, excess), canvas, model, state.sign)
        beside = canvas_of(bare, found)
        yield Progress(0, 0, "learning the columns' profile")
        profile = learn_profile(_less(bare, beside), canvas, model)
        excess = np.zeros(problem.image.shape) if profile is None else excess_image(bare, model, profile)
        cleaned = _less(bare, beside + excess)
        restless = _touched(problem, cleaned, model)
        taken = Beyond(companions=len(found), profile=profile is not None)
        problem = cleaned
        if not restless.any():
            break
        fitted = yield from refine_jointly(problem, state, restless)
        before, state = state, _none_lost(state, fitted)
        if restless.mean() < FEW or _moves_in_errors(problem, before.model, state.model) < MOVED:
            break
    return problem, state, taken


def _moves_in_errors(problem: RefinementProblem, before: np.ndarray, after: np.ndarray) -> float:
    """How far the columns have moved, root mean square, in units of what the noise alone leaves uncertain of a lone one."""
    there = (after[:, HEIGHT] != 0) & np.isfinite(after).all(axis=1)
    if not there.any():
        return 0.0
    height = np.abs(after[there, HEIGHT])
    # For pixels of variance v the slopes of a Gaussian of height h hold pi h^2 / 2 whatever its width.
    error = np.sqrt(2 / np.pi * problem.noise.variance(after[there, LEVEL] + after[there, HEIGHT] / 2)) / height
    moves = after[there][:, [Y, X]] - before[there][:, [Y, X]]
    return float(np.sqrt(np.mean((moves / np.maximum(error, 1e-12)[:, None]) ** 2)))


def _touched(before: RefinementProblem, after: RefinementProblem, model: np.ndarray) -> np.ndarray:
    """Columns in whose windows the image has changed, shape (N,)."""
    side = 2 * int(np.ceil(before.radius)) + 1
    change = ndimage.maximum_filter(np.abs(after.image - before.image), side, mode="nearest")
    pixel = np.clip(np.round(np.nan_to_num(model[:, [Y, X]])).astype(int), 0, np.array(change.shape) - 1)
    return np.asarray((model[:, HEIGHT] != 0) & (change[tuple(pixel.T)] > UNCHANGED * np.abs(model[:, HEIGHT])))


def _none_lost(before: State, after: State) -> State:
    """The later state; columns that it lost stay as they were, and those that have left their place are lost."""
    lost = after.away & ~before.away
    moves = np.hypot(*(after.model - before.model)[:, [Y, X]].T)
    return replace(
        after,
        model=np.where(lost[:, None], before.model, after.model),
        away=before.away | (~lost & (moves > FARTHEST * before.model[:, SIGMA])),
        moved=np.where(lost, before.moved, after.moved),
    )


def _less(problem: RefinementProblem, image: np.ndarray) -> RefinementProblem:
    """The problem without an image (Y, X)."""
    return replace(problem, image=(problem.image - image).astype(np.float32))
