"""What a network is to see in an image: maps of columns, and the image without what disturbs it.

The labels of Lin et al., Sci. Rep. 11, 5386 (2021), Table 2 and Fig. 3. Columns are painted as small stamps, so that the
cost goes with their number, not with the size of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from napari_atomseg.imaging.linear_adf import ColumnBatch

GAUSSIAN_WIDTH = 0.2
"""Standard deviation of the Gaussian map, Angstrom (Lin et al.)."""
DEBLURRED_WIDTH = 0.25
"""Standard deviation of columns in the deblurred image, Angstrom; Lin et al. leave it open."""
SMALL_SHARE = 0.5
"""Diameter of the small mask in units of the circular one's; Lin et al. leave it open."""
COARSENESS = 3
"""Half sides of stamps are multiples of this, px."""
LEAST_PIXELS = 0.6
"""No painted width is less than this in pixels: narrower ones would depend on where in the pixel the centre lies."""


def circular_mask(columns: ColumnBatch, shape: tuple[int, int], diameter: Sequence[float]) -> Tensor:
    """1 within half of a diameter, px, of a column, 0 elsewhere; shape (B, 1, Y, X).

    Parameters
    ----------
    columns : ColumnBatch
    shape : tuple of int
        (Y, X).
    diameter : sequence of float, length B, px
    """
    radius = _of_columns(diameter, columns) / 2
    return _painted(columns, shape, radius, lambda d2, rows: (d2 <= radius[rows, None] ** 2).float(), "amax")


def gaussian_map(columns: ColumnBatch, shape: tuple[int, int], sigma: Sequence[float]) -> Tensor:
    """Gaussians of height 1 on the columns, the higher where two meet; sigma in px; shape (B, 1, Y, X).

    Parameters
    ----------
    columns : ColumnBatch
    shape : tuple of int
        (Y, X).
    sigma : sequence of float, length B, px
    """
    width = _of_columns([max(value, LEAST_PIXELS) for value in sigma], columns)
    return _painted(columns, shape, 4 * width, lambda d2, rows: torch.exp(-d2 / (2 * width[rows, None] ** 2)), "amax")


def deblurred(columns: ColumnBatch, shape: tuple[int, int], sigma: Sequence[float]) -> Tensor:
    """Narrow Gaussians that hold the columns' whole intensity (`columns.weights`), sigma in px; shape (B, 1, Y, X).

    Parameters
    ----------
    columns : ColumnBatch
    shape : tuple of int
        (Y, X).
    sigma : sequence of float, length B, px
    """
    width = _of_columns([max(value, LEAST_PIXELS) for value in sigma], columns)

    def value(d2: Tensor, rows: Tensor) -> Tensor:
        stamp = torch.exp(-d2 / (2 * width[rows, None] ** 2))
        return stamp * (columns.weights[rows] / stamp.sum(dim=1).clamp_min(1e-12))[:, None]

    return _painted(columns, shape, 4 * width, value, "sum")


def upsampled(columns: ColumnBatch, factor: int) -> ColumnBatch:
    """The same columns on a grid so many times finer; the centre of the first pixel moves with its upper left corner.

    Parameters
    ----------
    columns : ColumnBatch
        Positions and widths in px, with whole numbers at the centres of pixels.
    factor : int

    Returns
    -------
    ColumnBatch
        Positions and widths in px of the finer grid.
    """
    return ColumnBatch(
        positions=(columns.positions + 0.5) * factor - 0.5,
        weights=columns.weights,
        widths=columns.widths * factor,
        sample=columns.sample,
        count=columns.count,
    )


def _of_columns(values: Sequence[float], columns: ColumnBatch) -> Tensor:
    """One value of each image for each of its columns, shape (M,)."""
    return torch.tensor(values, dtype=torch.float32, device=columns.positions.device)[columns.sample]


def _painted(
    columns: ColumnBatch, shape: tuple[int, int], reach: Tensor, value: Callable[[Tensor, Tensor], Tensor], how: str
) -> Tensor:
    """Stamps around all columns put together; `value` makes them (M, P) from squared distances in px, for given columns."""
    device = columns.positions.device
    limits = torch.tensor(shape, device=device)
    near = ((columns.positions > -reach[:, None] - 1) & (columns.positions < limits + reach[:, None])).all(dim=1)
    # Columns of like size at a time: one large stamp must not make all of them large.
    sizes = torch.where(near, torch.ceil(reach / COARSENESS) * COARSENESS, torch.zeros_like(reach)).long()
    # With room for what the stamps of columns near the border hold beyond it.
    room = 2 * int(sizes.max()) + 3 if len(sizes) else 0
    height, width = shape[0] + 2 * room, shape[1] + 2 * room
    image = torch.zeros(columns.count * height * width, device=device)
    for side in sorted(set(sizes.tolist())):
        if side == 0:
            continue
        rows = torch.nonzero(sizes == side)[:, 0]
        step = torch.arange(-side, side + 1, device=device)
        offsets = torch.stack(torch.meshgrid(step, step, indexing="ij"), -1).reshape(-1, 2)
        offsets = offsets[(offsets**2).sum(-1) <= (side + 1) ** 2]
        positions = columns.positions[rows]
        pixel = positions.round()
        (y, x), (off_y, off_x) = (pixel - positions).T, offsets.T
        stamps = value((y[:, None] + off_y) ** 2 + (x[:, None] + off_x) ** 2, rows)
        centre = pixel.long() + room
        first = (columns.sample[rows] * height + centre[:, 0]) * width + centre[:, 1]
        place = (first[:, None] + (off_y * width + off_x)).flatten()
        if how == "sum":
            image.index_add_(0, place, stamps.flatten())
        else:
            image.scatter_reduce_(0, place, stamps.flatten(), reduce=how)
    inner = image.reshape(columns.count, 1, height, width)
    return inner[..., room : height - room, room : width - room].contiguous()
