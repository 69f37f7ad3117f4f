"""Shifts of the rows of scanned frames, told from the mean of all frames (Jones & Nellist, Microsc. Microanal. 19 (2013) 1050).

Each row of each frame is moved so that it meets the mean of the other frames, which show the same place with other rows. The mean
is smoothed across the rows first: a column is wider than a row, so what the rows have in common by chance goes too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_atomseg.core.jobs import Steps
from napari_atomseg.registration.frames import Frames
from napari_atomseg.registration.mean_of_others import fit_to_the_others, one_of
from napari_atomseg.registration.straightened import straightened

PASSES, ROUNDS = 3, 3
ALONG = 1.0
"""Width of the Gaussian along the rows, px, for the rows and for the mean."""
ACROSS = (0.7, 2.0)
"""The same across the rows, for the mean only: where shifts along y are told, and where those along x are."""
FARTHEST = 6.0
"""Largest shift of a row against its frame, px."""
WIDEST_PRIOR = 2.0
"""Standard deviation of the shifts of rows to begin with, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RowShifts:
    """How the rows of all frames are displaced.

    Attributes
    ----------
    shifts : ndarray, shape (T, Y, 2), px, (y, x)
        A feature at p of frame 0's grid that row r of frame k shows lies at p + shift there; NaN for frames that are left out.
    jitter : ndarray, shape (2,), px, (y, x)
        Standard deviation of the shifts of rows against their frames.
    """

    shifts: np.ndarray
    jitter: np.ndarray


def register_rows(frame_of: Frames, frame_shifts: np.ndarray, shape: tuple[int, int], passes: int = PASSES) -> Steps[RowShifts]:
    """Shifts of the rows of all frames.

    Parameters
    ----------
    frame_of : callable
        Gives frame k, shape (Y, X), float32.
    frame_shifts : ndarray, shape (T, 2), px, (y, x)
        Those of whole frames; NaN for frames that are left out.
    shape : tuple of int
        (Y, X).
    passes : int
        How often the rows are fitted to the mean of the other frames.
    """
    good = np.flatnonzero(np.isfinite(frame_shifts).all(axis=1))
    rows = np.repeat(frame_shifts[:, None].astype(float), shape[0], axis=1)
    jitter = np.full(2, WIDEST_PRIOR)
    for number in range(passes):
        steps = _one_pass(frame_of, frame_shifts, shape, good, rows, jitter)
        rows, jitter = yield from one_of(passes, number, steps)
    return RowShifts(shifts=rows, jitter=jitter)


def _one_pass(
    frame_of: Frames, frame_shifts: np.ndarray, shape: tuple[int, int], good: np.ndarray, rows: np.ndarray, jitter: np.ndarray
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """Shifts (T, Y, 2) of the rows and their jitter (2,) after each frame was fitted once to the mean of the others."""
    fits = yield from fit_to_the_others(
        frame_of,
        good,
        shape,
        lambda k, frame: straightened(frame, rows[k]),
        lambda k, frame, others: _fitted(frame, others, rows[k], frame_shifts[k], jitter),
        "fitting rows",
    )
    found = rows.copy()
    for k, (shifts, _) in zip(good, fits, strict=True):
        found[k] = shifts
    spreads = [spread for _, spread in fits]
    return found, np.clip(np.sqrt(np.median(spreads, axis=0)), 0.01, WIDEST_PRIOR)


def _fitted(
    frame: np.ndarray, mean: np.ndarray, rows: np.ndarray, whole: np.ndarray, jitter: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (Y, 2) of the rows of one frame, shrunk by what is known of their spread, and that spread squared."""
    known = np.isfinite(frame)
    seen = ndimage.gaussian_filter1d(np.where(known, frame, frame[known].mean()).astype(np.float32), ALONG, axis=1)
    shifts, spread = rows.copy(), np.zeros(2)
    for axis in (1, 0):
        surface = _Surface(mean, ACROSS[axis])
        for _ in range(ROUNDS):
            own, variance = _along_axis(seen, known, surface, shifts, whole, axis, float(jitter[axis]))
            shifts[:, axis] = whole[axis] + np.clip(own, -FARTHEST, FARTHEST)
        spread[axis] = float(np.mean(own**2 + variance))
    # The mean of a frame's rows is that of the frame, or both would drift.
    shifts -= (shifts - whole).mean(axis=0)
    return shifts, spread


class _Surface:
    """The mean of the frames between its pixels, with its slopes.

    Parameters
    ----------
    mean : ndarray, shape (Y, X)
        NaN where it is unknown.
    across : float, px
        Width of the Gaussian across the rows.
    """

    def __init__(self, mean: np.ndarray, across: float) -> None:
        known = np.isfinite(mean)
        filled = np.where(known, mean, mean[known].mean() if known.any() else 0.0)
        smooth = ndimage.gaussian_filter(filled.astype(np.float32), (across, ALONG))
        self._known = known.astype(np.float32)
        self._spline = ndimage.spline_filter(smooth, 3, output=np.float32, mode="mirror")
        self._slopes = [slope.astype(np.float32) for slope in np.gradient(smooth)]

    def at(self, places: list[np.ndarray], axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, slopes along an axis, and where both are known; each of shape (Y, X)."""
        values = ndimage.map_coordinates(self._spline, places, order=3, prefilter=False, mode="mirror", output=np.float32)
        slopes = ndimage.map_coordinates(self._slopes[axis], places, order=1, mode="nearest", output=np.float32)
        known = ndimage.map_coordinates(self._known, places, order=1, mode="constant", output=np.float32) > 0.99
        return values, slopes, known


def _along_axis(
    seen: np.ndarray, known: np.ndarray, surface: _Surface, shifts: np.ndarray, whole: np.ndarray, axis: int, jitter: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (Y,) of the rows along one axis against their frame after one step, and their variances."""
    height, width = seen.shape
    places = [np.broadcast_to((np.arange(height) - shifts[:, 0])[:, None], seen.shape), np.arange(width) - shifts[:, 1][:, None]]
    values, slopes, reached = surface.at(places, axis)
    weight = (known & reached).astype(np.float32)
    number = np.maximum(weight.sum(axis=1, keepdims=True), 1)

    def centred(image: np.ndarray) -> np.ndarray:
        return (image - (weight * image).sum(axis=1, keepdims=True) / number) * weight

    expected, data, slope = centred(values), centred(seen), centred(-slopes)
    power = float((expected**2).sum())
    brightness = float((expected * data).sum()) / power if power > 0 else 1.0
    residual = data - brightness * expected
    # Smoothed noise is alike over a few pixels: that of the sums is larger by so much.
    noise = float((residual**2).sum()) / max(float(weight.sum()), 1.0) * 2 * np.sqrt(np.pi) * ALONG
    slope = slope * brightness
    tells = (slope**2).sum(axis=1) / max(noise, 1e-30)
    own = shifts[:, axis] - whole[axis]
    pull = tells * own + (slope * residual).sum(axis=1) / max(noise, 1e-30)
    variance = 1 / (tells + 1 / jitter**2)
    return variance * pull, variance
