"""Settings that a run of training has unless it is told others."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict
from napari_atomseg.networks.architectures import params_of
from napari_atomseg.networks.card import RESTORATION
from napari_atomseg.networks.zoo import load_model
from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training import checkpoint
from napari_atomseg.training.lessons import Lesson, lesson_of
from napari_atomseg.training.params import TrainParams

FINE_TUNING_RATE = 5e-4
"""Learning rate of a network that has learnt already."""


def run_settings(recipe: Recipe, resumed: Path | None = None, start_from: str | None = None) -> tuple[Any, TrainParams]:
    """Shape of the network and settings of a run; :func:`napari_atomseg.workflows.run_settings`, which needs no torch to import.

    Parameters
    ----------
    recipe, resumed, start_from
        As there.
    """
    lesson = lesson_of(recipe)
    if resumed is not None:
        before = checkpoint.load(resumed).settings
        return from_dict(params_of(before.get("architecture", "unet")), before["network"]), from_dict(
            TrainParams, before["params"]
        )
    if start_from is None:
        return lesson.network, lesson.params
    card = load_model(start_from).card
    shape = from_dict(params_of(card.architecture), card.network)
    if card.outputs != lesson.outputs:
        return _given_such_images(shape, lesson, start_from), lesson.params
    if lesson.task == RESTORATION:
        shape = _given_such_images(shape, lesson, start_from)
    return shape, replace(lesson.params, learning_rate=FINE_TUNING_RATE, native_sampling=card.native_sampling)


def _given_such_images(shape: Any, lesson: Lesson, model: str) -> Any:
    """The shape of a network that is given the images of a lesson, which may come with their kind and what repeats in them."""
    fields, wanted = asdict(shape), asdict(lesson.network)
    images, conditions = wanted.get("images", 1), wanted.get("conditions", 0)
    if fields.get("images", 1) != images or (conditions and "conditions" not in fields):
        raise AtomsegError(
            f"the features of the model {model} are of no use here: it is given other images; choose another model"
        )
    planes = {"conditions": conditions, "periodic": wanted.get("periodic", False)}
    return replace(shape, **{name: value for name, value in planes.items() if name in fields})
