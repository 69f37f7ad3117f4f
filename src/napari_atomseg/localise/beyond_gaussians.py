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
from napari_atomseg.localise.column_profile import excess_image, learn_profile
from napari_atomseg.localise.companions import find_companions
from napari_atomseg.localise.rounds import State, all_together, canvas_of, without_lost
from napari_atomseg.localise.scene import Scene
from napari_atomseg.localise.shape import HEIGHT, X, Y

TURNS = 2
UNCHANGED = 2e-3
"""Changes of the image by less than this share of a column's height do not move it."""
FEW = 0.02
"""Where fewer of the columns are touched, one turn is enough."""


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


def beyond_gaussians(scene: Scene, state: State) -> Generator[Progress, None, tuple[Scene, State, Beyond]]:
    """Scene without what Gaussians cannot describe, the state of its fit, and what that was.

    Parameters
    ----------
    scene : Scene
    state : State
        At rest.
    """
    bare, taken = scene, Beyond()
    excess = np.zeros(scene.image.shape)
    for _ in range(TURNS):
        model = without_lost(state)
        canvas = canvas_of(bare, model)
        yield Progress(0, 0, "looking for unseen neighbours")
        found = find_companions(_less(bare, excess), canvas, model, state.sign)
        beside = canvas_of(bare, found)
        yield Progress(0, 0, "learning the columns' profile")
        profile = learn_profile(_less(bare, beside), canvas, model)
        excess = np.zeros(scene.image.shape) if profile is None else excess_image(bare, model, profile)
        cleaned = _less(bare, beside + excess)
        restless = _touched(scene, cleaned, model)
        taken = Beyond(companions=len(found), profile=profile is not None)
        scene = cleaned
        if not restless.any():
            break
        fitted = yield from all_together(scene, state, restless)
        state = _none_lost(state, fitted)
        if restless.mean() < FEW:
            break
    return scene, state, taken


def _touched(before: Scene, after: Scene, model: np.ndarray) -> np.ndarray:
    """Columns in whose windows the image has changed, shape (N,)."""
    side = 2 * int(np.ceil(before.radius)) + 1
    change = ndimage.maximum_filter(np.abs(after.image - before.image), side, mode="nearest")
    pixel = np.clip(np.round(np.nan_to_num(model[:, [Y, X]])).astype(int), 0, np.array(change.shape) - 1)
    return np.asarray((model[:, HEIGHT] != 0) & (change[tuple(pixel.T)] > UNCHANGED * np.abs(model[:, HEIGHT])))


def _none_lost(before: State, after: State) -> State:
    """The later state; columns that it lost stay as they were."""
    lost = after.away & ~before.away
    return replace(
        after,
        model=np.where(lost[:, None], before.model, after.model),
        away=before.away,
        moved=np.where(lost, before.moved, after.moved),
    )


def _less(scene: Scene, image: np.ndarray) -> Scene:
    """The scene without an image (Y, X)."""
    return replace(scene, image=(scene.image - image).astype(np.float32))
