"""The card of a network that was trained here: where it is valid, how it was trained, how good it is."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.networks.architectures import architecture_of, build_network
from napari_atomseg.networks.card import BEFORE, ModelCard
from napari_atomseg.networks.outputs import counts_atoms
from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training import checkpoint
from napari_atomseg.training.count_calibration import network_calibration
from napari_atomseg.training.lessons import BATCH, SEED, lesson_of
from napari_atomseg.training.params import TrainParams
from napari_atomseg.training.particle_examples import compute_ahead, draw_particle_examples, usual_foci

CALIBRATED = 16
"""Batches by which the probabilities of numbers of atoms are made honest."""
CALIBRATING = "checking its probabilities"
LICENCE = "GPL-3.0-or-later"
COMPARED = ("f1", "recall", "precision", "rms_pm", "exact", "within one", "psnr gain")
"""Scores of the model that a run started from that its card keeps, as far as there are such."""
COURSE = ("step", "seconds", "learning_rate", "training_loss")
"""What a look writes down of the run itself; the rest are scores."""


def card_of(
    recipe: Recipe, network: Any, params: TrainParams, folder: Path, name: str, device: str, calibration: Mapping[str, float]
) -> ModelCard:
    """Card of a network that was trained in a folder, with what its last look at the validation scenes gave.

    Parameters
    ----------
    recipe : Recipe
    network : dataclass
        Shape of the network.
    params : TrainParams
    folder : Path
        With the checkpoint.
    name : str
        Of the model.
    device : str
        On which it was trained.
    calibration : mapping of str to float
        As :func:`calibration_of` gives it.
    """
    state = checkpoint.load(folder)
    lesson = lesson_of(recipe, params.task)
    last = dict(state.history[-1]) if state.history else {}
    scores = {f"validation {key}": round(value, 4) for key, value in last.items() if key not in COURSE}
    # A run that starts from a model begins with a look at what that one reaches.
    first = state.history[0] if state.history and state.history[0]["step"] == 0 and last["step"] > 0 else {}
    scores |= {f"{BEFORE} {key}": round(value, 4) for key, value in first.items() if key in COMPARED}
    return ModelCard(
        name=name,
        about=recipe.about,
        task=lesson.task,
        architecture=architecture_of(network),
        network=asdict(network),
        outputs=lesson.outputs,
        native_sampling=params.native_sampling,
        sampling_range=lesson.sampling_range,
        column_width=lesson.label_width,
        normalisation=lesson.normalisation,
        reach_px=int(build_network(network, lesson.outputs).reach),  # type: ignore[arg-type]
        modality=lesson.modality,
        recipe=recipe.name,
        foci=usual_foci(recipe) if counts_atoms(lesson.outputs) else (),
        calibration=calibration,
        training={**asdict(params), "updates": state.step, "machine": f"{platform.machine()}, {os.cpu_count()} cores, {device}"},
        scores=scores,
        licence=LICENCE,
    )


def calibration_of(recipe: Recipe, network: Any, params: TrainParams, folder: Path) -> Steps[dict[str, float]]:
    """What makes the probabilities of a network that counts atoms honest, on particles that it has not seen; else nothing.

    Parameters
    ----------
    recipe : Recipe
    network : dataclass
        Shape of the network.
    params : TrainParams
    folder : Path
        With the checkpoint.
    """
    lesson = lesson_of(recipe, params.task)
    if not counts_atoms(lesson.outputs):
        return {}
    made = build_network(network, lesson.outputs)
    made.load_state_dict(dict(checkpoint.load(folder).averaged))
    batches = []
    for number in range(CALIBRATED):
        asked = (recipe, SEED + 1, number, BATCH, params.patch, params.native_sampling)
        for _ in compute_ahead(*asked):
            yield Progress(number, CALIBRATED, CALIBRATING)
        batches.append(draw_particle_examples(*asked))
        yield Progress(number + 1, CALIBRATED, CALIBRATING)
    return network_calibration(made, batches, params.native_sampling)
