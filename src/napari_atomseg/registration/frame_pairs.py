"""How far the content of one frame has moved in another: the shifts that their correlation proposes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_atomseg.registration.correlation import normalised_correlation
from napari_atomseg.registration.spectra import band_passed

SEARCHED = 512
"""Longest side in px on which shifts are searched."""
AS_HIGH = 0.6
"""Peaks of the correlation that are looked at, in units of the highest one."""
MOST_PEAKS = 60
"""The shortest shifts of a pair of frames."""
INDEPENDENT = 12.0
"""Pixels over which the noise of an image smoothed by one px is alike."""
CELLS_AROUND = 1.6
"""Periods of a lattice within which other shifts are thought of."""
SPLINE_REACH = 12
"""Pixels beyond which others count less than a ten-thousandth for a spline of fifth order."""
CONTRAST = 1e-6
"""Frames that vary less than this share of their level show nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchFrame:
    """A frame without noise from pixel to pixel and slow changes, on the grid of the search.

    Attributes
    ----------
    image : ndarray, shape (Y', X')
    step : int, px
        Of the frame, in one of the search.
    empty : bool
        True if nothing is to be seen in it.
    """

    image: np.ndarray
    step: int
    empty: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class PairShifts:
    """Shifts between two frames at which they look alike.

    Attributes
    ----------
    shifts : ndarray, shape (N, 2), px, (y, x)
        The shortest one first.
    heights : ndarray, shape (N,)
        Correlation over the overlap, -1 to 1.
    noise : float
        Standard deviation of the difference of two heights where noise alone makes it.
    """

    shifts: np.ndarray
    heights: np.ndarray
    noise: float = 0.0

    def around(self, shift: np.ndarray) -> tuple[int, np.ndarray]:
        """The peak nearest to a shift, and the peaks (numbers) of the cells around it.

        Farther ones leave so little in common that a landmark is no longer among it.

        Parameters
        ----------
        shift : ndarray, shape (2,), px, (y, x)
        """
        here = int(np.argmin(np.hypot(*(self.shifts - shift).T)))
        apart = np.hypot(*(self.shifts - self.shifts[here]).T)
        others = np.delete(apart, here)
        if len(others) == 0:
            return here, np.zeros(0, int)
        return here, np.flatnonzero((apart <= CELLS_AROUND * others.min()) & (apart > 0))

    @property
    def highest(self) -> float:
        """The highest correlation, at most 1."""
        return float(self.heights.max(initial=0.0))


def search_frame(frame: np.ndarray) -> SearchFrame:
    """Prepare a frame (Y, X) for the search; what is not finite is unknown."""
    step = -(-max(frame.shape) // SEARCHED)
    known = np.isfinite(frame)
    if not known.any():
        return SearchFrame(image=np.zeros((1, 1)), step=step, empty=True)
    values = frame[known]
    level, spread = float(np.abs(values).mean()), float(values.std())
    image = binned(frame, step)
    return SearchFrame(image=band_passed(image), step=step, empty=spread <= CONTRAST * max(level, 1e-30))


def binned(image: np.ndarray, step: int) -> np.ndarray:
    """Means of blocks of `step` x `step` known pixels (NaN where none is), float64; what is over at the borders is left out.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    step : int, px
    """
    image = np.asarray(image, np.float64)
    if step == 1:
        return image
    rows, columns = (side // step for side in image.shape)
    blocks = image[: rows * step, : columns * step].reshape(rows, step, columns, step)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0.0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def pair_shifts(before: SearchFrame, after: SearchFrame) -> PairShifts:
    """Where the content of one frame may lie in another, as shifts of the content."""
    if before.empty or after.empty:
        return PairShifts(shifts=np.zeros((1, 2)), heights=np.zeros(1))
    correlation = normalised_correlation(after.image, before.image)
    middle = np.array(before.image.shape) - 1
    places, heights = _peaks(correlation)
    shifts = (places - middle) * before.step
    order = np.argsort(np.hypot(*shifts.T))[:MOST_PEAKS]
    independent = np.isfinite(after.image).sum() / INDEPENDENT
    noise = np.sqrt(2 / independent) * (1 - min(1.0, float(heights.max(initial=0.0))) ** 2)
    return PairShifts(shifts=shifts[order], heights=heights[order], noise=float(noise))


def _peaks(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) of the highest peaks, between pixels, and their heights (N,)."""
    inner = ndimage.binary_erosion(np.isfinite(correlation), np.ones((3, 3)))
    highest = float(correlation[inner].max(initial=-1.0))
    # Not a number is not greater either.
    places = np.argwhere((correlation > max(AS_HIGH * highest, 0.0)) & inner)
    places = places[_above_neighbours(correlation, places)]
    if len(places) == 0:
        return (np.array(correlation.shape)[None] - 1) / 2, np.zeros(1)
    order = np.argsort(np.hypot(*(places - (np.array(correlation.shape) - 1) / 2).T))[:MOST_PEAKS]
    between = places[order] + _between_pixels(correlation, places[order])
    return between, np.array([_height(correlation, place, here) for place, here in zip(places[order], between, strict=True)])


def _above_neighbours(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Which places (N, 2), none of them at the border, are at least as high as all eight around them."""
    y, x = places.T
    own = values[y, x]
    around = [values[y + up, x + right] for up in (-1, 0, 1) for right in (-1, 0, 1) if up or right]
    return np.all([own >= other for other in around], axis=0)


def _height(values: np.ndarray, pixel: np.ndarray, place: np.ndarray) -> float:
    """Height of a peak between pixels; a fine lattice has a few pixels a period here, which parabolas do not follow."""
    low, high = np.maximum(pixel - SPLINE_REACH, 0), np.minimum(pixel + SPLINE_REACH + 1, values.shape)
    around = np.nan_to_num(values[low[0] : high[0], low[1] : high[1]])
    return float(ndimage.map_coordinates(around, (place - low)[:, None], order=5, mode="mirror")[0])


def _between_pixels(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where the parabola through a peak and its neighbours is highest, along each axis, px, shape (N, 2)."""
    offsets = np.zeros(places.shape)
    middle = values[tuple(places.T)]
    for axis in (0, 1):
        step = np.eye(2, dtype=int)[axis]
        low, high = (values[tuple((places + sign * step).T)] for sign in (-1, 1))
        bend = low - 2 * middle + high
        offsets[:, axis] = np.where(bend < 0, (low - high) / np.where(bend < 0, 2 * bend, 1.0), 0.0)
    return np.clip(offsets, -0.5, 0.5)
