"""Each frame of a series fitted to the mean of the others, in passes: what fits of rows and of smooth distortions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from napari_atomseg.core.jobs import Progress, Result, Steps, mapped
from napari_atomseg.registration.frames import Frames

Fit = TypeVar("Fit")


def fit_to_the_others(
    frame_of: Frames,
    good: np.ndarray,
    shape: tuple[int, int],
    placed: Callable[[int, np.ndarray], np.ndarray],
    fit: Callable[[int, np.ndarray, np.ndarray], Fit],
    what: str,
) -> Steps[list[Fit]]:
    """One pass over a series: the mean of all frames, then the fit of each to that of the others.

    Parameters
    ----------
    frame_of : callable
        Gives frame k, shape (Y, X), float32.
    good : ndarray of int, shape (G,)
        Numbers of the frames that take part.
    shape : tuple of int
        (Y, X).
    placed : callable
        From k and frame k to that frame on the grid of frame 0, NaN where it shows nothing.
    fit : callable
        From k, frame k and the mean of the others, NaN where there is none, to what is told of frame k.
    what : str
        The phase of the fits in progress.

    Returns
    -------
    list, length G
        What `fit` gives.
    """
    total = 2 * len(good)
    summed, count = np.zeros(shape), np.zeros(shape)
    for place, k in enumerate(good.tolist()):
        yield Progress(place, total, "averaging")
        add_known(summed, count, placed(k, frame_of(k)))
    found = []
    for place, k in enumerate(good.tolist()):
        yield Progress(len(good) + place, total, what)
        frame = frame_of(k)
        found.append(fit(k, frame, mean_without(summed, count, placed(k, frame))))
    return found


def one_of(passes: int, number: int, steps: Steps[Result]) -> Steps[Result]:
    """A pass whose progress is that of all passes.

    Parameters
    ----------
    passes, number : int
        How many there are, and which one this is, from 0.
    steps : generator
    """
    return mapped(steps, lambda here: Progress(number * here.total + here.done, passes * here.total, here.message))


def add_known(summed: np.ndarray, count: np.ndarray, image: np.ndarray) -> None:
    """Add the known pixels of an image to a sum, and count them; both are changed.

    Parameters
    ----------
    summed, count : ndarray, shape (Y, X)
    image : ndarray, shape (Y, X)
        NaN where it is unknown.
    """
    known = np.isfinite(image)
    summed[known] += image[known]
    count[known] += 1


def mean_without(summed: np.ndarray, count: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Mean of the other frames where there are any; NaN elsewhere.

    Parameters
    ----------
    summed, count : ndarray, shape (Y, X)
        Of all frames, as :func:`add_known` leaves them.
    own : ndarray, shape (Y, X)
        The frame that is taken out again.
    """
    known = np.isfinite(own)
    left = count - known
    return np.where(left > 0.5, (summed - np.where(known, own, 0.0)) / np.maximum(left, 1), np.nan)
