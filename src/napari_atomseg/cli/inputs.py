"""From what was typed to a micrograph and to numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from napari_atomseg.cli.talk import Talk
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict
from napari_atomseg.core.quantities import parse_length

if TYPE_CHECKING:
    from napari_atomseg.core.micrograph import Micrograph

P = TypeVar("P")

PixelSize = Annotated[
    str | None,
    typer.Option("--pixel-size", metavar="LENGTH", help="Pixel size, such as 0.1A or 9.77pm; stands above what the file says."),
]
Dataset = Annotated[
    int | None, typer.Option("--dataset", min=0, metavar="N", help="Dataset in the file; by default its first image.")
]


def open_image(path: Path, dataset: int | None, pixel_size: float | None, talk: Talk) -> Micrograph:
    """The image that is asked for, or the first one; `pixel_size` in Angstrom, if given, stands above the file's."""
    from napari_atomseg.workflows import read

    images = read(path, dataset)
    if len(images) > 1:
        others = ", ".join(str(image.dataset) for image in images[1:])
        talk.note(f"{path}: dataset {images[0].dataset} ({images[0].name}) is taken; --dataset chooses among it and {others}")
    image = images[0]
    return image if pixel_size is None else image.calibrated((pixel_size, pixel_size), "typed")


def pixel_size_of(text: str | None) -> float | None:
    """Pixel size in Angstrom as typed.

    Raises
    ------
    typer.BadParameter
        If it is no length above zero.
    """
    if text is None:
        return None
    try:
        length = parse_length(text)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint="--pixel-size") from None
    if not 0 < length < float("inf"):
        raise typer.BadParameter(f"a pixel size lies above zero, got {text}", param_hint="--pixel-size")
    return length


def frame_of(text: str) -> int | None:
    """Index of a frame; None for all.

    Raises
    ------
    typer.BadParameter
        If it is neither a number nor ``all``.
    """
    if text.lower() == "all":
        return None
    if not text.isdecimal():
        raise typer.BadParameter(f'a number from 0, or "all", was expected, got "{text}"', param_hint="--frame")
    return int(text)


def require_model(model: str | None, names: Sequence[str], option: str = "--model") -> None:
    """Refuse a model that is neither at hand nor a folder.

    Raises
    ------
    typer.BadParameter
        Names those at hand.
    """
    if model is not None and model not in names and not Path(model).is_dir():
        raise typer.BadParameter(f'there is no model "{model}"; models at hand: {", ".join(names) or "none"}', param_hint=option)


def zone_of(text: str) -> tuple[int, int, int]:
    """A direction [uvw] as typed.

    Raises
    ------
    typer.BadParameter
        If it is not three whole numbers, or all of them are zero.
    """
    try:
        u, v, w = (int(part) for part in text.strip("[] ").split(","))
    except ValueError:
        raise typer.BadParameter(f'three whole numbers such as 1,1,0 were expected, got "{text}"', param_hint="--zone") from None
    if not (u or v or w):
        raise typer.BadParameter("the zone axis 0,0,0 is no direction; give one such as 1,1,0", param_hint="--zone")
    return u, v, w


AsScanned = Annotated[bool, typer.Option("--as-scanned", help="Leave displaced scan rows where they are; with networks only.")]


Alone = Annotated[
    bool, typer.Option("--alone", help="Do not compare equivalent places of the crystal with each other; networks only.")
]


def params_of(cls: type[P], option: str, **values: Any) -> P:
    """Parameters out of what was typed.

    Raises
    ------
    typer.BadParameter
        If a value is illegal.
    """
    try:
        return from_dict(cls, values)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
