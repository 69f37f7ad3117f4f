"""What the models at hand are, by their cards: which give columns, which structures, and which is the usual one."""

from __future__ import annotations

from pathlib import Path

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.tasks import NORMALISED, SEGMENTS, TASKS
from napari_atomseg.networks.card import COLUMNS, NAME, STRUCTURES, ModelCard, ModelError, read_card
from napari_atomseg.networks.zoo import ENVIRONMENT, list_models, shipped_folder


def model_cards() -> dict[str, ModelCard]:
    """Cards of the models at hand by their names; those that cannot be read are left out."""
    found = {}
    for name, folder in list_models().items():
        try:
            found[name] = read_card(folder)
        except ModelError:
            continue
    return found


def default_network() -> str:
    """Name of the network that is used for columns if none is named.

    Raises
    ------
    AtomsegError
        If there is none.
    """
    models = list_models()
    shipped = [name for name, folder in models.items() if folder.parent == shipped_folder()]
    cards = model_cards()
    if not models:
        raise AtomsegError(f"there is no network at hand; train one, or name the folder of yours in {ENVIRONMENT}")
    # By name: files of a checkout are as old as chance will have it.
    of_columns = [name for name in sorted(shipped) if name in cards and cards[name].task == COLUMNS]
    return of_columns[0] if of_columns else next(iter(models))


def recognises(model: str) -> bool:
    """Whether a finder is a network that recognises structures, rather than one that finds columns."""
    folder = list_models().get(model) or Path(model)
    return (folder / NAME).is_file() and read_card(folder).task == STRUCTURES


def map_names(model: str) -> tuple[str, ...]:
    """Names of the maps that a network gives; of one that recognises structures, every step from the image to them."""
    card = model_cards().get(model)
    if card is None:
        return TASKS
    outputs = tuple(output.name for output in card.outputs)
    return (NORMALISED, *outputs, SEGMENTS) if card.task == STRUCTURES else outputs
