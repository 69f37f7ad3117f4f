"""Training of networks, from a recipe to a model in the list."""

from __future__ import annotations

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
    from napari_atomseg.synthesis.metal_recipe import FccMetal
    from napari_atomseg.synthesis.recipe import Recipe
    from napari_atomseg.training.params import TrainParams

LOOKS = 8
"""How often a short run looks at its validation scenes, about."""
BATCH = 8
"""Images of one update in a short run: more updates, rather than better ones."""
PATCH = 128
"""Side of the images, px."""
UPDATES_A_MINUTE = 60
"""Of a processor without a GPU, roughly; sets how far the looks are apart."""


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
    say_forgotten: bool = False,
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
    say_forgotten : bool
        With `start_from` on another recipe than the model's: judge both on the scenes of that one too.

    Returns
    -------
    ModelCard
        Of the new model, which is in the user's folder.

    Raises
    ------
    AtomsegError
        If the recipe, the device or the checkpoint will not do.
    """
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.params import NetworkParams
    from napari_atomseg.networks.candidate_classifier import joined
    from napari_atomseg.networks.zoo import free_name, list_models, load_model, save_model, user_folder
    from napari_atomseg.synthesis.recipe import Recipe, read_recipe
    from napari_atomseg.training.features_of_another import Planes, for_planes
    from napari_atomseg.training.fit import fit
    from napari_atomseg.training.forgetting import general_scores
    from napari_atomseg.training.lessons import lesson_of
    from napari_atomseg.training.trained_card import calibration_of, card_of

    given = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    place = folder or training_folder(name or given.name)
    usual_shape, usual = run_settings(given, place if resume else None, start_from)
    if minutes is not None and not resume:
        usual = replace(usual, steps=0)
    shape, before, tuned = network or usual_shape, None, params or usual
    if start_from is not None:
        if network is not None and network != usual_shape:
            raise AtomsegError("a network that starts from a model has that model's shape; leave out one of the two")
        before = load_model(start_from)
    lesson = lesson_of(given, tuned.task)
    weights, same_planes = None, False
    if before is not None:
        seen, shown = Planes.of(before.card.network, before.card.modality), Planes.of(asdict(shape), lesson.modality)
        weights, same_planes = for_planes(before.network.state_dict(), seen, shown), seen == shown
    chosen = device_of(NetworkParams(device=device))  # type: ignore[arg-type]  # checked there
    began = time.monotonic()
    found = yield from fit(
        given, shape, tuned, place, minutes=minutes, resume=resume, device=chosen, workers=workers, start_from=weights
    )
    calibration = yield from calibration_of(given, shape, tuned, place)
    card = card_of(given, shape, tuned, place, free_name(name or given.name, list(list_models())), chosen, calibration)
    if before is not None:
        card = replace(card, training={**card.training, "started_from": start_from})
        # A network that is told other kinds is no longer one for the scenes of before.
        forgets = before.card.recipe != given.name and before.card.outputs == lesson.outputs and same_planes
        if say_forgotten and forgets:
            scores = yield from general_scores(before.card, before.network, found, tuned)
            card = replace(card, scores={**card.scores, **scores})
        if before.classifier is not None and before.card.outputs == lesson.outputs:
            # What speaks for a column stays the same when the network has seen more of one crystal.
            card = replace(card, judge=before.card.judge)
            found = joined(found, before.classifier.state_dict())
    card = replace(card, training={**card.training, "seconds_of_last_session": round(time.monotonic() - began)})
    return save_model(card, found, user_folder())


def training_folder(name: str) -> Path:
    """Where the checkpoint and the history of a training run are, if nothing else was asked for."""
    from napari_atomseg.networks.zoo import user_folder

    return user_folder().parent / "training" / name


def run_settings(recipe: Recipe, resumed: Path | None = None, start_from: str | None = None) -> tuple[Any, TrainParams]:
    """Shape of the network and settings that a run has by default.

    Parameters
    ----------
    recipe : Recipe
    resumed : Path, optional
        Folder with the checkpoint of a run that goes on: that run's settings.
    start_from : str, optional
        Model that it starts from: its shape and native sampling, and a lower learning rate. Of a model with other outputs
        the shape alone, since only its features are of use.

    Raises
    ------
    AtomsegError
        If there is no such checkpoint or model, no network learns from such images, or the model cannot be given them.
    """
    from napari_atomseg.training.run_settings import run_settings as settings_of

    return settings_of(recipe, resumed, start_from)


def stopped_at(folder: Path) -> int | None:
    """Updates that the checkpoint in a folder stands for; None if there is none, or one that cannot be read."""
    from napari_atomseg.training import checkpoint

    try:
        return checkpoint.load(folder).step
    except AtomsegError:
        return None


@job
def fine_tune(
    recipe: str | Path | Recipe,
    *,
    minutes: float,
    start_from: str | None = None,
    name: str | None = None,
    device: str = "auto",
) -> Generator[Progress, None, ModelCard]:
    """Train for a few minutes, in this process; see :func:`napari_atomseg.workflows.training.train`.

    Parameters
    ----------
    recipe : str, Path or Recipe
        Of a crystal or metal of one's own, a preset, or a YAML file.
    minutes : float
        The learning rate has fallen to zero when they are over.
    start_from : str, optional
        Model to start from, one of :func:`starts_for`; without it a network begins from nothing, for which minutes are too few.
    name : str, optional
        Of the new model; by default the recipe's.
    device : str

    Returns
    -------
    ModelCard
        Of the new model; the one that it started from stays as it is.

    Raises
    ------
    AtomsegError
        If the model is not there or learnt something else, or there is no time.
    """
    from napari_atomseg.networks.card import COLUMNS
    from napari_atomseg.networks.catalogue import model_cards
    from napari_atomseg.synthesis.recipe import Recipe, read_recipe
    from napari_atomseg.training.taught import taught_by

    if minutes <= 0:
        raise AtomsegError("training needs some minutes; give more than 0")
    given = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    if start_from is not None and start_from not in starts_for(given):
        why = "learns other maps than" if start_from in model_cards() else "is no model at hand, and there is nothing of it for"
        raise AtomsegError(f'"{start_from}" {why} {given.name}; choose another model to start from')
    _, params = run_settings(given, start_from=start_from)
    apart = max(5, round(UPDATES_A_MINUTE * minutes / LOOKS))
    params = replace(params, steps=0, validate_every=apart)
    if taught_by(given).task == COLUMNS:
        params = replace(params, batch=BATCH, patch=PATCH)
    return (
        yield from train.steps(given, name=name, params=params, minutes=minutes, device=device, workers=0, start_from=start_from)
    )


def starts_for(recipe: Recipe) -> tuple[str, ...]:
    """Names of the models at hand whose weights a network for the images of a recipe can begin with.

    Parameters
    ----------
    recipe : Recipe

    Raises
    ------
    AtomsegError
        If no network learns from such images.
    """
    from napari_atomseg.networks.catalogue import model_cards
    from napari_atomseg.training.taught import taught_by

    taught = taught_by(recipe)
    return tuple(name for name, card in model_cards().items() if taught.begins_with(card))


def recipe_for_metal(metal: FccMetal) -> Recipe:
    """Recipe for counting the atoms of particles of another fcc metal; the rest is that of the network for gold.

    Parameters
    ----------
    metal : FccMetal

    Raises
    ------
    AtomsegError
        If it is no element, or has no fcc lattice and none is given.
    """
    from napari_atomseg.synthesis.metal_recipe import recipe_of_metal

    return recipe_of_metal(metal)


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
    from napari_atomseg.synthesis.crystal_recipe import recipe_of_file, recipe_of_lattice

    if structure is not None and columns is None:
        return recipe_of_file(Path(structure), zone)
    if columns is None or structure is not None:
        raise AtomsegError("a crystal is known by a structure file or by the columns of an image; give one of the two")
    size = pixel_size or columns.pixel_size
    if size is None:
        raise MissingCalibrationError("the lattice in Angstrom needs the pixel size of the image; set it first")
    lattice = fit_lattice(columns)
    return recipe_of_lattice(lattice.basis * np.asarray(size), lattice.motif, lattice.intensity, columns.image_name)
