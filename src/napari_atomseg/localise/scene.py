"""What stays the same while the columns of an image are refined: its pixels, its noise, the windows, the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.localise.noise_level import NoiseLevel, estimate_noise
from napari_atomseg.localise.scale import centre_crop, estimate_scale
from napari_atomseg.localise.windows import HEIGHT, LEVEL, SIGMA, Windows, cut, profile, window_offsets, window_radius

CHUNK_VALUES = 400_000
"""Window pixels treated at once; bounds memory to some tens of MB."""
WIDER_THAN_CORRELATION = 1.12
"""Neighbours make the width that is read from the autocorrelation a little too narrow."""
SPIKE = 7.0
"""A residual of so many standard deviations is no electron."""
DIMMEST = 0.03
"""Pixels are not weighted as if less than this share of the column's height were expected there."""


@dataclass(frozen=True, kw_only=True)
class RefineParams:
    """How columns are refined.

    Attributes
    ----------
    width : str
        One width shared by all columns (steadier, right where the probe gives the width), or each its own.
    likelihood : str
        Pixels weighted by their counting noise (Poisson maximum likelihood; the gain is read from the image or given), or
        all alike (least squares).
    gain : float or None
        Variance for each unit of intensity: 1 for an image in counts; empty: read from the image.
    window : float
        Smallest radius of the fitted window in units of the column's sigma; wider where columns stand apart.
    rounds : int
        How often neighbours are taken away anew, at most; columns at rest are left alone.
    """

    width: Literal["shared", "each"] = "shared"
    likelihood: Literal["poisson", "least-squares"] = "poisson"
    gain: Annotated[float, Quantity(low=1e-12, high=1e12, decimals=4)] | None = None
    window: Annotated[float, Quantity(low=1, high=5, decimals=1)] = 2.5
    rounds: Annotated[int, Quantity(low=1, high=200)] = 24

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What stays the same while columns are refined.

    Attributes
    ----------
    image : ndarray of float, shape (Y, X)
        Finite; invalid pixels hold the median.
    valid : ndarray of bool, shape (Y, X)
    start : ndarray, shape (N, 5)
        Positions as they were given, and the width to begin with.
    offsets : ndarray of int, shape (P, 2)
        Pixels of a window.
    noise : NoiseLevel
    params : RefineParams
    """

    image: np.ndarray
    valid: np.ndarray
    start: np.ndarray
    offsets: np.ndarray
    noise: NoiseLevel
    params: RefineParams

    def chunks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """The given columns (ascending), a bounded number at a time."""
        size = max(1, CHUNK_VALUES // len(self.offsets))
        for first in range(0, len(rows), size):
            yield rows[first : first + size]

    def windows(self, rows: np.ndarray) -> Windows:
        """Windows around the starting positions of the given columns."""
        return cut(self.image, self.valid, self.start[rows, :2], self.offsets)

    def weighted(self, windows: Windows, others: np.ndarray, model: np.ndarray) -> Windows:
        """The same windows, each residual weighted by the inverse standard deviation of its pixel; spikes by nothing."""
        height = np.abs(model[:, HEIGHT, None])
        expected = others + model[:, HEIGHT, None] * profile(windows, model) + model[:, LEVEL, None]
        floor = (1e-4 * height) ** 2 + 1e-24
        variance = self.noise.variance(np.maximum(expected, self.noise.pedestal + DIMMEST * height)) + floor
        limit = SPIKE**2 * np.maximum(variance, self.noise.variance(self.noise.pedestal + 0.3 * height) + floor)
        spike = (windows.values - expected) ** 2 > limit
        # In an image that the noise level does not describe at all, no pixel may be called a spike.
        spike &= np.mean(spike, axis=1, keepdims=True) < 0.1
        if self.params.likelihood == "least-squares":
            variance = np.maximum(np.mean(variance, axis=1, keepdims=True), 1e-300)
        return windows.weighted(windows.weight * ~spike / np.sqrt(variance))

    @property
    def radius(self) -> float:
        """Radius of the windows, px."""
        return float(np.hypot(*self.offsets.T).max())


def prepare(image: np.ndarray, columns: Columns, params: RefineParams) -> Scene:
    """Everything that the refinement of an image's columns needs; see :class:`Scene`."""
    valid = np.isfinite(image)
    middle = float(np.median(image[valid])) if valid.any() else 0.0
    filled = np.where(valid, image, middle).astype(np.float64)
    # Beyond float32 squares of intensities would overflow.
    largest = float(np.abs(filled).max(initial=0.0))
    if largest > 1e30:
        valid &= np.abs(filled) <= 1e30
        filled = np.where(valid, filled, 0.0)
    noise = estimate_noise(filled)
    if params.gain is not None:
        noise = NoiseLevel(gain=params.gain, read_variance=0.0, pedestal=min(0.0, noise.pedestal))
    start = np.zeros((len(columns), 5))
    start[:, :2] = columns.positions
    start[:, SIGMA] = _starting_widths(filled, columns)
    radius = window_radius(start[:, :2], float(np.median(start[:, SIGMA])), params.window)
    return Scene(image=filled, valid=valid, start=start, offsets=window_offsets(radius), noise=noise, params=params)


def _starting_widths(image: np.ndarray, columns: Columns) -> np.ndarray:
    """Width of each column from its features where known, else from the image; shape (N,), px."""
    sigma = columns.features["sigma_px"].to_numpy(dtype=float, copy=True)
    # What a search without a fit knows is the width of the autocorrelation.
    searched = (columns.features["origin"] == "classical") & columns.features["y_std_px"].isna()
    sigma[searched.to_numpy()] *= WIDER_THAN_CORRELATION
    unknown = ~np.isfinite(sigma) | (sigma <= 0.3)
    if unknown.all():
        scale = estimate_scale(centre_crop(image, 1024))
        return np.full(len(sigma), WIDER_THAN_CORRELATION * scale.sigma_px if scale else 3.0)
    sigma[unknown] = np.median(sigma[~unknown])
    return np.asarray(sigma)
