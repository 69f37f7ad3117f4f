"""Pieces of scan lines during which the detector did not respond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.optics.batch import per_image

_Factor = Annotated[float, Quantity(low=0, high=10)]


@dataclass(frozen=True, kw_only=True)
class RowLineParams:
    """Row lines of one sample, Eq. 51.

    Attributes
    ----------
    lines : int
        Number of pieces; they may overlap.
    longest : float, px
        Lengths are drawn between one pixel and this, or to the end of the row.
    lowest, highest : float
        The mean of the piece is multiplied by a random factor between these; 0.5 and 1.5 in the paper.
    """

    lines: Annotated[int, Quantity(low=0, high=10_000)] = 0
    longest: Annotated[float, Quantity(unit="px", low=1, high=1e6, decimals=1)] = 64.0
    lowest: _Factor = 0.5
    highest: _Factor = 1.5

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.lines > 0)
def row_line(image: Tensor, params: Sequence[RowLineParams], seeds: Sequence[int]) -> Tensor:
    """The image with pieces of rows replaced by their mean times a random factor, Eq. 51.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of RowLineParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 51, doi:10.1038/s41524-023-01188-0.
    """
    batch, _, height, width = image.shape
    counts = [one.lines for one in params]
    row, start, length, factor = seeded.uniform_lists(counts, 4, seeds, image.device).unbind(-1)
    longest, lowest, highest = (
        per_image([getattr(one, name) for one in params], image)[:, :, 0, 0] for name in ("longest", "lowest", "highest")
    )
    row = (row * height).long()
    start = (start * width).floor()
    end = start + 1 + (length * longest).floor()
    factor = lowest + (highest - lowest) * factor
    wanted = torch.arange(row.shape[1], device=image.device) < torch.tensor(counts, device=image.device)[:, None]
    end = torch.where(wanted, end, start)
    samples = torch.arange(batch, device=image.device)
    x = torch.arange(width, device=image.device)
    out = image.clone()
    # One line after the other: where two overlap, the later one wins; each takes its mean from the image that came in.
    for n in range(row.shape[1]):
        line = image[samples, 0, row[:, n]]
        piece = (x >= start[:, n : n + 1]) & (x < end[:, n : n + 1])
        mean = (line * piece).sum(1, keepdim=True) / piece.sum(1, keepdim=True).clamp(min=1)
        out[samples, 0, row[:, n]] = torch.where(piece, mean * factor[:, n : n + 1], out[samples, 0, row[:, n]])
    return out
