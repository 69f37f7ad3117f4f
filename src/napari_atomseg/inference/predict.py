"""All maps of a micrograph: resampled to the network's pixels, normalised once, tile by tile, the same as in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.inference.beam_normalisation import WIDTH as BEAM_WIDTH
from napari_atomseg.inference.beam_normalisation import beam_normalised
from napari_atomseg.inference.grid import LEAST_SIDE, NativeGrid, native_grid
from napari_atomseg.inference.local_normalisation import WIDTH, locally_normalised
from napari_atomseg.inference.network_tiles import continued, network_tiles
from napari_atomseg.inference.normalise import contrast_of, normalised
from napari_atomseg.inference.resample import resample
from napari_atomseg.networks.activate import activate
from napari_atomseg.networks.card import BEAM, LOCAL, RESTORATION, ModelError
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, Output

if TYPE_CHECKING:
    from napari_atomseg.networks.zoo import Model

BAND = 256
"""Rows of native pixels that are read at a time."""
MARGIN = 4
"""Native pixels that resampling reaches beyond what it gives."""
FLIPS: tuple[tuple[int, ...], ...] = ((), (-2,), (-1,), (-2, -1))


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Maps of one image at the network's pixels.

    Attributes
    ----------
    grid : NativeGrid
    maps : mapping of ndarray, float32, shape (Y', X')
        By the name of the output; probabilities from 0 to 1, the others in the image's intensities.
    spread : mapping of ndarray, shape (Y', X')
        Standard deviation over mirrored images, where that was asked for.
    shifts : ndarray, shape (Y', 2), native px, (y, x), or None
        How far each row was displaced in the image, where the maps are freed of that; see :mod:`.rows`.
    image : ndarray, float32, shape (Y', X'), or None
        What the network was given: the image, columns bright, as ``(sign * image - dark) / contrast``.
    dark, contrast, sign : float
    outputs : tuple of Output
        Of the network.
    """

    grid: NativeGrid
    maps: Mapping[str, np.ndarray]
    spread: Mapping[str, np.ndarray] = field(default_factory=dict)
    shifts: np.ndarray | None = None
    image: np.ndarray | None = None
    dark: float = 0.0
    contrast: float = 1.0
    sign: float = 1.0
    outputs: tuple[Output, ...] = COLUMN_OUTPUTS

    def normal(self, task: str) -> np.ndarray:
        """A map as the network gave it: intensities in units of its input's."""
        unit = unit_of(task, self.outputs)
        if unit == "probability":
            return self.maps[task]
        dark = self.dark if unit == "intensity" else 0.0
        return np.asarray((self.sign * self.maps[task] - dark) / self.contrast, np.float32)

    def on_image(self, task: str) -> np.ndarray:
        """A map on the image's own pixels, float32, shape (Y, X)."""
        found = self.laid_on_image(self.maps[task])
        return found.clip(0, 1) if unit_of(task, self.outputs) == "probability" else found

    def laid_on_image(self, values: np.ndarray) -> np.ndarray:
        """Values (Y', X') at the network's pixels on the image's own, float32, shape (Y, X)."""
        native, whole = self.grid.covering
        around = [(0, wanted - side) for wanted, side in zip(native, values.shape, strict=True)]
        given = torch.from_numpy(np.pad(values, around, mode="edge"))[None, None]
        rows, columns = self.grid.shape
        return np.asarray(resample(given, whole)[0, 0, :rows, :columns].numpy())


