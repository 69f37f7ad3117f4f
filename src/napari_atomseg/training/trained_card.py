"""The card of a network that was trained here: where it is valid, how it was trained, how good it is."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_atomseg.networks.architectures import architecture_of, build_network
from napari_atomseg.networks.card import BEFORE, ModelCard
from napari_atomseg.networks.outputs import counts_atoms
from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training import checkpoint
from napari_atomseg.training.count_calibration import fitted_temperatures
from napari_atomseg.training.lessons import BATCH, SEED, lesson_of
from napari_atomseg.training.params import TrainParams
from napari_atomseg.training.particle_examples import draw_particle_examples, usual_foci

CALIBRATED = 16
"""Batches by which the probabilities of numbers of atoms are made honest."""
LICENCE = "GPL-3.0-or-later"
COURSE = ("step", "seconds", "learning_rate", "training_loss")
"""What a look writes down of the run itself; the rest are scores."""


def card_of(recipe: Recipe, network: Any, params: TrainParams, folder: Path, name: str, device: str) -> ModelCard:
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
    """
    state = checkpoint.load(folder)
    lesson = lesson_of(recipe, params.task)
    last = dict(state.history[-1]) if state.history else {}
    scores = {f"validation {key}": round(value, 4) for key, value in last.items() if key not in COURSE}
    # A run that starts from a model begins with a look at what that one reaches.
    first = state.history[0] if state.history and state.history[0]["step"] == 0 and last["step"] > 0 else {}
    scores |= {
        f"{BEFORE} {key}": round(value, 4) for key, value in first.items() if key in ("f1", "recall", "precision", "rms_pm")
    }
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
        calibration=_calibration(recipe, network, params, state) if counts_atoms(lesson.outputs) else {},
        training={**asdict(params), "updates": state.step, "machine": f"{platform.machine()}, {os.cpu_count()} cores, {device}"},
        scores=scores,
        licence=LICENCE,
    )


def _calibration(recipe: Recipe, network: Any, params: TrainParams, state: checkpoint.State) -> dict[str, float]:
    """Temperatures of the averaged weights, on particles that were neither learnt from nor looked at."""
    lesson = lesson_of(recipe, params.task)
    made = build_network(network, lesson.outputs)
    made.load_state_dict(dict(state.averaged))
    batches = (
        draw_particle_examples(recipe, SEED + 1, number, BATCH, params.patch, params.native_sampling)
        for number in range(CALIBRATED)
    )
    return fitted_temperatures(made, batches, params.native_sampling)
