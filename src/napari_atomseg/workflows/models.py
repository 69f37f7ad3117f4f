"""Models as things to have: list them, add one, say whether it fits an image."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.quantities import format_pixel_size

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard


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


def why_unfit(card: ModelCard, pixel_size: tuple[float, float]) -> str:
    """Why a model cannot look at images of a pixel size, in one sentence; empty if it can.

    Parameters
    ----------
    card : ModelCard
    pixel_size : tuple of float, Angstrom, (y, x)
    """
    low, high = card.sampling_range
    if all(low <= size <= high for size in pixel_size):
        return ""
    return (
        f"The model {card.name} knows images of {format_pixel_size((low, low))} to {format_pixel_size((high, high))}, and this "
        f"one has {format_pixel_size(pixel_size)}; check the pixel size, or use the classical finder."
    )


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
