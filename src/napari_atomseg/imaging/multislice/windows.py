"""The periodic boxes in which waves are propagated: how large, on what grid, about which probes, and the atoms in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len

from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.imaging.multislice.scan_grid import ScanAxis

SMALLEST_WINDOW = 14.0
"""Side of a window, Angstrom: in smaller ones the aperture is drawn on so coarse a grid that images lose more than 0.2 %."""
SAFETY = 1.03
"""By which the band of the waves reaches beyond the detector, at least."""
COMFORT, ENOUGH = 1.25, 6.5
"""By which it does unless it is as wide as this anyhow, 1/Angstrom: on heavy columns a detector up to the very end of the band
sees 20 % too little, since electrons that are scattered out and back are lost."""
BAND = 2 / 3
"""Part of the Nyquist frequency that abTEM keeps free of aliases."""
COARSEST = 0.08
"""Sampling of the potential that no detector makes coarser, Angstrom."""


@dataclass(frozen=True, kw_only=True)
class AxisWindows:
    """Windows of equal size along one axis.

    Attributes
    ----------
    length : float, Å
        Of a window.
    gpts : int
        Grid points of a window.
    period : float, Å, or None
        After which the atoms repeat; that of the repeated cell where a window is made of whole cells.
    repeats : int
        Cells that a window is made of; 1 where windows are cut.
    origins : tuple of float, Å
        Where each window begins.
    probes : tuple of slice
        Which probes each window serves.
    """

    length: float
    gpts: int
    period: float | None
    repeats: int
    origins: tuple[float, ...]
    probes: tuple[slice, ...]


def largest_sampling(electron_wavelength: Angstrom, outer_angle: float) -> Angstrom:
    r"""Coarsest grid whose waves reach beyond a detector's outer angle (mrad), :math:`\frac{2}{3} / 2k` for a band up to k.

    Parameters
    ----------
    electron_wavelength : float, Angstrom
    outer_angle : float, mrad
    """
    outer = outer_angle * 1e-3 / electron_wavelength
    return min(COARSEST, BAND / 2 / max(SAFETY * outer, min(COMFORT * outer, ENOUGH)))


def grid_points(length: Angstrom, sampling: Angstrom, multiple: int = 1) -> int:
    """Smallest number of points, at most `sampling` apart, whose Fourier transform is fast: a product of 2, 3 and 5.

    Parameters
    ----------
    length, sampling : float, Å
    multiple : int
        That the number must contain.
    """
    needed = math.ceil(length / sampling / multiple - 1e-9)
    # The transforms of real numbers in scipy know the factors 2, 3 and 5 only.
    return multiple * int(next_fast_len(needed, real=True))


def one_window(axis: ScanAxis, margin: Angstrom, sampling: Angstrom, multiple: int = 1) -> AxisWindows:
    """One window for all probes of an axis: whole cells, a multiple of `multiple`, or the field with its margin.

    Parameters
    ----------
    axis : ScanAxis
    margin : float, Å
        Room on either side of the probes. Of a periodic axis the window is at least twice as long as this.
    sampling : float, Å
        Farthest distance of grid points.
    multiple : int
        Number that cells and grid points are multiples of, as interpolated PRISM needs it; cells of a periodic axis only.

    Returns
    -------
    AxisWindows
        One window, of 14 Å at least. Without a period it is centred on the probes.
    """
    if axis.periodic:
        repeats = multiple * math.ceil(max(2 * margin, SMALLEST_WINDOW) / axis.length / multiple - 1e-9)
        length, period, origin = repeats * axis.length, repeats * axis.length, 0.0
    else:
        span = axis.probes[-1] - axis.probes[0]
        length, period, repeats = max(span + 2 * margin, SMALLEST_WINDOW), None, 1
        origin = float(axis.probes[0] + span / 2 - length / 2)
    return AxisWindows(
        length=length,
        gpts=grid_points(length, sampling, multiple),
        period=period,
        repeats=repeats,
        origins=(origin,),
        probes=(slice(0, axis.count),),
    )


def cut_windows(axis: ScanAxis, tile: Angstrom, margin: Angstrom, sampling: Angstrom) -> AxisWindows:
    """Windows of `tile` with a margin; one of whole cells where that is no larger, since it has no seam.

    Parameters
    ----------
    axis : ScanAxis
    tile : float, Å
        Longest stretch of probes that a window serves, about: the axis is cut into equal parts.
    margin : float, Å
        Room on either side of these probes.
    sampling : float, Å
        Farthest distance of grid points.

    Returns
    -------
    AxisWindows
        Windows of one length, 14 Å at least; each is centred on its probes where it is not made of whole cells.
    """
    number = max(1, math.ceil(axis.count * axis.step / tile - 1e-9))
    parts = np.array_split(np.arange(axis.count), min(number, axis.count))
    length = max(SMALLEST_WINDOW, (len(parts[0]) - 1) * axis.step + 2 * margin)
    whole = one_window(axis, margin, sampling)
    if whole.length <= length + 1e-9:
        return whole
    middles = [float(axis.probes[part].mean()) for part in parts]
    return AxisWindows(
        length=length,
        gpts=grid_points(length, sampling),
        period=axis.length if axis.periodic else None,
        repeats=1,
        origins=tuple(middle - length / 2 for middle in middles),
        probes=tuple(slice(int(part[0]), int(part[-1]) + 1) for part in parts),
    )


def place_in_window(
    coordinates: np.ndarray, origin: Angstrom, length: Angstrom, period: Angstrom | None
) -> tuple[np.ndarray, np.ndarray]:
    """Which atoms, or periodic images of them, lie in a window along one axis, and where in it.

    Parameters
    ----------
    coordinates : ndarray, shape (N,), Å
    origin, length : float, Å
        Of the window.
    period : float, Å, or None
        After which the atoms repeat.

    Returns
    -------
    indices : ndarray of int, shape (M,)
    placed : ndarray, shape (M,), Å
        In [0, length).
    """
    if period is None:
        placed = (coordinates - origin)[None]
    else:
        first = np.mod(coordinates - origin, period)
        # The remainder of a tiny negative number is rounded to the whole period.
        first[first >= period] = 0.0
        placed = first + np.arange(math.ceil(length / period - 1e-9))[:, None] * period
    copy, index = np.nonzero((placed >= 0) & (placed < length))
    return index, placed[copy, index]
