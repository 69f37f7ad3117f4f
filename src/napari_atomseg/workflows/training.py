"""Training of networks, from a recipe to a model in the list."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.jobs import Progress, job

if TYPE_CHECKING:
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.synthesis.recipe import Recipe
    from napari_atomseg.training.params import TrainParams

LICENCE = "GPL-3.0-or-later"
FINE_TUNING_RATE = 5e-4
"""Learning rate of a network that has learnt already."""


@job
def train(
    recipe: str | Path | Recipe,
    *,
    name: str | None = None,
    network: Any | None = None,
    params: TrainParams | None = None,
    folder: Path | None = None,
    minutes: float | None = None,
    resume: bool = False,
    device: str = "auto",
    workers: int = 1,
    start_from: str | None = None,
) -> Generator[Progress, None, ModelCard]:
    """Train a network on a recipe's images until its updates are made or the minutes are over, and put it into the list.

    Parameters
    ----------
    recipe : str, Path or Recipe
        A preset, a YAML file, or a recipe made by hand.
    name : str, optional
        Of the model; by default the recipe's. A number is added to one that is taken.
    network : dataclass, optional
        Shape of the network, of one of the architectures; with `start_from` that of the model.
    params : TrainParams, optional
        By default those of :func:`run_settings`, as with `network`.
    folder : Path, optional
        For checkpoint and history; by default in the user's folder, under the name.
    minutes : float, optional
        Stop after so many; without `params` the learning rate has fallen to zero by then.
    resume : bool
        Go on where the run in this folder was stopped.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    workers : int
        Processes that draw images.
    start_from : str, optional
        Model whose weights are the first ones (fine-tuning).

    Returns
    -------
    ModelCard
        Of the new model, which is in the user's folder.

    Raises
    ------
    AtomsegError
        If the recipe, the device or the checkpoint will not do.
    """
    from napari_atomseg.inference.params import NetworkParams
    from napari_atomseg.networks.candidate_classifier import joined
    from napari_atomseg.networks.zoo import list_models, load_model, save_model, user_folder
    from napari_atomseg.synthesis.recipe import Recipe, read_recipe
    from napari_atomseg.training.fit import fit
    from napari_atomseg.training.lessons import lesson_of
    from napari_atomseg.workflows.networks import device_of

    given = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    place = folder or training_folder(name or given.name)
    lesson = lesson_of(given)
    usual_shape, usual = run_settings(given, place if resume else None, start_from)
    if minutes is not None and not resume:
        usual = replace(usual, steps=0)
    shape, before, tuned = network or usual_shape, None, params or usual
    if start_from is not None:
        if network is not None and network != usual_shape:
            raise AtomsegError("a network that starts from a model has that model's shape; leave out one of the two")
        before = load_model(start_from)
        if before.card.outputs != lesson.outputs:
            raise AtomsegError(f"the model {start_from} learnt other maps than the recipe {given.name} teaches; choose another")
    weights = dict(before.network.state_dict()) if before is not None else None
    chosen = device_of(NetworkParams(device=device))  # type: ignore[arg-type]  # checked there
    began = time.monotonic()
    found = yield from fit(
        given, shape, tuned, place, minutes=minutes, resume=resume, device=chosen, workers=workers, start_from=weights
    )
    card = card_of(given, shape, tuned, place, free_name(name or given.name, list(list_models())), chosen)
    if before is not None:
        card = replace(card, training={**card.training, "started_from": start_from})
        if before.judge is not None:
            # What speaks for a column stays the same when the network has seen more of one crystal.
            card = replace(card, judge=before.card.judge)
            found = joined(found, before.judge.state_dict())
    card = replace(card, training={**card.training, "seconds_of_last_session": round(time.monotonic() - began)})
    return save_model(card, found, user_folder())


def training_folder(name: str) -> Path:
    """Where the checkpoint and the history of a training run are, if nothing else was asked for."""
    from napari_atomseg.networks.zoo import user_folder

    return user_folder().parent / "training" / name


def run_settings(recipe: Recipe, resumed: Path | None = None, start_from: str | None = None) -> tuple[Any, TrainParams]:
    """Shape of the network and settings that a run has unless it is told others.

    Parameters
    ----------
    recipe : Recipe
    resumed : Path, optional
        Folder with the checkpoint of a run that goes on: that run's settings.
    start_from : str, optional
        Model that is taught: its shape and native sampling, and a lower learning rate.

    Raises
    ------
    AtomsegError
        If there is no such checkpoint or model, or no network learns from such images.
    """
    from napari_atomseg.core.params import from_dict
    from napari_atomseg.networks.architectures import params_of
    from napari_atomseg.networks.zoo import load_model
    from napari_atomseg.training import checkpoint
    from napari_atomseg.training.lessons import lesson_of
    from napari_atomseg.training.params import TrainParams

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
    return shape, replace(lesson.params, learning_rate=FINE_TUNING_RATE, native_sampling=card.native_sampling)


def stopped_at(folder: Path) -> int | None:
    """Updates that the checkpoint in a folder stands for; None if there is none, or one that cannot be read."""
    from napari_atomseg.training import checkpoint

    try:
        return checkpoint.load(folder).step
    except AtomsegError:
        return None


def recipe_for_crystal(
    structure: Path | None = None,
    zone: tuple[int, int, int] = (0, 0, 1),
    columns: Columns | None = None,
    pixel_size: tuple[float, float] | None = None,
) -> Recipe:
    """Recipe for fine-tuning a network on one crystal, from its structure or from the columns of a good area.

    Most images show the crystal, turned, tilted, thick and thin, with vacancies and edges; the others are general.

    Parameters
    ----------
    structure : Path, optional
        File of a crystal (cif, POSCAR, xyz with a cell).
    zone : tuple of int
        Direction [uvw] of that crystal along the beam.
    columns : Columns, optional
        Of one image or frame, in place of a structure: their lattice is estimated, sites with their relative intensities.
    pixel_size : tuple of float, Angstrom, optional
        (y, x); stands above that of the columns.

    Raises
    ------
    AtomsegError
        If neither or both are given, or the file or the columns hold no lattice.
    MissingCalibrationError
        If the columns have no pixel size and none is given.
    """
    from napari_atomseg.analysis.lattice.lattice import fit_lattice
    from napari_atomseg.synthesis.own_recipe import recipe_of_file, recipe_of_lattice

    if structure is not None and columns is None:
        return recipe_of_file(Path(structure), zone)
    if columns is None or structure is not None:
        raise AtomsegError("a crystal is known by a structure file or by the columns of an image; give one of the two")
    size = pixel_size or columns.pixel_size
    if size is None:
        raise MissingCalibrationError("the lattice in Angstrom needs the pixel size of the image; set it first")
    lattice = fit_lattice(columns)
    return recipe_of_lattice(lattice.basis * np.asarray(size), lattice.motif, lattice.intensity, columns.image_name)


def card_of(recipe: Recipe, network: Any, params: TrainParams, folder: Path, name: str, device: str) -> ModelCard:
    """Card of a network that was trained in a folder, with what its last look at the validation scenes gave."""
    from napari_atomseg.networks.architectures import architecture_of, build_network
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.training import checkpoint
    from napari_atomseg.training.lessons import lesson_of

    state = checkpoint.load(folder)
    lesson = lesson_of(recipe)
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
        training={**asdict(params), "updates": state.step, "machine": f"{platform.machine()}, {os.cpu_count()} cores, {device}"},
        scores=scores,
        licence=LICENCE,
    )


BEFORE = "before training"
"""Begins the names of the scores that the model a run started from has on the same scenes."""
COURSE = ("step", "seconds", "learning_rate", "training_loss")
"""What a look writes down of the run itself; the rest are scores."""


def free_name(wanted: str, taken: list[str]) -> str:
    """The name, with a number if it is taken."""
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"


def model_table() -> list[dict[str, Any]]:
    """What there is to say of every model at hand, also of those that cannot be read."""
    from napari_atomseg.networks.card import WEIGHTS, ModelError, read_card
    from napari_atomseg.networks.zoo import checksum, list_models

    rows = []
    for name, folder in list_models().items():
        row: dict[str, Any] = {"name": name, "folder": str(folder)}
        try:
            card = read_card(folder)
            weights = folder / WEIGHTS
            fits = weights.is_file() and checksum(weights) == card.sha256
            row |= {
                "task": card.task,
                "native_sampling_angstrom": card.native_sampling,
                "sampling_range_angstrom": list(card.sampling_range),
                "licence": card.licence,
                "weights": str(weights),
                "checksum": "ok" if fits else "does not fit",
                "scores": dict(card.scores),
                "about": card.about,
            }
        except ModelError as error:
            row["problem"] = str(error)
        rows.append(row)
    return rows
