"""From what was typed to a micrograph and to numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from napari_atomseg.cli.console import Console
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict
from napari_atomseg.core.quantities import parse_length

if TYPE_CHECKING:
    from napari_atomseg.core.micrograph import Micrograph
    from napari_atomseg.core.region import Region

P = TypeVar("P")

PixelSize = Annotated[
    str | None,
    typer.Option("--pixel-size", metavar="LENGTH", help="Pixel size, such as 0.1A or 9.77pm; stands above what the file says."),
]
Dataset = Annotated[
    int | None, typer.Option("--dataset", min=0, metavar="N", help="Dataset in the file; by default its first image.")
]
Frames = Annotated[str, typer.Option("--frame", metavar="N|all", help="Frame of a stack, counted from 0.")]
RegionText = Annotated[
    str | None,
    typer.Option(
        "--region",
        metavar="Y,X,Y,X",
        help="Part of the image to look at: y0,x0,y1,x1 of a box, or y,x of the corners of a polygon in turn, in px.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
ImagesIn = Annotated[list[Path], typer.Argument(metavar="INPUT ...", help="Images or stacks.")]
StructuresIn = Annotated[list[Path], typer.Argument(metavar="STRUCTURE ...", help="cif, xyz, POSCAR ..., whatever ase reads.")]
ImagesOut = Annotated[
    str,
    typer.Option(
        "-o", "--output", metavar="OUT", help="File (.tif, .npy, .hspy or .zspy), or a folder for any number of inputs."
    ),
]


@dataclass(frozen=True, kw_only=True)
class ImageChoice:
    """Which image of a file is opened, and with which pixel size, as typed; a group of options.

    Raises
    ------
    typer.BadParameter
        If something was typed that cannot be.
    """

    pixel_size: PixelSize = None
    dataset: Dataset = None

    def __post_init__(self) -> None:
        pixel_size_of(self.pixel_size)

    def open(self, path: Path, console: Console) -> Micrograph:
        """The image of a file; the console is told if there are others to choose among."""
        return open_image(path, self.dataset, pixel_size_of(self.pixel_size), console)


@dataclass(frozen=True, kw_only=True)
class PartChoice(ImageChoice):
    """Also which frames of it, and which part of them."""

    frame: Frames = "all"
    region: RegionText = None

    def __post_init__(self) -> None:
        super().__post_init__()
        frame_of(self.frame)
        region_of(self.region)

    @property
    def frames(self) -> int | None:
        """Index of the frame; None for all."""
        return frame_of(self.frame)

    @property
    def part(self) -> Region | None:
        """The region; None for the whole image."""
        return region_of(self.region)


def open_image(path: Path, dataset: int | None, pixel_size: float | None, console: Console) -> Micrograph:
    """The image that is asked for, or the first one; `pixel_size` in Angstrom, if given, stands above the file's.

    Parameters
    ----------
    path : Path
    dataset : int or None
        Number of the image in its file; None for the first one.
    pixel_size : float, Å, or None
        Of square pixels.
    console : Console
        Told if there are others to choose among.
    """
    from napari_atomseg.workflows import read

    images = read(path, dataset)
    if len(images) > 1:
        others = ", ".join(str(image.dataset) for image in images[1:])
        console.note(f"{path}: dataset {images[0].dataset} ({images[0].name}) is taken; --dataset chooses among it and {others}")
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
    length = length_of(text, "--pixel-size")
    if not 0 < length < float("inf"):
        raise typer.BadParameter(f"a pixel size lies above zero, got {text}", param_hint="--pixel-size")
    return length


def length_of(text: str, option: str) -> float:
    """A length in Angstrom as typed, such as ``1.2um``.

    Parameters
    ----------
    text : str
    option : str
        Its name, for the message.

    Raises
    ------
    typer.BadParameter
        If it is none.
    """
    try:
        return parse_length(text)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def region_of(text: str | None) -> Region | None:
    """The region that was typed; None for the whole image.

    Raises
    ------
    typer.BadParameter
        If it is none, or has no area.
    """
    from napari_atomseg.core.region import region_from

    try:
        return None if text is None else region_from(text)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint="--region") from None


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

    Parameters
    ----------
    model : str or None
        Name or path; None is no model, and passes.
    names : sequence of str
        Models at hand.
    option : str
        What the error is about.

    Raises
    ------
    typer.BadParameter
        Names those at hand.
    """
    if model is not None and model not in names and not Path(model).is_dir():
        raise typer.BadParameter(f'there is no model "{model}"; models at hand: {", ".join(names) or "none"}', param_hint=option)


def params_of(cls: type[P], option: str, **values: Any) -> P:
    """Parameters out of what was typed.

    Parameters
    ----------
    cls : type
        Parameter class.
    option : str
        What errors are about.
    **values
        Its fields.

    Raises
    ------
    typer.BadParameter
        If a value is illegal.
    """
    try:
        return from_dict(cls, values)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
