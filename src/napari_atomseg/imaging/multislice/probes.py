"""Probes by abTEM: built, propagated through the slices of a window, and collected by a detector. abTEM has x first."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np

from napari_atomseg.imaging.detectors import DetectorParams, detector_regions
from napari_atomseg.imaging.multislice.plan import Plan
from napari_atomseg.imaging.multislice.potential_slices import atoms_in_window, transmission_slices
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.optics.probe import ProbeParams

WIDE = 40.0
"""Side of the grid on which the probes of small windows are made, Angstrom.

A small window draws the aperture on a coarse grid and would make its edge soft; the middle of a wide probe is the true one, and
what lies farther out goes past the window as in vacuum.
"""

Blocks = Generator[int, None, None]
"""Yields the number of blocks finished since the last time, 0 at a mere pause."""


def aberrations(probe: ProbeParams) -> dict[str, float]:
    """Aberrations under abTEM's names, which are ours."""
    names = ("defocus", "Cs", "C5", "astigmatism", "coma", "trefoil")
    angles = ("astigmatism_angle", "coma_angle", "trefoil_angle")
    return {name: float(getattr(probe, name)) for name in (*names, *angles)}


def detector_weights(detector: DetectorParams, energy: float, gpts: tuple[int, int], extent: tuple[float, float]) -> np.ndarray:
    """Which Fourier components of a wave with x first the detector collects.

    Parameters
    ----------
    detector : DetectorParams
    energy : float, eV
    gpts : tuple of int
        (y, x).
    extent : tuple of float, Å
        (y, x).

    Returns
    -------
    ndarray, float32, shape (X * Y, S)
    """
    angles = [1e3 * wavelength(energy) * np.fft.fftfreq(n, length / n) for n, length in zip(gpts, extent, strict=True)]
    regions = detector_regions(detector, angles[0], angles[1])
    return np.ascontiguousarray(regions.transpose(2, 1, 0).reshape(-1, len(regions)), dtype=np.float32)


def collected(waves: Any, weights: Any) -> np.ndarray:
    """Parts of the beam that the detector collects, shape (B, S).

    Parameters
    ----------
    waves : array, complex, shape (B, X, Y)
        Of numpy or cupy, normalised as abTEM does: the squares of the Fourier transform sum to 1.
    weights : array, shape (X * Y, S)
        Of :func:`detector_weights`, on the same device.
    """
    from abtem.core.backend import asnumpy, get_array_module

    spectrum = get_array_module(waves).fft.fft2(waves)
    intensity = spectrum.real**2 + spectrum.imag**2
    return np.asarray(asnumpy(intensity.reshape(len(waves), -1) @ weights))


def scan_windows(plan: Plan, positions: np.ndarray, numbers: np.ndarray, sums: np.ndarray, visits: np.ndarray) -> Blocks:
    """Add the values of all probes at one moment of the thermal motion, window by window.

    Parameters
    ----------
    plan : Plan
    positions, numbers
        Of :func:`~napari_atomseg.imaging.multislice.potential_slices.snapshot`.
    sums : ndarray, shape (S, Y, X)
        Values are added to these.
    visits : ndarray of int, shape (Y, X)
        Counts how often each probe was added.
    """
    builder = _Builder(plan)
    weights = builder.xp.asarray(
        detector_weights(plan.detector, plan.probe.energy, plan.gpts, (plan.windows_y.length, plan.windows_x.length))
    )
    vacuum, lost = builder.vacuum(weights)
    for origin_y, rows in zip(plan.windows_y.origins, plan.windows_y.probes, strict=True):
        for origin_x, columns in zip(plan.windows_x.origins, plan.windows_x.probes, strict=True):
            parts = batches(rows, columns, plan.batch)
            atoms = atoms_in_window(plan, positions, numbers, (origin_y, origin_x))
            if len(atoms) == 0:
                sums[:, rows, columns] += vacuum[:, None, None]
                visits[rows, columns] += 1
                yield len(parts)
                continue
            slices = yield from pauses(transmission_slices(plan, atoms))
            for row, column in parts:
                where = np.stack([plan.columns.probes[column] - origin_x, plan.rows.probes[row] - origin_y], axis=1)
                waves = builder.build(where)
                yield from pauses(propagate(waves, slices))
                sums[:, row, column] += collected(waves.array, weights).T + lost[:, None]
                visits[row, column] += 1
                yield 1


