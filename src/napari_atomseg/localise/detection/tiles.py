"""Cut a large image into overlapping tiles, so that memory stays bounded and a job can be cancelled between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A window of an image.

    Attributes
    ----------
    window : tuple of slice
        What to read: the core and a margin around it, clipped to the image.
    core : tuple of tuple of int
        (start, stop) of the part that this tile alone answers for, along y and x.
    """

    window: tuple[slice, slice]
    core: tuple[tuple[int, int], tuple[int, int]]

    def owns(self, pixel: np.ndarray) -> np.ndarray:
        """True for pixels (N, 2) of the whole image that lie in the core."""
        core = np.array(self.core)
        return np.all((pixel >= core[:, 0]) & (pixel < core[:, 1]), axis=1)


def tiles_of(shape: tuple[int, int], side: int, margin: int) -> list[Tile]:
    """Tiles whose cores cover an image of `shape` once; cores have about `side` pixels a side.

    Parameters
    ----------
    shape : tuple of int, px
        (Y, X) of the image.
    side : int, px
        Of a core, about.
    margin : int, px
        Around a core, as far as the image reaches.
    """
    return [
        Tile(
            window=(_widened(y, margin, shape[0]), _widened(x, margin, shape[1])),
            core=(y, x),
        )
        for y in _spans(shape[0], side)
        for x in _spans(shape[1], side)
    ]


def _spans(length: int, side: int) -> Iterator[tuple[int, int]]:
    count = max(1, round(length / side))
    for index in range(count):
        yield length * index // count, length * (index + 1) // count


def _widened(span: tuple[int, int], margin: int, length: int) -> slice:
    return slice(max(0, span[0] - margin), min(length, span[1] + margin))
