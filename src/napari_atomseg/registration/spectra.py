"""Rotation and magnification between two images, roughly, from their spectra, which know nothing of shifts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import fft, ndimage

from napari_atomseg.registration.placement import Limits, Placement, rotation_matrix
from napari_atomseg.registration.spline_image import SplineImage, resampled

SEARCHED = 1024  # px along the longer field at which shifts are searched
_SPOTS = 600  # strongest values of a spectrum
_TURN_STEP, _SCALE_STEP = math.radians(0.25), 0.0025
_LOWEST_FREQUENCY = 4.0  # periods across the smaller field: what is slower is shape and illumination
_PEAK, _AS_HIGH = 41, 0.8  # turns among which a peak is the highest, and share of the highest that is as good


def rotation_between(
    simulated: np.ndarray,
    experimental: np.ndarray,
    simulated_pixel: tuple[float, float],
    experimental_pixel: tuple[float, float],
) -> float:
    """Angle, rad, by which a simulated image has to be turned from x towards y to lie as the experiment does.

    From the spots of their spectra, which know neither the shift nor half a turn: from -pi/2 to pi/2, to a quarter of a
    degree. Of the angles that are as good for a crystal of more symmetry the smallest is found.

    Parameters
    ----------
    simulated, experimental : ndarray, shape (Y, X)
    simulated_pixel, experimental_pixel : tuple of float, Å, (y, x)

    Returns
    -------
    angle : float, rad
    """
    fields = [np.array(simulated.shape) * simulated_pixel, np.array(experimental.shape) * experimental_pixel]
    step = max(min(experimental_pixel), min(simulated_pixel), float(np.max(fields)) / SEARCHED)
    expected, seen = (
        band_passed(on_search_grid(image, pixel, step, Placement())[0])
        for image, pixel in ((simulated, simulated_pixel), (experimental, experimental_pixel))
    )
    turns, _, scores = _spectral_scores(expected, seen, Limits(rotation=math.pi / 2, scale=0.03))
    heights = scores.max(axis=1)
    peaks = np.flatnonzero((heights == ndimage.maximum_filter1d(heights, _PEAK)) & (heights >= _AS_HIGH * heights.max()))
    return float(turns[peaks[np.argmin(np.abs(turns[peaks]))]])


def on_search_grid(
    image: np.ndarray, pixel_size: tuple[float, float], step: float, placement: Placement
) -> tuple[np.ndarray, np.ndarray]:
    """The image, turned and magnified, on square pixels of `step`, NaN where it is unknown, and where its corner lies (Å).

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    pixel_size : tuple of float, Å, (y, x)
    step : float, Å
        Pixels of the search.
    placement : Placement
        Whose rotation and magnification are applied.
    """
    size = np.array(pixel_size)
    blur = np.where(step > 1.5 * size, 0.3 * step / size, 0.0)
    if blur.any():
        image = _smoothed(image, blur)
    surface = SplineImage(image, pixel_size)
    corners = placement.on_experiment(surface.extent * np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    low = corners.min(axis=0)
    rows, columns = (int(length / step + 1e-6) + 1 for length in np.ptp(corners, axis=0))
    moved = replace(placement, shift=(-float(low[0]), -float(low[1])))
    return resampled(surface, moved, (rows, columns), (step, step)), low


def _smoothed(image: np.ndarray, sigma: np.ndarray | float) -> np.ndarray:
    """Gaussian mean of the known pixels; unknown where the image is."""
    sigmas = np.broadcast_to(sigma, 2)
    known = np.isfinite(image)
    if known.all():
        weights = _outer(
            [ndimage.gaussian_filter1d(np.ones(n), s, mode="constant") for n, s in zip(image.shape, sigmas, strict=True)]
        )
        return np.asarray(ndimage.gaussian_filter(image, sigmas, mode="constant") / weights)
    weights = ndimage.gaussian_filter(known.astype(float), sigmas, mode="constant")
    total = ndimage.gaussian_filter(np.where(known, image, 0.0), sigmas, mode="constant")
    return np.where(known, total / np.maximum(weights, 1e-12), np.nan)


def _outer(each: list[np.ndarray]) -> np.ndarray:
    """What the edges of a rectangle leave of a weight, from what they leave of it along each axis."""
    return np.maximum(each[0][:, None] * each[1], 1e-12)


def band_passed(image: np.ndarray) -> np.ndarray:
    """Without noise from pixel to pixel, and without slow changes of illumination or thickness."""
    # Each pixel counts from the middle of what is known, so that steep levels do not cancel in single digits.
    image = image - np.nanmean(image)
    return _smoothed(image, 1.0) - _broad_mean(image, max(8, min(image.shape) // 3))


def _broad_mean(image: np.ndarray, width: int) -> np.ndarray:
    """As a Gaussian mean of half the width, by three running means, which takes as long for any width."""
    known = np.isfinite(image)
    if known.all():
        weights = _outer([_thrice(ndimage.uniform_filter1d, np.ones(length), width) for length in image.shape])
        return _thrice(ndimage.uniform_filter, image, width) / weights
    weights, total = (_thrice(ndimage.uniform_filter, part, width) for part in (known.astype(float), np.where(known, image, 0.0)))
    return np.where(known, total / np.maximum(weights, 1e-12), np.nan)


def _thrice(mean: Callable[..., np.ndarray], values: np.ndarray, width: int) -> np.ndarray:
    for _ in range(3):
        values = mean(values, width, mode="constant")
    return values


def match_spectra(expected: np.ndarray, seen: np.ndarray, limits: Limits) -> Placement:
    """Rotation and magnification that carry the strongest spots of one spectrum onto the other.

    Parameters
    ----------
    expected, seen : ndarray, two-dimensional
        Simulation and experiment on the grid of the search.
    limits : Limits
    """
    turns, scales, scores = _spectral_scores(expected, seen, limits)
    best = np.unravel_index(int(np.argmax(scores)), scores.shape)
    return Placement(rotation=float(turns[best[0]]), magnification=float(1 + scales[best[1]]))


def _spectral_scores(expected: np.ndarray, seen: np.ndarray, limits: Limits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turns (T,), rad, relative changes of scale (S,), and how well the spectra's spots meet with each pair of them (T, S)."""
    side = fft.next_fast_len(2 * max(*expected.shape, *seen.shape), real=True)
    lowest = _LOWEST_FREQUENCY * side / min(*expected.shape, *seen.shape)
    frequency = fft.fftshift(fft.fftfreq(side, 1 / side))
    radius = np.hypot(frequency[:, None], frequency[None])
    outside = (radius < lowest) | (radius > 0.45 * side)
    spectra = [np.where(outside, 0, _spectrum(image, side)) for image in (expected, seen)]
    rows, columns = np.unravel_index(np.argsort(spectra[0], axis=None)[-_SPOTS:], radius.shape)
    spots, strengths = np.stack([frequency[rows], frequency[columns]], axis=1), spectra[0][rows, columns]
    turns = _steps(limits.rotation, _TURN_STEP)
    scales = _steps(limits.scale, _SCALE_STEP)
    scores = np.zeros((len(turns), len(scales)))
    for row, turn in enumerate(turns):
        # What is magnified has lower frequencies.
        places = (spots @ rotation_matrix(turn).T)[None] / (1 + scales)[:, None, None] + side // 2
        values = ndimage.map_coordinates(spectra[1], places.reshape(-1, 2).T, order=1, mode="nearest")
        scores[row] = values.reshape(len(scales), -1) @ strengths
    return turns, scales, scores


def _steps(limit: float, step: float) -> np.ndarray:
    count = math.ceil(limit / step)
    return np.linspace(-limit, limit, 2 * count + 1) if count else np.zeros(1)


def _spectrum(image: np.ndarray, side: int) -> np.ndarray:
    """Amplitudes of the windowed image, zero frequency in the middle, shape (side, side)."""
    window = np.outer(*(np.hanning(length + 2)[1:-1] for length in image.shape))
    amplitude = np.abs(fft.fft2(np.nan_to_num(image) * window, (side, side)))
    return np.asarray(fft.fftshift(amplitude))