def batches(rows: slice, columns: slice, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Probes of a window in batches of nearly equal size.

    Parameters
    ----------
    rows, columns : slice
        Probes along y and x, with a start and a stop.
    size : int
        Most probes of a batch.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Row and column of each probe of a batch, row by row.
    """
    row, column = np.mgrid[rows, columns].reshape(2, -1)
    number = math.ceil(len(row) / size)
    return list(zip(np.array_split(row, number), np.array_split(column, number), strict=True))


def propagate(waves: Any, slices: list[Any]) -> Generator[None, None, None]:
    """Send waves through slices, in place; pauses after each slice.

    Parameters
    ----------
    waves : abtem.Waves
        Changed in place.
    slices : list
        Of :func:`~napari_atomseg.imaging.multislice.potential_slices.transmission_slices`, the entrance first.

    References
    ----------
    Kirkland (2020), Eq. 6.92; the step is abTEM's.
    """
    from abtem.antialias import AntialiasAperture
    from abtem.multislice import FresnelPropagator, conventional_multislice_step

    step: Any = conventional_multislice_step
    propagator, aperture = FresnelPropagator(), AntialiasAperture()  # type: ignore[no-untyped-call]
    for one in slices:
        step(waves, one, propagator, aperture)
        yield


class _Builder:
    """Probes of one lens on the grid of a window."""

    def __init__(self, plan: Plan) -> None:
        import abtem
        from abtem.core.backend import get_array_module

        self.xp: Any = get_array_module(plan.device.name)
        self._plan = plan
        self._extent = (plan.windows_x.length, plan.windows_y.length)
        self._gpts = (plan.windows_x.gpts, plan.windows_y.gpts)
        self._times = [math.ceil(WIDE / side) if plan.params.scheme == "tiles" else 1 for side in self._extent]
        self._probe: Any = abtem.Probe(
            energy=plan.probe.energy,
            semiangle_cutoff=plan.probe.semiangle,
            soft=plan.probe.soft,
            extent=(self._extent[0] * self._times[0], self._extent[1] * self._times[1]),
            gpts=(self._gpts[0] * self._times[0], self._gpts[1] * self._times[1]),
            aberrations=aberrations(plan.probe),
            device=plan.device.name,
        )
        self._spectrum = self._cut_out() if plan.params.scheme == "tiles" else None

    def build(self, positions: np.ndarray) -> Any:
        """Waves of probes at positions (x, y) in the window, Å."""
        import abtem
        from abtem.core.axes import UnknownAxis

        if self._spectrum is None:
            return self._probe.build(scan=abtem.CustomScan(positions), lazy=False)
        shifts = [
            self.xp.asarray(np.exp(-2j * np.pi * positions[:, axis, None] * np.fft.fftfreq(points, side / points)), np.complex64)
            for axis, (points, side) in enumerate(zip(self._gpts, self._extent, strict=True))
        ]
        array = self.xp.fft.ifft2(self._spectrum * shifts[0][:, :, None] * shifts[1][:, None, :]).astype(np.complex64)
        return abtem.Waves(array, energy=self._plan.probe.energy, extent=self._extent, ensemble_axes_metadata=[UnknownAxis()])

    def vacuum(self, weights: Any) -> tuple[np.ndarray, np.ndarray]:
        """What the detector collects of the whole probe without a specimen, and of that part alone which no window holds."""
        inside = collected(self.build(np.zeros((1, 2))).array, weights)[0]
        if self._spectrum is None:
            return inside, np.zeros_like(inside)
        plan, (times_x, times_y) = self._plan, self._times
        wide = detector_weights(
            plan.detector,
            plan.probe.energy,
            (plan.gpts[0] * times_y, plan.gpts[1] * times_x),
            (plan.windows_y.length * times_y, plan.windows_x.length * times_x),
        )
        whole = collected(self._whole(), self.xp.asarray(wide))[0]
        return whole, whole - inside

    def _whole(self) -> Any:
        """The wave of one probe in the middle of its wide grid, shape (1, X, Y)."""
        import abtem

        middle = [n * times // 2 * side / n for n, times, side in zip(self._gpts, self._times, self._extent, strict=True)]
        return self._probe.build(scan=abtem.CustomScan([middle]), lazy=False).array

    def _cut_out(self) -> Any:
        """Fourier transform of the middle of a wide probe, for a probe at the origin of the window."""
        wide = self._whole()[0]
        cut = wide
        for axis, (points, times) in enumerate(zip(self._gpts, self._times, strict=True)):
            start = points * times // 2 - points // 2
            cut = self.xp.roll(self.xp.take(cut, self.xp.arange(start, start + points), axis=axis), -(points // 2), axis)
        # abTEM's waves are normalised in Fourier space, whose steps are larger here.
        return self.xp.fft.fft2(cut) * math.sqrt(math.prod(self._times))


def pauses(steps: Generator[None, None, Any]) -> Generator[int, None, Any]:
    """The pauses of a part as blocks of nothing, and its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        yield 0