def predict(
    model: Model,
    plane: Any,
    pixel_size: tuple[float, float],
    tasks: tuple[str, ...] | None = None,
    *,
    sign: float = 1.0,
    averaged: bool = False,
    device: str = "cpu",
) -> Steps[Prediction]:
    """Maps of one image.

    Parameters
    ----------
    model : Model
    plane : array, shape (Y, X), or (F, Y, X) of a focal series
        Numpy or lazy; read in bands.
    pixel_size : tuple of float, Angstrom, (y, x)
    tasks : tuple of str, optional
        Names of the network's outputs; by default all.
    sign : float
        -1 for dark columns on a bright ground.
    averaged : bool
        Mean of the maps of the image and its three mirror images, four times the work; their spread is kept.
    device : str

    Raises
    ------
    ModelError
        If the pixel size is out of the model's range, or the field too small.
    """
    _require_maps(model)
    outputs = model.card.outputs
    names = tuple(output.name for output in outputs)
    tasks = names if tasks is None else tasks
    _check_range(model, pixel_size, tasks, names)
    frames = [plane] if len(plane.shape) == 2 else [plane[number] for number in range(plane.shape[0])]
    _check_frames(model, len(frames))
    grid = _grid_for(model, (int(plane.shape[-2]), int(plane.shape[-1])), pixel_size)
    image = torch.zeros(1, model.card.images, *grid.native_shape)
    first = (model.card.images - len(frames)) // 2
    for number, frame in enumerate(frames):
        image[:, first + number : first + number + 1] = yield from _native_image(frame, grid, sign)
    given, level, scale = _normalised(image, model)
    found, spread = yield from _tile_by_tile(model, given, [names.index(task) for task in tasks], averaged, device)
    units = {task: unit_of(task, outputs) for task in tasks}
    maps = {task: in_counts(units[task], found[row], level, scale, sign) for row, task in enumerate(tasks)}
    wide = {} if spread is None else {task: _spread_in_counts(units[task], spread[row], scale) for row, task in enumerate(tasks)}
    shown = given[0, first].numpy()
    return Prediction(grid=grid, maps=maps, spread=wide, image=shown, dark=level, contrast=scale, sign=sign, outputs=outputs)


def _normalised(image: Tensor, model: Model) -> tuple[Tensor, float, float]:
    """The image as the model takes it, and the level and scale by which intensities come back from its maps."""
    if model.card.normalisation == LOCAL:
        return locally_normalised(image, WIDTH / model.card.native_sampling), 0.0, 1.0
    if model.card.normalisation == BEAM:
        return beam_normalised(image, BEAM_WIDTH / model.card.native_sampling), 0.0, 1.0
    dark, contrast = contrast_of(image)
    return normalised(image, dark, contrast), float(dark), float(contrast)


def _require_maps(model: Model) -> None:
    if model.card.task == RESTORATION:
        raise ModelError(
            f"the model {model.card.name} restores images and gives no maps; use it with restore, or choose one for columns or "
            "structures"
        )


def _grid_for(model: Model, shape: tuple[int, int], pixel_size: tuple[float, float]) -> NativeGrid:
    """Pixels of the model that cover an image, which has to be large enough."""
    grid = native_grid(shape, pixel_size, model.card.native_sampling)
    if min(grid.native_shape) < LEAST_SIDE:
        raise ModelError(
            f"the image has only {grid.native_shape[0]} x {grid.native_shape[1]} pixels of {model.card.native_sampling:g} Å, and "
            f"a network needs {LEAST_SIDE} at least; check the pixel size"
        )
    return grid


def _check_range(model: Model, pixel_size: tuple[float, float], tasks: tuple[str, ...], names: tuple[str, ...]) -> None:
    unknown = [task for task in tasks if task not in names]
    if unknown:
        raise AtomsegError(f'there is no map "{unknown[0]}"; choose of {", ".join(names)}')
    low, high = model.card.sampling_range
    if not all(low <= size <= high for size in pixel_size):
        raise ModelError(
            f"the model {model.card.name} knows images of {format_pixel_size((low, low))} to {format_pixel_size((high, high))}, "
            f"and this one has {format_pixel_size(pixel_size)}; check the pixel size, or use the classical finder"
        )


def _check_frames(model: Model, number: int) -> None:
    card = model.card
    if number == card.images or (number == 1 and card.takes_one_of_a_series):
        return
    wanted = f"{card.images} image{'s' if card.images > 1 else ''}" + (", or one alone" if card.takes_one_of_a_series else "")
    raise ModelError(
        f"the model {card.name} looks at {wanted} of a place together, and {number} were given; choose another model, or other "
        "frames"
    )


