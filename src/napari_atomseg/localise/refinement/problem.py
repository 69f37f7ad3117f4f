"""What stays the same while the columns of an image are refined: its pixels, its noise, the windows, the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.localise.detection.noise_level import NoiseLevel, estimate_noise
from napari_atomseg.localise.detection.scale import SAMPLE_SIDE, centre_crop, estimate_scale
from napari_atomseg.localise.refinement.parallel import each
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, TAIL, X, Y, blank_model
from napari_atomseg.localise.refinement.starting_width import best_width
from napari_atomseg.localise.refinement.windows import Windows, add_columns, cut, window_offsets, window_radius

CHUNK_VALUES = 130_000
"""Window pixels treated at once: few enough to stay in the cache of a processor."""
WIDER_THAN_CORRELATION = 1.12
"""Neighbours make the width that is read from the autocorrelation a little too narrow."""
SPIKE = 7.0
"""A residual of so many standard deviations is no electron."""
MEDIAN_OF_SQUARES = 0.455
"""Of a normal distribution of unit variance."""
DIMMEST = 0.03
"""Pixels are not weighted as if less than this share of the column's height were expected there."""
WIDER_IF_SHARED = 1.5
FARTHEST_WIDTH = 2.0
"""A given width that differs from the usual one by a larger factor is not believed."""
REACH, TAIL_REACH = 4.5, 12.0
"""Columns are drawn out to so many sigmas, where a Gaussian is 4e-5 of its height, and where a Lorentzian is 1 %."""
FARTHEST_VALUE = 1e9
"""Intensities so many units away are no signal, and would drown the rest in single precision."""
MOST_GAIN = 1e12
NOWHERE = 1e4
"""Columns are not looked for farther than this outside the image, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RefinementProblem:
    """What stays the same while columns are refined. Intensities are counted from `zero` in steps of `unit`.

    Attributes
    ----------
    image : ndarray of float32, shape (Y, X)
        Finite; invalid pixels hold 0.
    valid : ndarray of bool, shape (Y, X)
    zero, unit : float
        Intensity of the file that is 0 here, and that which is 1 above it.
    start : ndarray, shape (N, 8)
        Positions as they were given, and the width to begin with.
    offsets : ndarray of int, shape (P, 2)
        Pixels of a window.
    noise : NoiseLevel
    params : RefineParams
    shifts : ndarray, shape (Y, 2), px, or None
        How far each row was displaced.
    """

    image: np.ndarray
    valid: np.ndarray
    zero: float
    unit: float
    start: np.ndarray
    offsets: np.ndarray
    noise: NoiseLevel
    params: RefineParams
    shifts: np.ndarray | None = None

    def chunks(self, rows: np.ndarray, values_each: int | None = None) -> Iterator[np.ndarray]:
        """The given columns (ascending), a bounded number at a time.

        Parameters
        ----------
        rows : ndarray of int, shape (N,)
        values_each : int or None
            Pixels that are treated for each column; None for those of a window.

        Yields
        ------
        ndarray of int
            Parts of `rows`, in their order.
        """
        size = max(1, CHUNK_VALUES // (values_each or len(self.offsets)))
        for first in range(0, len(rows), size):
            yield rows[first : first + size]

    def windows(self, rows: np.ndarray) -> Windows:
        """Windows around the starting positions of the given columns."""
        return cut(self.image, self.valid, self.start[rows][:, [Y, X]], self.offsets, self.shifts)

    def add(self, canvas: np.ndarray, model: np.ndarray) -> None:
        """Add columns to an image, out to where they fade.

        Parameters
        ----------
        canvas : ndarray, shape (Y, X)
            Changed in place.
        model : ndarray, shape (N, 8)
            One column a row; see :mod:`.shape`. Columns without height, or with what is not finite, are left out.
        """
        there = model[(model[:, HEIGHT] != 0) & np.isfinite(model).all(axis=1)]
        if len(there) == 0:
            return
        reach = (TAIL_REACH if there[:, TAIL].any() else REACH) * float(np.max(there[:, SIGMA]))
        # As far as a window reaches at least: what is added there is what is taken off there as the column's own.
        offsets = window_offsets(min(max(reach, self.radius + 1.5), self.farthest))

        def drawn(chunk: np.ndarray) -> tuple[Windows, np.ndarray]:
            windows = cut(self.image, self.valid, there[chunk][:, [Y, X]], offsets, self.shifts)
            return windows, windows.columns(there[chunk])

        for _, (windows, values) in each(drawn, self.chunks(np.arange(len(there)), len(offsets))):
            add_columns(canvas, windows, values)

    def others(self, canvas: np.ndarray, windows: Windows, model: np.ndarray) -> np.ndarray:
        """What all columns but its own give in each window.

        Parameters
        ----------
        canvas : ndarray, shape (Y, X)
            All columns drawn, those of the windows too; see :meth:`add`.
        windows : Windows
            N windows of P pixels.
        model : ndarray, shape (N, 8)
            The column of each window as it was drawn.

        Returns
        -------
        ndarray of float32, shape (N, P)
        """
        return np.asarray(canvas.ravel()[windows.index] - windows.columns(model), dtype=np.float32)

    def fitted_windows(
        self, canvas: np.ndarray, rows: np.ndarray, model: np.ndarray, *, each_its_own: bool = False
    ) -> tuple[Windows, np.ndarray]:
        """Weighted windows of the given columns, and what all others give in them.

        The same as :meth:`windows`, :meth:`others` and :meth:`weighted` one after the other, with each column drawn once.

        Parameters
        ----------
        canvas : ndarray, shape (Y, X)
            All columns drawn, those of the windows too; see :meth:`add`.
        rows : ndarray of int, shape (N,)
            Columns whose windows are cut.
        model : ndarray, shape (N, 8)
            These columns as they were drawn.
        each_its_own : bool
            See :meth:`weighted`.

        Returns
        -------
        windows : Windows
            N windows of P pixels.
        others : ndarray of float32, shape (N, P)
        """
        windows = self.windows(rows)
        seen, own = canvas.ravel()[windows.index], windows.columns(model)
        others = (seen - own).astype(np.float32)
        return self._weighted(windows, seen.astype(np.float32), model, each_its_own), others

    def weighted(self, windows: Windows, others: np.ndarray, model: np.ndarray, *, each_its_own: bool = False) -> Windows:
        """The same windows, each residual weighted by the inverse standard deviation of its pixel; spikes by nothing.

        Least squares weight all pixels of the image alike; `each_its_own` asks for the mean of each window instead.

        Parameters
        ----------
        windows : Windows
            N windows of P pixels; a weight of 0 stays 0.
        others : ndarray, shape (N, P)
            What all columns but its own give in each window.
        model : ndarray, shape (N, 8)
            The column of each window, which tells with its level what is expected there.
        each_its_own : bool
            With least squares: the mean variance of each window in place of that of the image.

        Returns
        -------
        Windows
        """
        return self._weighted(windows, others + windows.columns(model), model, each_its_own)

    def _weighted(self, windows: Windows, columns: np.ndarray, model: np.ndarray, each_its_own: bool) -> Windows:
        """Windows weighted by what all columns (N, P) and the levels of a model (N, 8) make expected."""
        height, level = np.abs(model[:, HEIGHT, None]).astype(np.float32), model[:, LEVEL, None].astype(np.float32)
        expected = columns + level
        floor = (1e-4 * height) ** 2 + 1e-24
        variance = self.noise.variance(np.maximum(expected, self.noise.pedestal + DIMMEST * height)) + floor
        strange = (windows.values - expected) ** 2
        strange /= np.maximum(variance, self.noise.variance(self.noise.pedestal + 0.3 * height) + floor)
        # Where no Gaussian follows the column, a whole part of the window is strange; a spike is so among its own.
        # Every other pixel tells the median as well.
        usual = np.maximum(1.0, np.median(strange[:, ::2], axis=1, keepdims=True) / MEDIAN_OF_SQUARES)
        spike = strange > SPIKE**2 * usual
        if self.params.likelihood == "least-squares":
            variance = np.mean(variance, axis=1, keepdims=True) if each_its_own else self.mean_variance
            variance = np.maximum(variance, 1e-30)
        return windows.weighted(windows.weight * ~spike / np.sqrt(variance))

    def image_variance(self, expected: np.ndarray) -> np.ndarray:
        """Variance of every pixel of the image (Y, X) as the fit weights it."""
        variance = self.noise.variance(np.maximum(expected, self.noise.pedestal + DIMMEST)) + 1e-8
        return np.full_like(variance, self.mean_variance) if self.params.likelihood == "least-squares" else variance

    @property
    def farthest(self) -> float:
        """Distance, px, from any pixel beyond which the image does not reach."""
        return float(np.hypot(*self.image.shape))

    @cached_property
    def mean_variance(self) -> float:
        """Variance of an average pixel."""
        if not self.valid.any():
            return 1.0
        return float(self.noise.variance(np.maximum(self.image[self.valid], self.noise.pedestal)).mean()) + 1e-12

    @property
    def radius(self) -> float:
        """Radius of the windows, px."""
        return float(np.hypot(*self.offsets.T).max())


def prepare(image: np.ndarray, columns: Columns, params: RefineParams) -> RefinementProblem:
    """Everything that the refinement of an image's columns needs; see :class:`RefinementProblem`.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        What is not finite is invalid.
    columns : Columns
        Where the fit begins.
    params : RefineParams
    """
    # Until the image has been fitted flat levels are as good a guess as any.
    params = replace(params, background="local") if params.background == "auto" else params
    # Beyond single precision squares of intensities would overflow.
    image = np.asarray(image)
    if image.dtype not in (np.float32, np.float64):
        image = image.astype(np.float64)
    valid = np.isfinite(image) & (np.abs(image) <= 1e30)
    zero, unit = _scale_of(image[valid])
    scaled = np.where(valid, (np.where(valid, image, zero).astype(np.float64) - zero) / unit, 0.0)
    far = np.abs(scaled) > FARTHEST_VALUE
    valid &= ~far
    scaled[far] = 0.0
    noise = estimate_noise(scaled)
    if params.gain is not None:
        noise = replace(noise, gain=min(params.gain / unit, MOST_GAIN), read_variance=0.0)
    if params.gain is not None or params.offset is not None:
        pedestal = ((params.offset or 0.0) - zero) / unit
        noise = replace(noise, pedestal=float(np.clip(pedestal, -FARTHEST_VALUE, FARTHEST_VALUE)))
    start = blank_model(len(columns))
    # What is nowhere is put where no pixel is.
    start[:, [Y, X]] = np.clip(np.nan_to_num(columns.positions, nan=-NOWHERE), -NOWHERE, np.array(image.shape) + NOWHERE)
    start[:, SIGMA] = _starting_widths(scaled, valid, columns, params)
    # A background of the whole image does not need to be told from the tails window by window.
    window = params.window * (WIDER_IF_SHARED if params.background == "shared" else 1.0)
    radius = window_radius(start[:, [Y, X]], float(np.median(start[:, SIGMA])), window)
    return RefinementProblem(
        image=scaled.astype(np.float32),
        valid=valid,
        zero=zero,
        unit=unit,
        start=start,
        offsets=window_offsets(radius),
        noise=noise,
        params=params,
    )


def _scale_of(values: np.ndarray) -> tuple[float, float]:
    """Zero and unit in which the intensities of an image are of the order of one."""
    if values.size == 0:
        return 0.0, 1.0
    low, middle, high = np.quantile(values[:: max(1, values.size // 1_000_000)].astype(np.float64), [0.001, 0.5, 0.999])
    unit = max(high - middle, middle - low)
    if unit <= 1e-12 * abs(middle):
        unit = max(float(np.ptp(values)), 1e-12 * abs(middle))
    return float(middle), float(unit) if unit > 0 else 1.0


def _starting_widths(image: np.ndarray, valid: np.ndarray, columns: Columns, params: RefineParams) -> np.ndarray:
    """Width of each column to begin with, shape (N,), px: from its features where they fit the image, else from the image."""
    sigma = columns.features["sigma_px"].to_numpy(dtype=float, copy=True)
    # What a search without a fit knows is the width of the autocorrelation.
    searched = (columns.features["origin"] == "classical") & columns.features["y_std_px"].isna()
    sigma[searched.to_numpy()] *= WIDER_THAN_CORRELATION
    unknown = ~np.isfinite(sigma) | (sigma <= 0.3)
    if unknown.all():
        scale = estimate_scale(centre_crop(image, SAMPLE_SIDE))
        given = WIDER_THAN_CORRELATION * scale.sigma_px if scale else 3.0
    else:
        given = float(np.median(sigma[~unknown]))
    # With tails the width is that of the core, which Gaussians alone do not tell.
    usual = given if params.tails else best_width(image, valid, np.nan_to_num(columns.positions, nan=-NOWHERE), given)
    # Where all are wrong each is; one that differs far from all others was not measured.
    odd = unknown | (sigma < usual / FARTHEST_WIDTH) | (sigma > FARTHEST_WIDTH * usual) | (usual != given)
    return np.asarray(np.where(odd, usual, sigma))
