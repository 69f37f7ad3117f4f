"""Pieces of an image that a network looks at one after the other, as it would look at the whole."""

from __future__ import annotations

import torch
from torch import Tensor

TILE = 768
"""Side of the part of a tile that is kept, px of the network."""
WHOLE = 1280
"""An image up to this side is one tile, px of the network."""

Window = tuple[slice, slice]


def network_tiles(shape: tuple[int, int], multiple: int, reach: int) -> list[tuple[Window, Window, Window]]:
    """Pieces of the image that are kept, those that are given to the network, and where the first lie in the second.

    The second reach beyond the first by half the receptive field, so that what is kept does not depend on the tiling.

    Parameters
    ----------
    shape : tuple of int, px, (y, x)
        Of the image as the network takes it.
    multiple : int
        Sides of what is given to the network start at multiples of it.
    reach : int, px
        Pixels on each side that an output can depend on.
    """
    halo = multiple * -(-reach // multiple)
    step = max(shape) if max(shape) <= WHOLE else TILE // multiple * multiple
    found = []
    for top in range(0, shape[0], step):
        for left in range(0, shape[1], step):
            (inner_y, outer_y, place_y), (inner_x, outer_x, place_x) = (
                _along(start, side, step, halo) for start, side in zip((top, left), shape, strict=True)
            )
            found.append(((inner_y, inner_x), (outer_y, outer_x), (place_y, place_x)))
    return found


def _along(start: int, side: int, step: int, halo: int) -> tuple[slice, slice, slice]:
    """The three parts along one axis."""
    stop = min(start + step, side)
    low, high = max(start - halo, 0), min(stop + halo, side)
    return slice(start, stop), slice(low, high), slice(start - low, stop - low)


def continued(window: Tensor, below: int, right: int) -> Tensor:
    """Continue windows by repetition of their border, to sides that the network can halve.

    Parameters
    ----------
    window : Tensor, shape (B, C, Y, X)
    below, right : int, px
        Rows that are added after the last one, and columns.

    Returns
    -------
    Tensor, shape (B, C, Y + below, X + right)
    """
    return torch.nn.functional.pad(window, (0, right, 0, below), mode="replicate")
