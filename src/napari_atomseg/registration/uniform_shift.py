"""A frame shifted as a whole, by cubic splines along one axis after the other, with its slopes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

MARGIN = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Shiftable:
    """Spline coefficients of an image, continued beyond its borders.

    Attributes
    ----------
    coefficients : ndarray, float32, shape (Y + 8, X + 8)
    """

    coefficients: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Of the image."""
        rows, columns = self.coefficients.shape
        return rows - 2 * MARGIN, columns - 2 * MARGIN


@dataclass(frozen=True, kw_only=True, eq=False)
class Moved:
    """An image where it lies after a shift, on the pixels that it reaches.

    Attributes
    ----------
    where : tuple of slice
        Those pixels.
    values : ndarray, shape (y, x)
    slopes : tuple of ndarray, shape (y, x), per px
        Along y and x; empty if they were not asked for.
    """

    where: tuple[slice, slice]
    values: np.ndarray
    slopes: tuple[np.ndarray, ...]


def shiftable(image: np.ndarray) -> Shiftable:
    """Coefficients of an image (Y, X) without unknown pixels."""
    padded = np.pad(np.asarray(image, np.float32), MARGIN, mode="reflect", reflect_type="odd")
    return Shiftable(coefficients=ndimage.spline_filter(padded, 3, output=np.float32, mode="mirror"))


def moved(image: Shiftable, shift: tuple[float, float] | np.ndarray, slopes: bool = False) -> Moved | None:
    """An image whose content has moved by a shift, on the same pixels; None if none of them is reached.

    Parameters
    ----------
    image : Shiftable
    shift : (float, float), px, (y, x)
        What lies at p lies at p + shift then.
    slopes : bool
        Give the slopes too.
    """
    taps = [_taps(-float(one), side) for one, side in zip(shift, image.shape, strict=True)]
    if any(one is None for one in taps):
        return None
    (rows, at_y, weights_y, slopes_y), (columns, at_x, weights_x, slopes_x) = taps  # type: ignore[misc]
    coefficients = image.coefficients
    length_y, length_x = rows.stop - rows.start, columns.stop - columns.start

    def along_y(weights: np.ndarray) -> np.ndarray:
        return sum(weights[k] * coefficients[at_y + k : at_y + k + length_y] for k in range(4))

    def along_x(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return sum(weights[k] * values[:, at_x + k : at_x + k + length_x] for k in range(4))

    plain = along_y(weights_y)
    found = along_x(plain, weights_x)
    more = (along_x(along_y(slopes_y), weights_x), along_x(plain, slopes_x)) if slopes else ()
    return Moved(where=(rows, columns), values=found, slopes=more)


def _taps(offset: float, side: int) -> tuple[slice, int, np.ndarray, np.ndarray] | None:
    """Pixels q at which q + offset lies in an image, where their four coefficients begin, and the weights of those."""
    first, last = max(0, math.ceil(-offset - 1e-9)), min(side - 1, math.floor(side - 1 - offset + 1e-9))
    if last < first:
        return None
    whole = math.floor(offset)
    t = offset - whole
    weights = np.array([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    slopes = np.array([-((1 - t) ** 2), 3 * t**2 - 4 * t, -3 * t**2 + 2 * t + 1, t**2]) / 2
    return slice(first, last + 1), first + whole - 1 + MARGIN, weights.astype(np.float32), slopes.astype(np.float32)
