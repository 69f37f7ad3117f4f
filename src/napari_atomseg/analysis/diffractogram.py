"""Power spectrum of an image, the lattice spots in it, and the spacings that they stand for.

Positions are in cycles per pixel, so nothing here needs a pixel size; :mod:`.calibrate` finds one from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.fft
from scipy import ndimage

LARGEST = 2048  # pixels along a side: the centre of a larger image is used, at its full resolution
_NEAREST = 6  # steps of frequency from the centre: what is nearer is shape and illumination, not lattice
_CROSS = 5  # half-width, in steps of frequency, of the cross that image borders and line noise leave
_SIGNIFICANT = 12.0  # smoothed power over background; white noise alone reaches 7 to 10
_SAME_SET = 0.03  # relative difference of |g| within one set of equivalent spots
_WEAKEST_IN_SET = 0.1  # of the strongest spot of the set


@dataclass(frozen=True, kw_only=True, eq=False)
class Diffractogram:
    """Power spectrum of an image.

    Attributes
    ----------
    power : ndarray of float32, shape (Y, X)
        Squared modulus of the Fourier transform, zero frequency at (Y // 2, X // 2). Linear: show its logarithm.
    frequency_step : tuple of float
        (y, x) cycles per pixel of the image from one pixel of `power` to the next.
    """

    power: np.ndarray
    frequency_step: tuple[float, float]

    def frequency(self, position: Any) -> np.ndarray:
        """Frequencies, cycles per pixel, of positions (..., 2) in pixels of `power`, both as (y, x)."""
        centre = np.array([size // 2 for size in self.power.shape])
        return np.asarray((np.asarray(position, float) - centre) * self.frequency_step)


@dataclass(frozen=True, kw_only=True, eq=False)
class Spots:
    """Lattice spots, the strongest first; of each pair at plus and minus g only one.

    Attributes
    ----------
    frequencies : ndarray of float64, shape (N, 2)
        (y, x) in cycles per pixel.
    strengths : ndarray of float64, shape (N,)
        Power above the background, in units of the strongest spot.
    """

    frequencies: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    strengths: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def spacings(self) -> np.ndarray:
        """Distance between the lattice lines of each spot, px."""
        return np.asarray(1.0 / np.hypot(*self.frequencies.T))


def diffractogram(image: Any, window: Literal["hann", "none"] = "hann") -> Diffractogram:
    """Power spectrum of an image, or of the central 2048 pixels of a larger one.

    Parameters
    ----------
    image : array, shape (Y, X)
        Of any real type; pixels that are not finite count as the mean.
    window : {"hann", "none"}
        A Hann window keeps the borders of the image from drawing a cross through the centre.
    """
    if window not in ("hann", "none"):
        raise ValueError(f'window must be "hann" or "none", got {window!r}')
    plane = _centre(image)
    finite = np.isfinite(plane)
    if not finite.all():
        plane = np.where(finite, plane, plane[finite].mean() if finite.any() else 0)
    # Scaled first, so that neither the squares of large counts nor those of tiny fractions leave float32.
    plane = plane - plane.mean()
    span = float(np.abs(plane).max(initial=0))
    plane = (plane / span if span > 0 else plane).astype(np.float32)
    if window == "hann":
        taper = _hann(plane.shape[0])[:, None] * _hann(plane.shape[1])
        plane = (plane - np.average(plane, weights=taper)) * taper
    power = scipy.fft.fftshift(np.abs(scipy.fft.fft2(plane)) ** 2)
    return Diffractogram(power=power.astype(np.float32), frequency_step=(1 / plane.shape[0], 1 / plane.shape[1]))


def find_spots(spectrum: Diffractogram, limit: int = 24) -> Spots:
    """Sharp maxima of a power spectrum that stand out of its background, with positions finer than a pixel.

    Parameters
    ----------
    spectrum : Diffractogram
        Of an image at least a few unit cells wide.
    limit : int
        Number of spots returned at most.

    Notes
    -----
    The background is the mean logarithm of the power at each radius, raised along the two axes to the running median
    there: a ring of amorphous carbon and the cross of line noise are background, spots upon them are not.
    """
    height, width = spectrum.power.shape
    if min(height, width) < 4 * _NEAREST or not spectrum.power.any():
        return Spots()
    smooth = ndimage.gaussian_filter(spectrum.power, 1.0, mode="wrap")
    log_power = np.log(np.maximum(smooth, np.finfo(np.float32).tiny))
    excess = log_power - _background(log_power)
    peaks = _half_plane_maxima(log_power)
    peaks = peaks[excess[tuple(peaks.T)] > np.log(_SIGNIFICANT)]
    strengths = smooth[tuple(peaks.T)] * -np.expm1(-excess[tuple(peaks.T)])
    order = np.argsort(strengths)[::-1][:limit]
    if not order.size:
        return Spots()
    positions = _vertices(log_power, peaks[order])
    return Spots(frequencies=spectrum.frequency(positions), strengths=(strengths[order] / strengths[order[0]]).astype(float))


@dataclass(frozen=True, kw_only=True, eq=False)
class LatticeSpacing:
    """The strongest set of equivalent lattice spots of an image.

    Attributes
    ----------
    spacing : float or None
        Mean distance between lattice lines, px; None if there is no lattice.
    spots : Spots
        The spots of the set, all of nearly the same distance from the centre.
    others : ndarray of float64, shape (M,)
        Spacings of the other sets, px, the strongest first.
    """

    spacing: float | None = None
    spots: Spots = field(default_factory=Spots)
    others: np.ndarray = field(default_factory=lambda: np.empty(0))


def lattice_spacing(image: Any) -> LatticeSpacing:
    """Distance in pixels between the lattice lines that the strongest spots of an image stand for.

    Which planes these are is for the user to know: in SrTiO3 [001] they are {110}, not {100}.

    Parameters
    ----------
    image : array, shape (Y, X)
        Of any real type.
    """
    spots = find_spots(diffractogram(image))
    if not spots.strengths.size:
        return LatticeSpacing()
    spacings = spots.spacings
    alike = np.abs(spacings / spacings[0] - 1) < _SAME_SET
    chosen = alike & (spots.strengths >= _WEAKEST_IN_SET)
    return LatticeSpacing(
        spacing=float(np.average(spacings[chosen], weights=spots.strengths[chosen])),
        spots=Spots(frequencies=spots.frequencies[chosen], strengths=spots.strengths[chosen]),
        others=_distinct(spacings[~alike]),
    )


def _centre(image: Any) -> np.ndarray:
    """Central part of an image, at most `LARGEST` on a side; only that part of a lazy image is computed."""
    if image.ndim != 2:
        raise ValueError(f"an image has shape (Y, X), got {tuple(image.shape)}")
    starts = [max(0, (size - LARGEST) // 2) for size in image.shape]
    cut = tuple(slice(start, start + LARGEST) for start in starts)
    return np.asarray(image[cut]).astype(np.float64)


def _hann(count: int) -> np.ndarray:
    """Periodic Hann window that is positive everywhere, so that one-pixel images do not vanish."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(count) + 0.5) / count)).astype(np.float32)


def _background(log_power: np.ndarray) -> np.ndarray:
    """Logarithm of the power expected at each frequency without a lattice."""
    height, width = log_power.shape
    y, x = np.ogrid[:height, :width]
    finer = max(height, width)
    radius = np.hypot((y - height // 2) / height, (x - width // 2) / width)
    rings = (radius * finer).astype(np.intp)
    # Where the image is not square, rings as narrow as the finer step would be empty near the centre.
    rings //= max(1, round(finer / min(height, width)))
    counts = np.maximum(np.bincount(rings.ravel()), 1)
    mean = np.bincount(rings.ravel(), log_power.ravel()) / counts
    # Once more without the spots, which would hide their weaker neighbours on the same ring.
    quiet = (log_power - mean[rings] < 1.5).ravel()
    kept = np.maximum(np.bincount(rings.ravel()[quiet], minlength=mean.size), 1)
    mean = np.bincount(rings.ravel()[quiet], log_power.ravel()[quiet], minlength=mean.size) / kept
    background = mean[rings]
    for axis, centre in ((0, width // 2), (1, height // 2)):
        band = [slice(None), slice(None)]
        band[1 - axis] = slice(max(0, centre - _CROSS), centre + _CROSS + 1)
        along = ndimage.median_filter(log_power[tuple(band)], size=(31, 1) if axis == 0 else (1, 31), mode="nearest")
        background[tuple(band)] = np.maximum(background[tuple(band)], along)
    return np.asarray(background)


def _half_plane_maxima(log_power: np.ndarray) -> np.ndarray:
    """Positions (N, 2) of local maxima off the centre and the borders, in the half-plane y > 0, or y = 0 and x > 0."""
    height, width = log_power.shape
    y, x = np.ogrid[:height, :width]
    y, x = y - height // 2, x - width // 2
    half = (y > 0) | ((y == 0) & (x > 0))
    inside = (np.abs(y) < height // 2 - 1) & (np.abs(x) < width // 2 - 1)
    far = y**2 + x**2 >= _NEAREST**2
    highest = ndimage.maximum_filter(log_power, size=7, mode="wrap") == log_power
    return np.argwhere(highest & half & inside & far)


def _vertices(log_power: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Maxima of the parabolas through each peak and its neighbours, per axis: exact for a Gaussian spot."""
    positions = peaks.astype(float)
    for axis in (0, 1):
        step = np.eye(2, dtype=int)[axis]
        before, here, after = (log_power[tuple((peaks + shift * step).T)].astype(float) for shift in (-1, 0, 1))
        curvature = before - 2 * here + after
        shift = np.where(curvature < 0, 0.5 * (before - after) / np.where(curvature < 0, curvature, -1.0), 0.0)
        positions[:, axis] += np.clip(shift, -1, 1)
    return positions


def _distinct(spacings: np.ndarray) -> np.ndarray:
    """Spacings without those nearly equal to an earlier one."""
    kept: list[float] = []
    for spacing in spacings:
        if all(abs(spacing / other - 1) >= _SAME_SET for other in kept):
            kept.append(float(spacing))
    return np.array(kept)
