"""Scale bars and lettering drawn into an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.optics.batch import per_image

_GLYPH = (7, 5)
"""Dots of one letter, (y, x)."""


@dataclass(frozen=True, kw_only=True)
class AnnotationParams:
    """What is drawn into one sample; where it is drawn comes from the seed.

    Attributes
    ----------
    bar : float
        Length of the scale bar as a share of the width of the image; 0: no bar.
    letters : int
        Number of letter-like patterns of 7 x 5 dots in a row; 0: no lettering.
    dot : int, px
        Size of a dot, and thickness of the bar.
    brightness : float
        Value drawn: 0 is the lowest of the image, 1 the highest.
    """

    bar: Fraction = 0.0
    letters: Annotated[int, Quantity(low=0, high=200)] = 0
    dot: Annotated[int, Quantity(unit="px", low=1, high=50)] = 2
    brightness: Fraction = 1.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.bar > 0 or params.letters > 0)
def annotation(image: Tensor, params: Sequence[AnnotationParams], seeds: Sequence[int]) -> Tensor:
    """The image with marks drawn over it; the same seeds mark the same pixels of its labels.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of AnnotationParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Post-processing distortions,
    doi:10.1038/s41524-023-01188-0.
    """
    lowest, highest = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
    value = lowest + per_image([one.brightness for one in params], image) * (highest - lowest)
    height, width = image.shape[-2:]
    return torch.where(annotated_pixels((height, width), params, seeds).to(image.device), value, image)


def annotated_pixels(shape: tuple[int, int], params: Sequence[AnnotationParams], seeds: Sequence[int]) -> Tensor:
    """True where something is drawn, shape (B, 1, Y, X), on the CPU; what does not fit into the image is cut.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    params : sequence of AnnotationParams, length B
    seeds : sequence of int, length B
    """
    mask = torch.zeros(len(params), 1, *shape, dtype=torch.bool)
    for part, one, seed in zip(mask[:, 0], params, seeds, strict=True):
        if one.bar > 0:
            _stamp(part, torch.ones(one.dot, max(1, round(one.bar * shape[1])), dtype=torch.bool), seed, stream=0)
        if one.letters > 0:
            _stamp(part, _lettering(one, seed), seed, stream=1)
    return mask


def _lettering(params: AnnotationParams, seed: int) -> Tensor:
    """Random dot patterns in a row, one dot apart."""
    rows, columns = _GLYPH
    dots = seeded.uniform((rows, params.letters, columns + 1), [seed], stream=2)[0] < 0.5
    dots[..., columns] = False
    return dots.reshape(rows, -1).repeat_interleave(params.dot, 0).repeat_interleave(params.dot, 1)


def _stamp(mask: Tensor, pattern: Tensor, seed: int, stream: int) -> None:
    """Set the pattern in the mask at a random place where it fits as well as it can."""
    room = torch.tensor(mask.shape) - torch.tensor(pattern.shape)
    y, x = (seeded.uniform((2,), [seed], stream=stream)[0] * (room.clamp(min=0) + 1)).long().tolist()
    target = mask[y : y + pattern.shape[0], x : x + pattern.shape[1]]
    target |= pattern[: target.shape[0], : target.shape[1]]
