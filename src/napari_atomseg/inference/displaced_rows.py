"""How far the rows of a scanned image were displaced, as its lattice or what it is restored to tells it; images without that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from napari_atomseg.inference.whole_normalisation import cut_off

if TYPE_CHECKING:
    from napari_atomseg.inference.predict import Prediction

SCANS_OF_ATOMS = ("hrstem", "hrsem")
"""Kinds of images that are looked at again with their rows put back; where no atoms are seen that gains nothing."""
AT_ONCE = ("hrtem", "lrtem")
"""Kinds of images that no beam scans: a camera records all rows together."""
LEAST_DISPLACEMENT, MOST_LOOKS = 0.07, 6
"""Of rows, root mean square, for which that is worth the time, px; and how often an image is looked at, at most."""
MOST_TIMES = 2.0
"""By how much more rows are put back, at most, than a restored image tells that they are displaced."""
ASTRAY = 1.1
"""Growth of the displacements from one look to the next with which rows are not put back, but led astray."""
SURE = 3.0
"""Standard deviations of what noise makes of them by which squared displacements have to be larger; else rows lie straight."""


def is_scanned(kind: str) -> bool:
    """Whether an image of a kind, such as ``hrstem``, may be one whose rows were recorded one after the other; so may any other.

    Parameters
    ----------
    kind : str
        Empty if it is not known.
    """
    return kind not in AT_ONCE


def image_shifts(maps: Prediction) -> np.ndarray | None:
    """Displacement of each row of an image whose maps were straightened.

    Parameters
    ----------
    maps : Prediction
        As :func:`~napari_atomseg.inference.frame_maps.frame_maps` gives them.

    Returns
    -------
    ndarray, shape (Y, 2), px, (y, x)
        None if they were left as scanned.
    """
    if maps.shifts is None:
        return None
    number = len(maps.shifts)
    rows = maps.grid.to_image(np.stack([np.arange(number), np.zeros(number)], axis=1))[:, 0]
    ratio = np.array([float(one) for one in maps.grid.ratio])
    wanted = np.arange(maps.grid.shape[0])
    return np.stack([np.interp(wanted, rows, maps.shifts[:, axis]) for axis in (0, 1)], axis=1) * ratio


def straight_image(plane: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """An image with its rows where they belong; hot and dead pixels, which would spread, are cut off first.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        What is not finite takes the median of the image.
    shifts : ndarray, shape (Y, 2), px, (y, x)
        Of :func:`image_shifts`.

    Returns
    -------
    ndarray, float32, shape (Y, X)
    """
    return rows_put_back(without_hot_pixels(plane), shifts)


def without_hot_pixels(plane: np.ndarray) -> np.ndarray:
    """An image whose hot and dead pixels are cut off, and whose unknown ones have the median of the others.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        What is not finite is unknown.

    Returns
    -------
    ndarray, float32, shape (Y, X)
    """
    known = np.isfinite(plane)
    image = np.where(known, plane, np.median(plane[known]) if known.any() else 0.0).astype(np.float32)
    return np.asarray(cut_off(torch.from_numpy(image)[None, None])[0, 0].numpy())


def rows_put_back(values: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """An image with every row where it belongs, by cubic splines.

    Parameters
    ----------
    values : ndarray, shape (Y, X)
    shifts : ndarray, shape (Y, 2), px, (y, x)
        By which each row was displaced.

    Returns
    -------
    ndarray, float32, shape (Y, X)
    """
    rows, places = np.arange(values.shape[0]), np.arange(values.shape[1])
    at = [np.broadcast_to((rows + shifts[:, 0])[:, None], values.shape), places[None] + shifts[:, 1:]]
    return np.asarray(ndimage.map_coordinates(values, at, order=3, mode="nearest"), np.float32)


def row_displacements(difference: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """How far rows were displaced along themselves, by what displaced rows leave: a multiple of the image's slope.

    Parameters
    ----------
    difference : ndarray, shape (Y, X)
        Recorded less restored image; what is not finite takes no part.
    restored : ndarray, shape (Y, X)

    Returns
    -------
    ndarray, shape (Y,), px
        Positive to the right; shrunk by what noise alone would make of them, to nothing where rows lie straight.
    """
    slope = np.gradient(restored, axis=1)
    # Nor do pixels beside unknown ones, whose slope is not known.
    good = np.isfinite(difference) & np.isfinite(slope)
    number = np.maximum(good.sum(axis=1, keepdims=True), 1)
    off = np.where(good, difference, 0.0)
    off = np.where(good, off - off.sum(axis=1, keepdims=True) / number, 0.0)
    slope = np.where(good, slope, 0.0)
    square = np.sum(slope * slope, axis=1)
    if not square.any():
        return np.zeros(len(square))
    told = np.maximum(square, 1e-6 * square.max())
    shift, noise = -np.sum(off * slope, axis=1) / told, off[good].var() / told
    if not noise.all():
        return np.asarray(shift)
    excess = float(np.sum(shift**2 / noise)) - len(shift)
    if excess < SURE * np.sqrt(2 * len(shift)):
        return np.zeros(len(shift))
    variance = excess / float(np.sum(1 / noise))
    return np.asarray(shift * variance / (variance + noise))


def times_put_back(displacements: np.ndarray, before: np.ndarray, times: float) -> float:
    """By how much more rows are to be put back than a restored image tells: it follows displaced rows part of the way.

    Of what it tells a look later, the part that the network follows can be told.

    Parameters
    ----------
    displacements, before : ndarray, shape (Y,), px
        Of :func:`row_displacements`, at this look and at the one before.
    times : float
        By how much more they were put back after the latter.

    Returns
    -------
    float
        From 1 to 2.

    Notes
    -----
    A restored image tells the part a of displacements d. After t a d were put back, d (1 - t a) are left, of which it tells
    a d (1 - t a): the part q = 1 - t a of what it told before. The right number of times is 1 / a = t / (1 - q). Ours.
    """
    square = float(before @ before)
    left = float(displacements @ before) / square if square else 0.0
    return float(np.clip(times / max(1 - left, 1e-3), 1.0, MOST_TIMES))
