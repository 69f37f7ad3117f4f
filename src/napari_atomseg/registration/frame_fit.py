"""The shift of a frame on a reference by least squares, with its uncertainty and brightness: fading is not drift."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_atomseg.registration.frame_pairs import binned
from napari_atomseg.registration.placement import LEAST_SIDE
from napari_atomseg.registration.uniform_shift import Shiftable, moved, shiftable

FITTED = 1024
"""Longest side in px on which shifts are fitted."""
BLUR = 1.0
"""Width of the Gaussian that frames are smoothed by, px: noise between the pixels would draw shifts towards half pixels."""
CORRELATED = 4 * math.pi * BLUR**2
"""Pixels over which smoothed noise is alike: white noise has this many times the variance that a fit to smoothed pixels sees."""
NOISE_TELLS = 1.3
"""What slopes of noise are taken to tell in vain, with something to spare, since it is not known exactly."""
ROUNDS, ENOUGH = 6, 1e-3
LONGEST_STEP = 2.0
"""Of one round, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FitFrame:
    """A frame as it is fitted: smoothed, on coarser pixels where it is large.

    Attributes
    ----------
    image : ndarray, float32, shape (Y', X')
        Without unknown pixels, which have their mean.
    step : int, px
        Of the frame, in one of the fit.
    """

    image: np.ndarray
    step: int


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameShift:
    """Where the content of a frame lies, and how it looks there.

    Attributes
    ----------
    shift, std : ndarray, shape (2,), px, (y, x)
        Of the content against the reference, and its standard deviation.
    brightness : float
        Contrast of the frame in units of the reference's.
    correlation : float
        Over the overlap, -1 to 1.
    """

    shift: np.ndarray
    std: np.ndarray
    brightness: float
    correlation: float


def fit_frame(frame: np.ndarray) -> FitFrame:
    """Prepare a frame (Y, X)."""
    step = -(-max(frame.shape) // FITTED)
    image = binned(frame, step)
    known = np.isfinite(image)
    filled = image if known.all() else np.where(known, image, image[known].mean() if known.any() else 0.0)
    return FitFrame(image=ndimage.gaussian_filter(filled.astype(np.float32), BLUR), step=step)


def fit_shift(frame: FitFrame, reference: np.ndarray, shift: np.ndarray, noise_of_reference: float) -> FrameShift:
    """Fit the shift of a frame on a reference.

    Parameters
    ----------
    frame : FitFrame
    reference : ndarray, shape (Y', X')
        Smoothed as the frame is; NaN where it is unknown.
    shift : ndarray, shape (2,), px, (y, x)
        Where to begin.
    noise_of_reference : float
        Variance of its noise in units of the frame's, which adds to that.

    Returns
    -------
    FrameShift
        With a standard deviation that is not finite where the images do not overlap, or nothing in them tells the shift.
    """
    known = np.isfinite(reference)
    filled = reference if known.all() else np.where(known, reference, reference[known].mean() if known.any() else 0.0)
    surface = shiftable(filled)
    mask = None if known.all() else shiftable(known.astype(np.float32))
    now = np.asarray(shift, float) / frame.step
    nothing = FrameShift(shift=np.asarray(shift, float), std=np.full(2, np.inf), brightness=0.0, correlation=0.0)
    for _ in range(ROUNDS):
        solved = _solved(frame.image, surface, mask, now, noise_of_reference)
        if solved is None:
            return nothing
        change, covariance, brightness, correlation = solved
        length = float(np.hypot(*change))
        now = now + change * min(1.0, LONGEST_STEP / max(length, 1e-12))
        if length < ENOUGH:
            break
    std = np.sqrt(np.maximum(np.diag(covariance), 0) * CORRELATED * (1 + noise_of_reference))
    return FrameShift(shift=now * frame.step, std=std * frame.step, brightness=brightness, correlation=correlation)


def _solved(
    image: np.ndarray, surface: Shiftable, mask: Shiftable | None, shift: np.ndarray, noise_of_reference: float
) -> tuple[np.ndarray, np.ndarray, float, float] | None:
    """Change of the shift, its covariance for white noise, brightness and correlation, of one step of Gauss and Newton."""
    there = moved(surface, shift, slopes=True)
    if there is None or min(there.values.shape) < LEAST_SIDE:
        return None
    seen = image[there.where]
    expected, (slope_y, slope_x) = there.values, there.slopes
    if mask is not None:
        reached = moved(mask, shift)
        assert reached is not None
        good = reached.values > 0.99
        if good.sum() < LEAST_SIDE**2:
            return None
        seen, expected, slope_y, slope_x = (one[good] for one in (seen, expected, slope_y, slope_x))
    # What lies further along is seen where the reference was: moving the content by d takes d times the slope from a pixel.
    columns = [one.astype(np.float64).ravel() - float(one.mean(dtype=np.float64)) for one in (expected, -slope_y, -slope_x)]
    data = seen.astype(np.float64).ravel() - float(seen.mean(dtype=np.float64))
    power, own = float(columns[0] @ columns[0]), float(data @ data)
    if power <= 0 or own <= 0:
        return None
    brightness = max(float(columns[0] @ data) / power, 1e-6)
    correlation = float(columns[0] @ data) / math.sqrt(power * own)
    design = np.array([[one @ other for other in columns] for one in columns])
    residual = data - brightness * columns[0]
    right = np.array([one @ residual for one in columns[1:]])
    # Brightness takes part, so that it is not taken for a shift.
    inner = design[1:, 1:] - np.outer(design[1:, 0], design[0, 1:]) / power
    scale = np.trace(inner)
    if scale <= 0:
        return None
    inverse = np.linalg.inv(inner + 1e-9 * scale * np.eye(2))
    variance = float(residual @ residual) / len(residual)
    # The slopes of the reference's own noise tell nothing.
    noise = variance / brightness**2 * noise_of_reference / (1 + noise_of_reference)
    told, along = np.linalg.eigh(inner - NOISE_TELLS * len(residual) * noise / (2 * BLUR**2) * np.eye(2))
    covariance = (along / np.maximum(told, 1e-6 * scale)) @ along.T * variance / brightness**2
    return inverse @ right / brightness, covariance, brightness, correlation
