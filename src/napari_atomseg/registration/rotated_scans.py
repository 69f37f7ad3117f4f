"""Scans of one place in several directions, put together without drift (after Ophus et al., Ultramicroscopy 162 (2016) 1).

While a scan is written the specimen drifts: along its rows distances are right, from row to row they are not. A turned scan
knows what the first one does not. First one steady drift is looked for under which the scans agree; then each row of each scan is
moved to where the others show what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage, optimize, sparse
from scipy.sparse.linalg import spsolve

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.registration.correlation import normalised_correlation
from napari_atomseg.registration.frame_pairs import binned
from napari_atomseg.registration.spectra import band_passed

PASSES, ROUNDS = 4, 2
SEARCHED, COARSE = 256, 9
"""Pixels of the longer side on which the steady drift is searched, and drifts that are tried along each axis at first."""
FASTEST = 0.08
"""Steady drift in px a row, at most."""
BLUR = 1.0
"""Width of the Gaussian that scans are smoothed by, px."""
WANDER = (0.01, 0.5)
"""Least and largest standard deviation of what the drift changes by from one row to the next, px."""
LARGEST_OFFSET = 0.25
"""Largest shift between two scans in parts of the field."""
NEARLY = 0.03
"""A shorter shift between two scans is taken if their correlation there is lower by no more than this."""
SURELY = 0.003
"""The same once their rows have been moved."""
FARTHEST_ROUND = 2.0
"""Largest shift of a row in one round, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanDrifts:
    """Drift during each scan.

    Attributes
    ----------
    drifts : ndarray, shape (J, Y, 2), px, (y, x)
        What lies at p on the grid of the average lies at p + drift while row r of scan j is written; along the axes of the first
        scan, whose mean is 0.
    agreement : float
        Correlation of the scans once they are corrected, -1 to 1.
    agreement_before : float
        The same with no drift.
    """

    drifts: np.ndarray
    agreement: float
    agreement_before: float


def register_rotated(scans: Sequence[np.ndarray], rotations: Sequence[float], passes: int = PASSES) -> Steps[ScanDrifts]:
    """Drift during scans of one place in several directions.

    Parameters
    ----------
    scans : sequence of ndarray, shape (Y, X)
        All of one shape and pixel size; what is not finite is unknown.
    rotations : sequence of float, degrees
        Direction of each scan, counter-clockwise on the screen.
    passes : int
        How often the rows of each scan are fitted to the others.
    """
    shape = scans[0].shape
    axes = [Axes.of(shape, rotation) for rotation in rotations]
    total = COARSE**2 + passes * len(scans)
    steady, offsets, before = yield from _steady_drift(scans, axes, total)
    rows = np.arange(shape[0]) - (shape[0] - 1) / 2
    drifts = np.array([offset + rows[:, None] * steady for offset in offsets])
    smooth = [_smoothed(scan) for scan in scans]
    wander = 0.1
    for one in range(passes):
        corrected = [undrifted(scan, drift, axis) for scan, drift, axis in zip(smooth, drifts, axes, strict=True)]
        found = drifts.copy()
        for number, scan in enumerate(smooth):
            yield Progress(COARSE**2 + one * len(scans) + number, total, "fitting rows")
            others = [image for other, image in enumerate(corrected) if other != number]
            found[number] = _fitted(scan, _mean(others), drifts[number], axes[number], wander)
        if one == 0:
            # Scans that are straight now tell a landmark from its neighbours by a period.
            found = _at_landmarks(smooth, found, axes)
        drifts = found - found[0].mean(axis=0)
        changes = np.diff(drifts, axis=1)
        wander = float(np.clip((changes - changes.mean(axis=1, keepdims=True)).std(), *WANDER))
    corrected = [undrifted(scan, drift, axis) for scan, drift, axis in zip(smooth, drifts, axes, strict=True)]
    return ScanDrifts(drifts=drifts, agreement=_agreement(corrected), agreement_before=before)


