"""A part of an image in numbers: a box or a polygon, in pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_atomseg.core.errors import AtomsegError

HOW = "give y0,x0,y1,x1 of a box, or y,x of the corners of a polygon in turn, in px"


@dataclass(frozen=True)
class Region:
    """A box or polygon; pixels belong to it whose middle lies inside, those of a box also on its border.

    Attributes
    ----------
    numbers : tuple of float, px
        ``y0, x0, y1, x1`` of a box, or ``y, x`` of three or more corners of a polygon in turn; the middle of the first pixel is
        0, 0.
    """

    numbers: tuple[float, ...]

    def __post_init__(self) -> None:
        count = len(self.numbers)
        if count < 4 or count % 2 or not np.isfinite(self.numbers).all():
            raise AtomsegError(f'"{self}" is no region; {HOW}')
        if count == 4 and not (self.numbers[0] < self.numbers[2] and self.numbers[1] < self.numbers[3]):
            raise AtomsegError(f"the box {self} has no area: y1 has to be larger than y0, and x1 than x0")
        if count > 4 and self._area() == 0:
            raise AtomsegError(f"the polygon {self} has no area; {HOW}")

    def __str__(self) -> str:
        """As it is typed."""
        return ",".join(f"{number:g}" for number in self.numbers)

    def _area(self) -> float:
        y, x = np.reshape(self.numbers, (-1, 2)).T
        return 0.5 * abs(float(np.dot(y, np.roll(x, -1)) - np.dot(x, np.roll(y, -1))))

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Pixels of an image that belong to the region, shape (Y, X).

        Parameters
        ----------
        shape : tuple of int, px
            (Y, X) of the image.

        Raises
        ------
        AtomsegError
            If there is none.
        """
        from skimage.draw import polygon2mask

        if len(self.numbers) == 4:
            y0, x0, y1, x1 = self.numbers
            y, x = (np.arange(side) for side in shape)
            found = ((y >= y0) & (y <= y1))[:, None] & ((x >= x0) & (x <= x1))
        else:
            found = polygon2mask(shape, np.reshape(self.numbers, (-1, 2)))
        if not found.any():
            raise AtomsegError(f"the region {self} holds no pixel of the image of {shape[0]} x {shape[1]} px (y, x); {HOW}")
        return np.asarray(found, bool)


def mask_of(region: np.ndarray | Region | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """A region as a mask, shape (Y, X); None for the whole image.

    Parameters
    ----------
    region : ndarray of bool, shape (Y, X), or Region, or None
    shape : tuple of int, px
        (..., Y, X) of the image.

    Raises
    ------
    AtomsegError
        If the region lies outside of the image.
    """
    return region.mask((shape[-2], shape[-1])) if isinstance(region, Region) else region


def region_from(text: str) -> Region:
    """A region as it is typed, ``y0,x0,y1,x1`` or ``y,x,y,x,y,x``.

    Parameters
    ----------
    text : str
        Numbers separated by commas, px.

    Raises
    ------
    AtomsegError
        If it is none, or has no area.
    """
    try:
        return Region(tuple(float(part) for part in text.split(",")))
    except ValueError as error:
        raise AtomsegError(f'"{text}" is no region; {HOW}') from error
