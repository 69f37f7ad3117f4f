"""Shifts of the rows of scanned frames, told from the mean of all frames (Jones & Nellist, Microsc. Microanal. 19 (2013) 1050).

Each row of each frame is moved so that it meets the mean of the other frames, which show the same place with other rows. The mean
is smoothed across the rows first: a column is wider than a row, so what the rows have in common by chance goes too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.registration.frames import Frames
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
    total = passes * 2 * len(good)
    for one in range(passes):
        summed, count = np.zeros(shape), np.zeros(shape)
        for place, k in enumerate(good):
            yield Progress(one * 2 * len(good) + place, total, "averaging")
            add_known(summed, count, straightened(frame_of(int(k)), rows[k]))
        found, spreads = rows.copy(), []
        for place, k in enumerate(good):
            yield Progress((one * 2 + 1) * len(good) + place, total, "fitting rows")
            frame = frame_of(int(k))
            own = straightened(frame, rows[k])
            others = mean_without(summed, count, own)
            found[k], spread = _fitted(frame, others, rows[k], frame_shifts[k], jitter)
            spreads.append(spread)
        rows = found
        jitter = np.clip(np.sqrt(np.median(spreads, axis=0)), 0.01, WIDEST_PRIOR)
    return RowShifts(shifts=rows, jitter=jitter)


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
