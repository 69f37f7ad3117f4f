"""What teaching a network something of its own has cost it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.core.params import from_dict
from napari_atomseg.networks.architectures import build_network, params_of
from napari_atomseg.networks.card import ModelCard
from napari_atomseg.synthesis.recipe import presets, read_recipe
from napari_atomseg.training.examples import Examples
from napari_atomseg.training.lessons import BATCHES, lesson_of, scenes
from napari_atomseg.training.params import TrainParams

SCORES = ("f1", "recall", "precision", "rms_pm", "exact", "psnr gain")
"""What is told of a network's general scenes, as far as it has it."""


def general_scores(
    card: ModelCard, before: nn.Module, weights: Mapping[str, Tensor], params: TrainParams
) -> Steps[dict[str, float]]:
    """Scores on the validation scenes that a model was first trained for: its own, and those with other weights.

    Parameters
    ----------
    card : ModelCard
        Of the model that was started from.
    before : nn.Module
        Its network.
    weights : mapping of str to Tensor
        What was learnt since.
    params : TrainParams

    Returns
    -------
    dict of str to float
        ``general f1 before``, ``general f1 after`` and the like; empty where the recipe of the model is not at hand.
    """
    if card.recipe not in presets():
        return {}
    recipe = read_recipe(card.recipe)
    lesson = lesson_of(recipe, params.task)
    after = build_network(from_dict(params_of(card.architecture), card.network), lesson.outputs)
    after.load_state_dict(dict(weights))
    shown: list[Examples] = []
    for batch in scenes(recipe, params.patch, params.native_sampling, params.task):
        yield Progress(len(shown), BATCHES, "drawing general scenes")
        shown.append(batch)
    found: dict[str, float] = {}
    for when, network in (("before", before), ("after", after)):
        reached = lesson.validate(network, shown, params.native_sampling, "cpu")
        found |= {f"general {name} {when}": round(float(reached[name]), 4) for name in SCORES if name in reached}
    return found
