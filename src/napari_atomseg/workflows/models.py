"""Models as things to have: import one, say whether it fits an image, teach one a crystal."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.core.tasks import TASKS
from napari_atomseg.inference.params import NetworkParams

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.synthesis.recipe import Recipe

LOOKS = 8
"""How often a short run looks at its validation scenes, about."""
BATCH = 8
"""Images of one update in a short run: more updates, rather than better ones."""
PATCH = 128
"""Side of the images, px."""
UPDATES_A_MINUTE = 60
"""Of a processor without a GPU, roughly; sets how far the looks are apart."""


def models_folder() -> Path:
    """Folder of the user's own models; made if it is not there yet."""
    from napari_atomseg.networks.zoo import user_folder

    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@job
def add_model(given: Path) -> Generator[Progress, None, str]:
    """Copy a model's folder to the user's models, after it was loaded once; gives its name.

    Raises
    ------
    AtomsegError
        If it is no model, or one of that name is there; nothing is copied then.
    """
    yield Progress(0, 0, "reading the model")
    from napari_atomseg.networks.zoo import import_model

    return import_model(given)


def pixel_size_told(micrograph: Micrograph, params: NetworkParams) -> tuple[float, float] | None:
    """Pixel size (y, x) in Angstrom that a network is told; None if it has to be estimated from the columns' width."""
    if params.pixel_size is not None:
        return params.pixel_size, params.pixel_size
    return micrograph.pixel_size


def why_unfit(card: ModelCard, pixel_size: tuple[float, float]) -> str:
    """Why a model cannot look at images of a pixel size, in one sentence; empty if it can."""
    low, high = card.sampling_range
    if all(low <= size <= high for size in pixel_size):
        return ""
    return (
        f"The model {card.name} knows images of {format_pixel_size((low, low))} to {format_pixel_size((high, high))}, and this "
        f"one has {format_pixel_size(pixel_size)}; check the pixel size, or use the classical finder."
    )


def recognises(model: str) -> bool:
    """Whether a finder is a network that recognises structures, rather than one that finds columns."""
    from napari_atomseg.networks.card import NAME, STRUCTURES, read_card
    from napari_atomseg.networks.zoo import list_models

    folder = list_models().get(model) or Path(model)
    return (folder / NAME).is_file() and read_card(folder).task == STRUCTURES


def map_names(model: str) -> tuple[str, ...]:
    """Names of the maps that a network gives."""
    from napari_atomseg.workflows.networks import model_cards

    card = model_cards().get(model)
    return TASKS if card is None else tuple(output.name for output in card.outputs)


@job
def teach(
    recipe: Recipe, *, minutes: float, start_from: str | None = None, name: str | None = None, device: str = "auto"
) -> Generator[Progress, None, ModelCard]:
    """Train for a few minutes on one crystal, in this process; see :func:`napari_atomseg.workflows.training.train`.

    Parameters
    ----------
    recipe : Recipe
    minutes : float
        The learning rate has fallen to zero when they are over.
    start_from : str, optional
        Model that is taught; without it a network begins from nothing, for which minutes are too few.
    name : str, optional
        Of the new model; by default the recipe's.
    device : str

    Returns
    -------
    ModelCard
        Of the new model; the one that was taught stays as it is.

    Raises
    ------
    AtomsegError
        If the model is not there, or there is no time.
    """
    from napari_atomseg.training.params import TrainParams
    from napari_atomseg.workflows.networks import model_cards
    from napari_atomseg.workflows.training import FINE_TUNING_RATE, train

    if minutes <= 0:
        raise AtomsegError("training needs some minutes; give more than 0")
    apart = max(5, round(UPDATES_A_MINUTE * minutes / LOOKS))
    params = TrainParams(steps=0, batch=BATCH, patch=PATCH, validate_every=apart)
    if start_from is not None:
        card = model_cards().get(start_from)
        if card is None:
            raise AtomsegError(f'there is no model "{start_from}"; choose another to start from')
        params = replace(params, native_sampling=card.native_sampling, learning_rate=FINE_TUNING_RATE)
    return (
        yield from train.steps(recipe, name=name, params=params, minutes=minutes, device=device, workers=0, start_from=start_from)
    )
