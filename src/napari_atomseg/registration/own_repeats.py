"""Shifts by which a simulated crystal falls on itself: nothing in it tells such places on an experiment apart."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_atomseg.registration.peaks import peak_heights

ITSELF = 0.98
"""Correlation of an image with itself, shifted, from which on both are nearly the same: narrow columns on coarse pixels of a
perfect crystal do not reach more."""
NEAR = 0.25
"""Distance to such a shift, in units of the shortest of them, within which another shift means the same cell."""


def own_repeats(correlation: np.ndarray) -> np.ndarray:
    """Shifts (N, 2), px, at which an image repeats itself.

    Parameters
    ----------
    correlation : ndarray, shape (2 Y - 1, 2 X - 1)
        Of the image (Y, X) with itself for every shift, NaN where the overlap is small.

    Returns
    -------
    ndarray
        Without the shift by nothing; empty for an image that is nowhere the same.
    """
    filled = np.nan_to_num(correlation, nan=-1.0)
    peaks = np.argwhere((filled == ndimage.maximum_filter(filled, 3)) & (filled > ITSELF - 0.05))
    inner = ((peaks > 0) & (peaks < np.array(filled.shape) - 1)).all(axis=1)
    peaks = peaks[inner]
    heights = peak_heights(filled, peaks)
    middle = (np.array(filled.shape) - 1) // 2
    shifts = peaks[heights >= ITSELF] - middle
    return shifts[(shifts != 0).any(axis=1)]


def same_places(shifts: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    """True for pairs of shifts (N, 2) that differ by a repeat of the image, shape (N, N).

    Parameters
    ----------
    shifts : ndarray, shape (N, 2), px
    repeats : ndarray, shape (R, 2), px
        Shifts at which the image repeats itself.
    """
    if len(repeats) == 0:
        return np.eye(len(shifts), dtype=bool)
    reach = NEAR * np.hypot(*repeats.T).min()
    apart = shifts[:, None] - shifts
    distance = cKDTree(np.concatenate([[[0, 0]], repeats])).query(apart.reshape(-1, 2))[0]
    return np.asarray(distance.reshape(len(shifts), len(shifts)) < reach)


def with_least_moved(
    shifts: np.ndarray, repeats: np.ndarray, correlation: np.ndarray, shape: tuple[int, ...], unmoved: np.ndarray
) -> np.ndarray:
    """The shifts, and before them the same places that are moved least, each at the top of the correlation there.

    Parameters
    ----------
    shifts, repeats : ndarray, shape (N, 2), px
    correlation : ndarray
        Of an experiment with the image for every shift; the first entry belongs to 1 - `shape`.
    shape : tuple of int
        Of the image.
    unmoved : ndarray, shape (2,)
        The shift that lays the middle of the image on that of the experiment.
    """
    if len(repeats) == 0:
        return shifts
    reach = max(1, int(NEAR * np.hypot(*repeats.T).min()))
    firsts = shifts[first_of_each(same_places(shifts, repeats), 1)]
    filled = np.pad(np.nan_to_num(correlation, nan=-1.0), reach, constant_values=-1.0)
    found = []
    for shift in firsts:
        places = shift + np.concatenate([[[0, 0]], repeats])
        nearest = places[np.argmin(np.hypot(*(places - unmoved).T))]
        corner = nearest + np.array(shape) - 1
        if (corner < 0).any() or (corner >= correlation.shape).any():
            continue
        window = filled[corner[0] : corner[0] + 2 * reach + 1, corner[1] : corner[1] + 2 * reach + 1]
        found.append(nearest + np.unravel_index(np.argmax(window), window.shape) - reach)
    both = np.concatenate([np.array(found, dtype=int).reshape(-1, 2), shifts])
    return both[np.sort(np.unique(both, axis=0, return_index=True)[1])]


def first_of_each(same: np.ndarray, most: int) -> np.ndarray:
    """Rows of which at most so many earlier ones are the same place.

    Parameters
    ----------
    same : ndarray of bool, shape (N, N)
        Pairs that are one place.
    most : int
        Of earlier rows of the same place; a row with as many or more is left out.

    Returns
    -------
    rows : ndarray of int
    """
    earlier = np.tril(same, -1).sum(axis=1)
    return np.flatnonzero(earlier < most)
