"""The average of frames that were put on one grid, with its noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.core.scratch import scratch_array
from napari_atomseg.registration.pixel_noise import pixel_noise

BLOCK = 128 * 2**20
"""Bytes of all frames that a median looks at at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Average:
    """An average.

    Attributes
    ----------
    image : ndarray, float32, shape (Y, X)
        NaN where no frame reaches.
    frames : ndarray of int, shape (Y, X)
        How many frames reach each pixel.
    noise : float
        Standard deviation of the noise of a pixel, from the averages of every other frame; what was not put in its place is
        in it. NaN with fewer than two frames.
    noise_of_one : float
        The same of one frame, from its pixels.
    """

    image: np.ndarray
    frames: np.ndarray
    noise: float
    noise_of_one: float


def average(
    frame_of: Callable[[int], np.ndarray],
    placed: Callable[[int], np.ndarray],
    good: Sequence[int],
    shape: tuple[int, int],
    weights: Sequence[float] | None = None,
    median: bool = False,
) -> Steps[Average]:
    """Average frames.

    Parameters
    ----------
    frame_of : callable
        Gives frame k as it was recorded, shape (Y, X).
    placed : callable
        Gives frame k on the grid of the average, shape (Y, X); NaN where it does not reach.
    good : sequence of int
        The frames.
    shape : tuple of int
        (Y, X).
    weights : sequence of float, optional
        Of the frames, in the order of `good`; all alike if left out. Not for medians.
    median : bool
        Take the median of each pixel in place of the mean.
    """
    sums, totals = np.zeros((2, *shape)), np.zeros((2, *shape))
    count = np.zeros(shape, int)
    kept = scratch_array((len(good), *shape)) if median else None
    noises = []
    for place, k in enumerate(good):
        yield Progress(place, len(good), "averaging")
        image = placed(int(k))
        known = np.isfinite(image)
        weight = float(weights[place]) if weights is not None else 1.0
        sums[place % 2][known] += weight * image[known]
        totals[place % 2][known] += weight
        count += known
        noises.append(pixel_noise(frame_of(int(k))))
        if kept is not None:
            kept[place] = image
    total = totals.sum(axis=0)
    mean = np.where(total > 0, sums.sum(axis=0) / np.where(total > 0, total, 1), np.nan)
    both = (totals > 0).all(axis=0)
    halves = sums / np.where(totals > 0, totals, 1)
    noise = float((halves[0] - halves[1])[both].std() / 2) if both.sum() > 1 else float("nan")
    image = mean if kept is None else _medians(kept)
    return Average(image=image.astype(np.float32), frames=count, noise=noise, noise_of_one=float(np.nanmedian(noises)))


def _medians(stack: np.ndarray) -> np.ndarray:
    rows = max(1, BLOCK // (4 * stack.shape[0] * stack.shape[2]))
    found = np.full(stack.shape[1:], np.nan, np.float32)
    for start in range(0, stack.shape[1], rows):
        block = np.array(stack[:, start : start + rows])
        known = np.isfinite(block).any(axis=0)
        part = found[start : start + rows]
        part[known] = np.nanmedian(block[:, known], axis=0)
    return found
