"""A scanned frame with its rows put back: each row is moved as a whole, and the image read from them on a straight grid."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

UNKNOWN_BELOW = 0.99


def straightened(frame: np.ndarray, row_shifts: np.ndarray) -> np.ndarray:
    """What a frame shows, on the grid of the reference.

    Along the rows by cubic splines, row by row; then across them, where the rows of the frame lie between those of the grid.

    Parameters
    ----------
    frame : ndarray, shape (Y, X)
        What is not finite is unknown.
    row_shifts : ndarray, shape (Y, 2), px, (y, x)
        A feature at p of the reference that row r shows lies at p + shift of r in the frame: the shift of the whole frame and
        that of the row together.

    Returns
    -------
    ndarray, float32, shape (Y, X)
        NaN where the frame shows nothing.
    """
    known = np.isfinite(frame)
    filled = frame if known.all() else np.where(known, frame, frame[known].mean() if known.any() else 0.0)
    rows = np.arange(len(frame), dtype=float)
    # Rows that overtook their neighbours are read in order: nothing else can be told of what lies between them.
    places = np.maximum.accumulate(rows - row_shifts[:, 0])
    at = np.interp(rows, places + 1e-9 * rows, rows, left=np.nan, right=np.nan)
    found = _across(_along(np.asarray(filled, np.float32), row_shifts[:, 1]), at)
    reached = _across(_along(known.astype(np.float32), row_shifts[:, 1], order=1), at, order=1)
    return np.where(reached > UNKNOWN_BELOW, found, np.nan).astype(np.float32)


def _along(image: np.ndarray, shifts: np.ndarray, order: int = 3) -> np.ndarray:
    """Each row read at its pixels plus its shift; zero beyond its ends where the order is one."""
    width = image.shape[1]
    places = np.arange(width) + shifts[:, None]
    whole = np.floor(places).astype(np.intp)
    t = (places - whole).astype(np.float32)
    if order == 1:
        inside = (places >= -1e-6) & (places <= width - 1 + 1e-6)
        left, right = (np.take_along_axis(image, np.clip(whole + k, 0, width - 1), axis=1) for k in (0, 1))
        return np.where(inside, (1 - t) * left + t * right, 0.0)
    coefficients = ndimage.spline_filter1d(image, 3, axis=1, output=np.float32, mode="mirror")
    return sum(
        weight * np.take_along_axis(coefficients, _mirrored(whole + k - 1, width), axis=1) for k, weight in enumerate(_weights(t))
    )


def _across(image: np.ndarray, at: np.ndarray, order: int = 3) -> np.ndarray:
    """Rows read at places between them; zero where that is not a number and the order is one."""
    height = image.shape[0]
    places = np.nan_to_num(at)
    whole = np.floor(places).astype(np.intp)
    t = (places - whole).astype(np.float32)[:, None]
    if order == 1:
        inside = np.isfinite(at)[:, None]
        lower, upper = (image[np.clip(whole + k, 0, height - 1)] for k in (0, 1))
        return np.where(inside, (1 - t) * lower + t * upper, 0.0)
    coefficients = ndimage.spline_filter1d(image, 3, axis=0, output=np.float32, mode="mirror")
    return sum(weight * coefficients[_mirrored(whole + k - 1, height)] for k, weight in enumerate(_weights(t)))


def _weights(t: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of the four coefficients around a place, a share t behind the second one."""
    return (1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6


def _mirrored(index: np.ndarray, side: int) -> np.ndarray:
    """Indices reflected into 0 ... side - 1."""
    period = max(2 * (side - 1), 1)
    folded = np.abs(index) % period
    return np.where(folded >= side, period - folded, folded)
