"""Probes by abTEM: built, propagated through the slices of a window, and collected by a detector. abTEM has x first."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np

from napari_atomseg.imaging.detectors import DetectorParams, detector_regions
from napari_atomseg.imaging.multislice_plan import Plan
from napari_atomseg.imaging.potential_slices import atoms_in_window, transmission_slices
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.optics.probe import ProbeParams

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
        Of :func:`~napari_atomseg.imaging.potential_slices.snapshot`.
    sums : ndarray, shape (S, Y, X)
        Values are added to these.
    visits : ndarray of int, shape (Y, X)
        Counts how often each probe was added.
    """
    builder = _builder(plan)
    weights = builder.xp.asarray(
        detector_weights(plan.detector, plan.probe.energy, plan.gpts, (plan.windows_y.length, plan.windows_x.length))
    )
    vacuum = collected(builder.build(np.zeros((1, 2))).array, weights)[0]
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
                sums[:, row, column] += collected(waves.array, weights).T
                visits[row, column] += 1
                yield 1


def batches(rows: slice, columns: slice, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Indices (rows, columns) of the probes of a window in batches of nearly equal size, at most `size`."""
    row, column = np.mgrid[rows, columns].reshape(2, -1)
    number = math.ceil(len(row) / size)
    return list(zip(np.array_split(row, number), np.array_split(column, number), strict=True))


def propagate(waves: Any, slices: list[Any]) -> Generator[None, None, None]:
    """Send waves through slices, in place; pauses after each slice.

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

    def __init__(self, probe: Any, xp: Any, scan: Any) -> None:
        self.probe, self.xp, self.scan = probe, xp, scan

    def build(self, positions: np.ndarray) -> Any:
        """Waves of probes at positions (x, y) in the window, Å."""
        return self.probe.build(scan=self.scan(positions), lazy=False)


def _builder(plan: Plan) -> _Builder:
    import abtem
    from abtem.core.backend import get_array_module

    probe: Any = abtem.Probe(
        energy=plan.probe.energy,
        semiangle_cutoff=plan.probe.semiangle,
        soft=plan.probe.soft,
        extent=(plan.windows_x.length, plan.windows_y.length),
        gpts=(plan.windows_x.gpts, plan.windows_y.gpts),
        aberrations=aberrations(plan.probe),
        device=plan.device.name,
    )
    return _Builder(probe, get_array_module(plan.device.name), abtem.CustomScan)


def pauses(steps: Generator[None, None, Any]) -> Generator[int, None, Any]:
    """The pauses of a part as blocks of nothing, and its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        yield 0
