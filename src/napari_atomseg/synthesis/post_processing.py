"""What people do to an image after it was recorded, and what that does to its labels and columns.

From the first of :data:`GEOMETRIC` on, the steps of a record's noise come after the fact. Lobato et al., "Post-processing
distortions", keep a linear transformation, annotations and cut margins in the target too. Here labels are transformed with the
same parameters; pixels that were replaced, by lettering or by a filling, hold in a restored image what they hold in the
image, and in a map of columns nothing. Columns whose centre was replaced are no longer columns of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.noise.annotation import annotated_pixels
from napari_atomseg.noise.compose import Step, apply
from napari_atomseg.noise.cropping import cropping
from napari_atomseg.noise.interpolation import interpolated_points, interpolation, magnification
from napari_atomseg.specimens.projection import ColumnTruth
from napari_atomseg.synthesis.camera import steps_of
from napari_atomseg.synthesis.record import Record

GEOMETRIC = ("interpolation", "annotation", "cropping")
RESTORED = ("noise_free", "background_free", "deblurred")
BINARY = ("circular_mask", "small_mask")


def during(steps: Sequence[Step]) -> list[Step]:
    """The steps that belong to the recording."""
    return list(steps[: _first(steps)])


def after(steps: Sequence[Step]) -> list[Step]:
    """The steps after the fact."""
    return list(steps[_first(steps) :])


def finished_image(image: Tensor, steps: Sequence[Step]) -> Tensor:
    """An image or focal series (1, F, Y, X) after the fact; marks are in the same places in all frames.

    Parameters
    ----------
    image : Tensor, shape (1, F, Y, X)
        As it was recorded, in counts.
    steps : sequence of Step
        Of :func:`after`.

    Returns
    -------
    Tensor, shape (1, F, Y, X)
    """
    frames = image.transpose(0, 1)
    return apply(frames, [list(steps)] * len(frames)).transpose(0, 1)


def finished_label(name: str, label: Tensor, image: Tensor, steps: Sequence[Step]) -> Tensor:
    """A label that goes with an image after the fact.

    Parameters
    ----------
    name : str
        Of the label: whether it is a mask, a map from 0 to 1 or a restored image; finer ones begin with ``upsampled_``.
    label : Tensor, shape (1, C, factor Y, factor X)
        That of the image as it was recorded.
    image : Tensor, shape (1, F, Y, X)
        After the fact: restored images show it where pixels were replaced.
    steps : sequence of Step
        What was done after the fact.

    Returns
    -------
    Tensor, of the shape of `label`
    """
    base, factor = name.removeprefix("upsampled_"), label.shape[-1] // image.shape[-1]
    planes = label.transpose(0, 1)
    for step, params, _ in steps:
        if step == "interpolation":
            finer = replace(params, shift_y=params.shift_y * factor, shift_x=params.shift_x * factor)
            planes = interpolation(planes, [finer] * len(planes), [0] * len(planes))
    # The kernel overshoots at edges: masks stay masks, and maps between 0 and 1.
    planes = (planes >= 0.5).float() if base in BINARY else planes.clamp(0, 1) if base not in RESTORED else planes
    gone = _finer(replaced_pixels((image.shape[-2], image.shape[-1]), steps).to(image.device), factor)
    instead = torch.zeros_like(planes)
    if base in ("noise_free", "background_free"):
        # Intensity per pixel: that of a finer grid is less.
        instead = (_finer(image, factor) / factor**2).transpose(0, 1).expand_as(planes)
    return torch.where(gone, instead, planes).transpose(0, 1)


def finished_columns(truth: ColumnTruth, record: Record) -> ColumnTruth:
    """Columns where they are after the fact, without those that were covered or cut away; Angstrom in the image as it is then.

    Parameters
    ----------
    truth : ColumnTruth
        Positions in Å in the image as it was recorded.
    record : Record
        Tells pixel size, shape and steps.

    Returns
    -------
    ColumnTruth
    """
    steps, size = after(steps_of(record, 1.0)), record.pixel_size
    places = truth.positions / size
    for step, params, _ in steps:
        if step == "interpolation":
            places = interpolated_points(places, params, record.shape)
    gone = replaced_pixels(record.shape, steps)[0, 0].numpy()
    nearest = np.round(places).astype(int)
    inside = np.all((nearest >= 0) & (nearest < gone.shape), axis=1)
    keep = np.ones(len(places), dtype=bool)
    keep[inside] = ~gone[tuple(nearest[inside].T)]
    number = np.where(keep, np.cumsum(keep) - 1, -1)
    return ColumnTruth(
        positions=places[keep] * pixel_size_after(record),
        scattering=truth.scattering[keep],
        counts=truth.counts[keep],
        column=number[truth.column],
    )


def pixel_size_after(record: Record) -> float:
    """Pixel size of the finished image, Angstrom; the geometric mean if it was stretched."""
    size = record.pixel_size
    for step, params, _ in after(steps_of(record, 1.0)):
        if step == "interpolation":
            size /= magnification(params, record.shape)
    return size


def replaced_pixels(shape: tuple[int, int], steps: Sequence[Step]) -> Tensor:
    """True where a pixel was written over or filled.

    Parameters
    ----------
    shape : tuple of int, px
        (Y, X).
    steps : sequence of Step
        All but interpolation, annotation and cropping are passed over.

    Returns
    -------
    Tensor of bool, shape (1, 1, Y, X)
    """
    kept = torch.ones(1, 1, *shape)
    for step, params, seed in steps:
        if step == "interpolation":
            kept = interpolation(kept, [params], [seed])
        elif step == "cropping":
            kept = cropping(kept, [replace(params, fill="constant", value=0.0)], [seed])
        elif step == "annotation":
            kept = torch.where(annotated_pixels(shape, [params], [seed]), 0.0, kept)
    return kept < 0.5


def _first(steps: Sequence[Step]) -> int:
    names = [name for name, _, _ in steps]
    return min((names.index(name) for name in GEOMETRIC if name in names), default=len(names))


def _finer(plane: Tensor, factor: int) -> Tensor:
    return plane.repeat_interleave(factor, -2).repeat_interleave(factor, -1)
