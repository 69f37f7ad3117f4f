"""Local maxima of the band-passed image, each with its height and its significance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, spatial

from napari_atomseg.localise.detection.noise_level import noise_by_level
from napari_atomseg.localise.detection.repair import repair
from napari_atomseg.localise.detection.response import band_pass, noise_of_response, quantisation_floor
from napari_atomseg.localise.detection.side_lobes import own_heights

CREST = 10.0
"""Largest ratio of the two curvatures of a maximum that is still a spot."""
CURVATURE = 0.9
"""Curvature of the response to a column, one width of the filter away, in units of its height."""
CURVATURE_NOISE, DIFFERENCE_NOISE = 1.5, 1.6
"""Standard deviations, in units of the response's, that white noise gives to a curvature and to the difference of two."""
SURELY_LONG = 4.0
"""Standard deviations by which two curvatures differ in what is no round spot."""
FILTER_IN_COLUMNS = 1.1
OUTSIDE = -0.5
"""Centres that seem to lie beyond the border by less than so many widths may well lie inside it."""
RESPONSE_WIDTH = 1.35
"""Width of the response to a column in units of the filter's, which is a tenth wider than the column."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Peaks:
    """Local maxima, brightest or not.

    Attributes
    ----------
    pixel : ndarray of int, shape (N, 2), (y, x)
        Pixel of the maximum.
    height : ndarray, shape (N,)
        Response there, in units of the image.
    significance : ndarray, shape (N,)
        Response divided by its standard deviation for noise alone.
    own : ndarray, shape (N,)
        Share of the height that is not side lobes of neighbours.
    dark : ndarray of int, shape (M, 2), (y, x)
        Pixels of the maxima of the inverted image.
    decoys : ndarray, shape (M,)
        Significances of these, as far as they are not side lobes of neighbours.
    """

    pixel: np.ndarray
    height: np.ndarray
    significance: np.ndarray
    own: np.ndarray
    dark: np.ndarray
    decoys: np.ndarray

    def __len__(self) -> int:
        return len(self.pixel)


def join(parts: list[Peaks]) -> Peaks:
    """All peaks of several tiles; at least one tile."""
    return Peaks(
        pixel=np.concatenate([part.pixel for part in parts]),
        height=np.concatenate([part.height for part in parts]),
        significance=np.concatenate([part.significance for part in parts]),
        own=np.concatenate([part.own for part in parts]),
        dark=np.concatenate([part.dark for part in parts]),
        decoys=np.concatenate([part.decoys for part in parts]),
    )


def find_peaks(image: np.ndarray, sigma: float) -> tuple[Peaks, np.ndarray]:
    """Local maxima of an image for columns of width `sigma` px, and the response they stand in.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Bright columns; NaN allowed, nothing is found there.
    sigma : float
        Width of the columns, px.

    Returns
    -------
    peaks : Peaks
    response : ndarray of float32, shape (Y, X)
    """
    repaired, valid = repair(image)
    response = band_pass(repaired, sigma)
    noise = noise_by_level(repaired, noise_of_response(repaired, sigma), sigma)
    # Rounding errors of a constant image are no structure.
    floor = max(1e-5 * float(np.max(np.abs(repaired))), quantisation_floor(repaired, noise, sigma))
    usable = ndimage.binary_erosion(valid, iterations=max(1, round(sigma)), border_value=True) if not valid.all() else valid
    pixel = _maxima(response, sigma, floor, usable)
    pixel = pixel[~_centred_outside(repaired, pixel, sigma)]
    dark = _maxima(-response, sigma, floor, usable)
    height, depth = response[tuple(pixel.T)].astype(float), -response[tuple(dark.T)].astype(float)
    bright_noise, dark_noise = noise[tuple(pixel.T)].astype(float), noise[tuple(dark.T)].astype(float)
    significance = np.minimum(height / bright_noise, _significance_of_roundness(response, pixel, height, bright_noise, sigma))
    own = own_heights(np.concatenate([pixel, dark]), np.concatenate([height, -depth]), RESPONSE_WIDTH * sigma)
    return Peaks(
        pixel=pixel,
        height=height,
        significance=significance,
        own=np.clip(own[: len(pixel)] / height, 0, None),
        dark=dark,
        decoys=np.clip(-own[len(pixel) :], 0, None) / dark_noise,
    ), response


def _maxima(response: np.ndarray, sigma: float, floor: float, usable: np.ndarray) -> np.ndarray:
    """Pixels (N, 2) of round maxima; the crest of an edge or of a scan line is not round."""
    # A square window is separable, the disc that is meant is checked on the few survivors.
    reach = max(1, round(sigma))
    side = 2 * max(1, int(reach / np.sqrt(2))) + 1
    peak = (response == ndimage.maximum_filter(response, side, mode="reflect")) & (response > floor) & usable
    pixel = np.argwhere(peak)
    pixel = pixel[_highest_around(response, pixel, reach) & _round(response, pixel, reach)]
    # A clean column halfway between pixels has several that are equally high.
    twins = spatial.cKDTree(pixel).query_pairs(reach, output_type="ndarray") if len(pixel) else np.zeros((0, 2), int)
    return np.delete(pixel, np.unique(twins.max(axis=1)) if len(twins) else [], axis=0)


def _centred_outside(image: np.ndarray, pixel: np.ndarray, sigma: float) -> np.ndarray:
    """True for maxima at the border, shape (N,), that are flanks of columns whose centres lie beyond it.

    How much more steeply the image falls over the first half width from the border than over the second tells where the
    centre of a Gaussian is, whatever its height and background.
    """
    step = max(1, round(sigma / 2))
    width = sigma / FILTER_IN_COLUMNS
    inside = step * np.arange(3) + (step - 1) / 2 + OUTSIDE * width + 0.5
    model = np.exp(-(inside**2) / (2 * width**2))
    steepest = float((model[0] - model[1]) / (model[1] - model[2]))
    outside = np.zeros(len(pixel), bool)
    for axis in (0, 1):
        if image.shape[axis] <= 3 * step:
            continue
        rows = np.moveaxis(image, axis, 0)
        for strips, near in ((rows, pixel[:, axis] <= 1), (rows[::-1], pixel[:, axis] >= image.shape[axis] - 2)):
            some = np.flatnonzero(near)
            along = np.clip(pixel[some, 1 - axis, None] + np.arange(-step, step + 1), 0, strips.shape[1] - 1)
            level = [np.mean(strips[row * step : (row + 1) * step][:, along], axis=(0, 2)) for row in range(3)]
            outside[some] |= level[0] - level[1] > steepest * np.maximum(level[1] - level[2], 0)
    return outside


def _highest_around(response: np.ndarray, pixel: np.ndarray, reach: int) -> np.ndarray:
    """True where no pixel of the disc of radius `reach` is higher."""
    top = np.ones(len(pixel), bool)
    height = response[tuple(pixel.T)]
    for dy, dx in np.argwhere(disc(reach)) - reach:
        y = np.clip(pixel[:, 0] + dy, 0, response.shape[0] - 1)
        x = np.clip(pixel[:, 1] + dx, 0, response.shape[1] - 1)
        top &= response[y, x] <= height
    return top


def _round(response: np.ndarray, pixel: np.ndarray, step: int) -> np.ndarray:
    """True where the curvature along the crest is at least a tenth of that across it (Lowe, IJCV 60, 91 (2004), Eq. 4)."""
    yy, xx, yx = _curvatures(response, pixel, step)
    determinant = yy * xx - yx**2
    return (determinant > 0) & ((yy + xx) ** 2 * CREST < (CREST + 1) ** 2 * determinant)


def _significance_of_roundness(
    response: np.ndarray, pixel: np.ndarray, height: np.ndarray, noise: np.ndarray, sigma: float
) -> np.ndarray:
    """Curvature along the crest in standard deviations for maxima that are surely on a crest, shape (N,); infinity for others.

    The crest along an edge is high, and each of its maxima would be significant that noise makes on it.
    """
    yy, xx, yx = _curvatures(response, pixel, max(1, round(sigma)))
    mean, half = -(yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    along = mean - half
    long = (2 * half > SURELY_LONG * DIFFERENCE_NOISE * noise) & (along < CURVATURE / 2 * height)
    return np.where(long, np.maximum(along, 0) / (CURVATURE_NOISE * noise), np.inf)


def _curvatures(response: np.ndarray, pixel: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Second differences along y, along x, and across both, each of shape (N,)."""

    def at(dy: int, dx: int) -> np.ndarray:
        y = np.clip(pixel[:, 0] + dy * step, 0, response.shape[0] - 1)
        x = np.clip(pixel[:, 1] + dx * step, 0, response.shape[1] - 1)
        return np.asarray(response[y, x], dtype=float)

    middle = 2 * at(0, 0)
    return at(1, 0) + at(-1, 0) - middle, at(0, 1) + at(0, -1) - middle, (at(1, 1) + at(-1, -1) - at(1, -1) - at(-1, 1)) / 4


def disc(radius: int) -> np.ndarray:
    """Filled disc as a boolean footprint, shape (2 radius + 1, 2 radius + 1)."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return y**2 + x**2 <= radius**2