def _native_image(plane: Any, grid: NativeGrid, sign: float) -> Steps[Tensor]:
    """The image at native pixels, (1, 1, Y', X'), read band by band; what is not finite takes the median of its band."""
    rows, columns = grid.native_shape
    image = torch.empty(1, 1, rows, columns)
    step = grid.ratio[0].denominator * max(1, BAND // grid.ratio[0].denominator)
    for start in range(0, rows, step):
        if rows > step:
            yield Progress(start, rows, "reading the image")
        stop = min(start + step, rows)
        image[0, 0, start:stop] = _band(plane, grid, start, start + step)[: stop - start] * sign
    return image


def _band(plane: Any, grid: NativeGrid, start: int, stop: int) -> Tensor:
    """Native rows `start` to `stop`, multiples of the ratio's denominator, of an image continued at its borders."""
    ratio_y, ratio_x = grid.ratio
    unit = ratio_y.denominator
    more = unit * -(-MARGIN // unit)
    low, high = int((start - more) * ratio_y), int((stop + more) * ratio_y)
    given = np.asarray(plane[max(low, 0) : min(high, grid.shape[0])], dtype=np.float32)
    bad = ~np.isfinite(given)
    if bad.any():
        given = np.where(bad, np.median(given[~bad]) if not bad.all() else 0.0, given).astype(np.float32)
    side = _beyond(grid.shape[1], ratio_x)
    around = ((max(-low, 0), max(high - grid.shape[0], 0)), (0, side))
    given = np.pad(given, around, mode="edge")
    wide = (round((high - low) / ratio_y), round((grid.shape[1] + side) / ratio_x))
    native = resample(torch.from_numpy(given)[None, None], wide)[0, 0]
    return native[more : more + stop - start, : grid.native_shape[1]]


def _beyond(side: int, ratio: Fraction) -> int:
    """Pixels by which an image is continued so that whole native pixels cover it, and a few more."""
    unit = ratio.numerator
    return -side % unit + unit


def _tile_by_tile(
    model: Model, image: Tensor, heads: list[int], averaged: bool, device: str
) -> Steps[tuple[np.ndarray, np.ndarray | None]]:
    """Maps (T, Y', X') of a normalised image, the same as in one piece, and their spread over mirror images if wanted."""
    found = np.empty((len(heads), *image.shape[-2:]), np.float32)
    spread = np.empty_like(found) if averaged else None
    tiles = network_tiles(
        (image.shape[-2], image.shape[-1]),
        int(model.network.multiple),  # type: ignore[arg-type]
        int(model.network.reach),  # type: ignore[arg-type]
    )
    for done, (inner, outer, place) in enumerate(tiles):
        yield Progress(done, len(tiles), "asking the network")
        mean, deviation = _maps(model, image[..., outer[0], outer[1]], heads, averaged, device)
        found[(slice(None), *inner)] = mean[(slice(None), *place)]
        if spread is not None:
            spread[(slice(None), *inner)] = deviation[(slice(None), *place)]
    return found, spread


def _maps(model: Model, window: Tensor, heads: list[int], averaged: bool, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, (T, Y, X), of the maps of a window and, if asked, its mirror images."""
    multiple = int(model.network.multiple)  # type: ignore[arg-type]
    rows, columns = window.shape[-2:]
    padded = continued(window, -rows % multiple, -columns % multiple)
    total = square = None
    flips = FLIPS if averaged else FLIPS[:1]
    with torch.inference_mode():
        for flip in flips:
            given = torch.flip(padded, flip).to(device, memory_format=torch.channels_last)
            answer = torch.flip(model.network(given).float(), flip)[0, :, :rows, :columns]
            answer = activate(answer, model.card.outputs)[heads].cpu()
            total = answer if total is None else total + answer
            square = answer**2 if square is None else square + answer**2
    assert total is not None
    assert square is not None
    mean = total / len(flips)
    return mean.numpy(), (square / len(flips) - mean**2).clamp_min(0).sqrt().numpy()


def unit_of(name: str, outputs: tuple[Output, ...]) -> str:
    """Unit of an output by its name.

    Parameters
    ----------
    name : str
    outputs : tuple of Output
        Of the network.
    """
    return next(output.unit for output in outputs if output.name == name)


def in_counts(unit: str, values: np.ndarray, dark: float, contrast: float, sign: float) -> np.ndarray:
    """A map of a unit of :class:`~napari_atomseg.networks.outputs.Output`: intensities as in the image, not as in the input.

    Parameters
    ----------
    unit : str
        Of the output.
    values : ndarray
        As the network gives them.
    dark, contrast : float
        Level and scale with which the input was normalised.
    sign : float
        -1 where the image was inverted, else 1.
    """
    if unit == "probability":
        return values
    return np.asarray(sign * (values * contrast + (dark if unit == "intensity" else 0.0)), np.float32)


def _spread_in_counts(unit: str, values: np.ndarray, contrast: float) -> np.ndarray:
    return values * np.float32(1.0 if unit == "probability" else contrast)