@dataclass(frozen=True, kw_only=True, eq=False)
class Axes:
    """Where the pixels of a turned scan lie on the grid of the first one.

    Attributes
    ----------
    middle : ndarray, shape (2,), px, (y, x)
        About which scans are turned.
    fast, slow : ndarray, shape (2,), (y, x)
        Unit vectors along the rows, and from row to row.
    """

    middle: np.ndarray
    fast: np.ndarray
    slow: np.ndarray

    @classmethod
    def of(cls, shape: tuple[int, ...], rotation: float) -> Axes:
        """Those of a scan of a shape (Y, X), in a direction in degrees, counter-clockwise on the screen."""
        angle = math.radians(rotation)
        # Counter-clockwise on the screen, where y points down.
        fast = np.array([-math.sin(angle), math.cos(angle)])
        slow = np.array([math.cos(angle), math.sin(angle)])
        return cls(middle=(np.array(shape) - 1) / 2, fast=fast, slow=slow)

    def places(self, rows: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
        """Where pixels (row, column) of the scan lie, (y, x)."""
        down, along = rows - self.middle[0], columns - self.middle[1]
        return [self.middle[one] + down * self.slow[one] + along * self.fast[one] for one in (0, 1)]

    def row_of(self, places: Sequence[Any]) -> np.ndarray:
        """Row of the scan that passes through places (y, x)."""
        return np.asarray(sum((places[one] - self.middle[one]) * self.slow[one] for one in (0, 1)) + self.middle[0])

    def column_of(self, places: Sequence[Any]) -> np.ndarray:
        """The same of its columns."""
        return np.asarray(sum((places[one] - self.middle[one]) * self.fast[one] for one in (0, 1)) + self.middle[1])


def undrifted(scan: np.ndarray, drift: np.ndarray, axes: Axes | float) -> np.ndarray:
    """A scan on the grid of the first one, float32 (Y, X), without its drift; NaN where it shows nothing.

    Parameters
    ----------
    scan : ndarray, shape (Y, X)
    drift : ndarray, shape (Y, 2), px, (y, x)
        As in :class:`ScanDrifts`.
    axes : Axes, or float, degrees
        Direction of the scan, counter-clockwise on the screen.
    """
    there = axes if isinstance(axes, Axes) else Axes.of(scan.shape, axes)
    known = np.isfinite(scan)
    filled = scan if known.all() else np.where(known, scan, scan[known].mean())
    grid = list(np.indices(scan.shape, dtype=np.float64))
    numbers = np.arange(len(scan), dtype=float)
    row = there.row_of(grid)
    for _ in range(3):
        moved = [axis + np.interp(row, numbers, drift[:, one]) for one, axis in enumerate(grid)]
        row = there.row_of(moved)
    at = [row, there.column_of(moved)]
    found = ndimage.map_coordinates(np.asarray(filled, np.float32), at, order=3, mode="mirror", output=np.float32)
    reached = ndimage.map_coordinates(known.astype(np.float32), at, order=1, mode="constant", output=np.float32) > 0.99
    return np.where(reached, found, np.nan).astype(np.float32)


def _smoothed(scan: np.ndarray) -> np.ndarray:
    known = np.isfinite(scan)
    filled = np.where(known, scan, scan[known].mean() if known.any() else 0.0).astype(np.float32)
    return np.where(known, ndimage.gaussian_filter(filled, BLUR), np.nan).astype(np.float32)


def _mean(images: list[np.ndarray]) -> np.ndarray:
    stack = np.array(images)
    known = np.isfinite(stack)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, stack, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _agreement(images: list[np.ndarray]) -> float:
    """Mean correlation of all pairs over what both show."""
    found = []
    for number, first in enumerate(images):
        for second in images[number + 1 :]:
            both = np.isfinite(first) & np.isfinite(second)
            if both.sum() > 2:
                found.append(float(np.corrcoef(first[both], second[both])[0, 1]))
    return float(np.mean(found)) if found else 0.0


# -- one steady drift ----------------------------------------------------------------------------------------------------


def _steady_drift(scans: Sequence[np.ndarray], axes: list[Axes], total: int) -> Steps[tuple[np.ndarray, np.ndarray, float]]:
    """Drift in px a row (y, x) under which the scans agree best, the offset of each scan's middle, and the agreement without."""
    step = -(-max(scans[0].shape) // SEARCHED)
    small = [band_passed(binned(scan, step)).astype(np.float32) for scan in scans]
    turned = [Axes(middle=(np.array(small[0].shape) - 1) / 2, fast=axis.fast, slow=axis.slow) for axis in axes]
    rows = (np.arange(small[0].shape[0]) - (small[0].shape[0] - 1) / 2)[:, None]

    def score(drift: np.ndarray) -> tuple[float, list[np.ndarray]]:
        images = [undrifted(np.nan_to_num(one), rows * drift, axis) for one, axis in zip(small, turned, strict=True)]
        heights, shifts = [], [np.zeros(2)]
        for image in images[1:]:
            correlation = np.nan_to_num(normalised_correlation(image, images[0]), nan=-1.0)
            middle = np.array(images[0].shape) - 1
            height, shift = _nearest_peak(correlation, middle)
            heights.append(height)
            shifts.append(shift)
        return float(np.mean(heights)), shifts

    tried = np.linspace(-FASTEST, FASTEST, COARSE)
    best, before = (-np.inf, np.zeros(2)), score(np.zeros(2))[0]
    for number, drift in enumerate(np.stack(np.meshgrid(tried, tried, indexing="ij"), -1).reshape(-1, 2)):
        yield Progress(number, total, "looking for a steady drift")
        height = score(drift)[0]
        # Of drifts that are as good, the slowest.
        if height - 1e-3 * float(np.hypot(*drift)) / FASTEST > best[0]:
            best = height - 1e-3 * float(np.hypot(*drift)) / FASTEST, drift
    spacing = float(tried[1] - tried[0])
    simplex = best[1] + spacing * np.array([[0, 0], [0.5, 0], [0, 0.5]])
    refined = optimize.minimize(
        lambda drift: -score(drift)[0],
        best[1],
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-5, "maxfev": 60},
    )
    _, shifts = score(refined.x)
    return np.asarray(refined.x), np.array(shifts) * step, before


def _nearest_peak(correlation: np.ndarray, middle: np.ndarray, nearly: float = NEARLY) -> tuple[float, np.ndarray]:
    """The highest correlation, and the shortest shift at which it is nearly as high."""
    rows, columns = (np.abs(np.arange(side) - centre) for side, centre in zip(correlation.shape, middle, strict=True))
    near = (rows[:, None] <= LARGEST_OFFSET * middle[0]) & (columns <= LARGEST_OFFSET * middle[1])
    correlation = np.where(near, correlation, -1.0)
    highest = float(correlation.max())
    top = (correlation == ndimage.maximum_filter(correlation, 3)) & (correlation > highest - nearly)
    places = np.argwhere(top) - middle
    return highest, places[int(np.argmin(np.hypot(*places.T)))].astype(float)


def _at_landmarks(scans: list[np.ndarray], drifts: np.ndarray, axes: list[Axes]) -> np.ndarray:
    """Drifts of scans with each scan moved as a whole to where it agrees best with the first one."""
    images = [undrifted(scan, drift, axis) for scan, drift, axis in zip(scans, drifts, axes, strict=True)]
    step = -(-max(images[0].shape) // SEARCHED)
    small = [band_passed(binned(image, step)) for image in images]
    found = drifts.copy()
    for number, image in enumerate(small[1:], start=1):
        correlation = np.nan_to_num(normalised_correlation(image, small[0]), nan=-1.0)
        _, shift = _nearest_peak(correlation, np.array(small[0].shape) - 1, nearly=SURELY)
        found[number] += shift * step
    return found


# -- row by row ----------------------------------------------------------------------------------------------------------


def _fitted(scan: np.ndarray, mean: np.ndarray, drift: np.ndarray, axes: Axes, wander: float) -> np.ndarray:
    """Drift (Y, 2) of one scan after a few steps against the mean of the others."""
    reached = np.isfinite(mean)
    filled = np.where(reached, mean, mean[reached].mean()).astype(np.float32)
    spline = ndimage.spline_filter(filled, 3, output=np.float32, mode="mirror")
    slopes = [slope.astype(np.float32) for slope in np.gradient(filled)]
    rows, columns = np.meshgrid(np.arange(len(scan)), np.arange(scan.shape[1]), indexing="ij")
    places, known = axes.places(rows, columns), np.isfinite(scan)
    seen = np.where(known, scan, 0.0)
    now = drift.copy()
    for _ in range(ROUNDS):
        at = [axis - now[:, one][:, None] for one, axis in enumerate(places)]
        values = ndimage.map_coordinates(spline, at, order=3, prefilter=False, mode="mirror", output=np.float32)
        inside = ndimage.map_coordinates(reached.astype(np.float32), at, order=1, mode="constant", output=np.float32) > 0.99
        weight = (inside & known).astype(np.float64)
        number = np.maximum(weight.sum(axis=1, keepdims=True), 1)
        data, expected, *moving = (
            weight * (one - (weight * one).sum(axis=1, keepdims=True) / number)
            for one in (
                seen,
                values,
                *(-ndimage.map_coordinates(slope, at, order=1, mode="nearest", output=np.float32) for slope in slopes),
            )
        )
        brightness = float((expected * data).sum()) / max(float((expected**2).sum()), 1e-30)
        residual = data - brightness * expected
        noise = float((residual**2).sum()) / max(float(weight.sum()), 1.0) * 4 * math.pi * BLUR**2
        slope = brightness * np.array(moving)
        tells = np.einsum("ayx,byx->yab", slope, slope) / max(noise, 1e-30)
        pull = np.einsum("ayx,yx->ya", slope, residual) / max(noise, 1e-30)
        change = _wandering(tells, pull, now, wander) - now
        length = np.hypot(*change.T)[:, None]
        now = now + change * np.minimum(1.0, FARTHEST_ROUND / np.maximum(length, 1e-12))
    return now


def _wandering(tells: np.ndarray, pull: np.ndarray, now: np.ndarray, wander: float) -> np.ndarray:
    """Drift (Y, 2) that rows tell of, where it changes from row to row by a steady step and a random one."""
    height = len(now)
    steady = (now[-1] - now[0]) / max(height - 1, 1)
    difference = sparse.diags([-1.0, 1.0], [0, 1], shape=(height - 1, height))
    stiff = sparse.kron(difference.T @ difference, sparse.identity(2)) / wander**2
    expected = sparse.kron(difference.T, sparse.identity(2)) @ np.tile(steady, height - 1) / wander**2
    whole = sparse.block_diag(list(tells)) + stiff + sparse.identity(2 * height) * 1e-6
    right = np.einsum("yab,yb->ya", tells, now) + pull
    return np.asarray(spsolve(whole.tocsc(), right.ravel() + expected)).reshape(height, 2)
