"""Images by abTEM's scattering matrix of plane waves (PRISM): one propagation for all probes.

Not for quantities where electrons travel farther to the side than half the window of a probe, unless that window is a whole
number of crystal cells: they are then seen at wrong columns.

References
----------
Ophus, Adv. Struct. Chem. Imaging 3 (2017) 13.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np

from napari_atomseg.imaging.multislice.plan import Plan
from napari_atomseg.imaging.multislice.potential_slices import atoms_in_window, transmission_slices
from napari_atomseg.imaging.multislice.probes import Blocks, aberrations, collected, detector_weights, pauses, propagate
from napari_atomseg.optics.electron import wavelength

_WORK = 1 << 28
"""Products of complex numbers between two pauses."""
MOST_POSITIONS = 64
"""Probes that are made from the matrix together."""


def plane_waves_needed(plan: Plan) -> int:
    """Plane waves in the aperture, of which every so-many-th is calculated, about."""
    reach = plan.probe.semiangle * 1e-3 / wavelength(plan.probe.energy)
    steps = [one.length * reach / plan.params.interpolation + 0.5 for one in (plan.windows_y, plan.windows_x)]
    return math.ceil(math.pi * steps[0] * steps[1])


def reduced_gpts(plan: Plan) -> tuple[int, int]:
    """Grid points (y, x) of the matrix, about: those that the band of the waves needs."""
    return math.ceil(plan.gpts[0] * 2 / 3) + 1, math.ceil(plan.gpts[1] * 2 / 3) + 1


def positions_together(plan: Plan) -> int:
    """Probes that are made from the matrix between two pauses."""
    points = math.prod(reduced_gpts(plan)) / plan.params.interpolation**2
    return int(min(MOST_POSITIONS, max(1, _WORK // (plane_waves_needed(plan) * points))))


def scan_prism(plan: Plan, positions: np.ndarray, numbers: np.ndarray, sums: np.ndarray, visits: np.ndarray) -> Blocks:
    """Add the values of all probes at one moment of the thermal motion; as :func:`.probes.scan_windows`.

    Parameters
    ----------
    plan : Plan
        Of a single window, which all probes share.
    positions, numbers
        Of :func:`~napari_atomseg.imaging.multislice.potential_slices.snapshot`.
    sums : ndarray, shape (S, Y, X)
        Parts of the beam that each of S detectors collects are added to these, in place.
    visits : ndarray of int, shape (Y, X)
        Counts how often each probe was added, in place.

    Yields
    ------
    int
        1 for each group of probes that was added, 0 at a mere pause.
    """
    import abtem
    from abtem.core.backend import get_array_module

    origin = (plan.windows_y.origins[0], plan.windows_x.origins[0])
    slices = yield from pauses(transmission_slices(plan, atoms_in_window(plan, positions, numbers, origin)))
    matrix = yield from _scattering_matrix(plan, slices)
    lens = abtem.CTF(
        energy=plan.probe.energy,
        semiangle_cutoff=plan.probe.semiangle,
        soft=plan.probe.soft,
        aberration_coefficients=aberrations(plan.probe),
    )
    window = (matrix.window_gpts[1], matrix.window_gpts[0])
    extent = [side / plan.params.interpolation for side in (plan.windows_y.length, plan.windows_x.length)]
    weights = get_array_module(plan.device.name).asarray(
        detector_weights(plan.detector, plan.probe.energy, window, (extent[0], extent[1]))
    )
    row, column = np.mgrid[: plan.rows.count, : plan.columns.count].reshape(2, -1)
    for part in np.array_split(np.arange(len(row)), math.ceil(len(row) / positions_together(plan))):
        where = np.stack([plan.columns.probes[column[part]] - origin[1], plan.rows.probes[row[part]] - origin[0]], axis=1)
        waves: Any = matrix.reduce(
            scan=abtem.CustomScan(where), ctf=lens, detectors=abtem.WavesDetector(to_cpu=False), max_batch_reduction=len(part)
        )
        sums[:, row[part], column[part]] += collected(waves.array, weights).T
        visits[row[part], column[part]] += 1
        yield 1


def prism_blocks(plan: Plan) -> int:
    """Blocks of one snapshot: batches of plane waves, then of probes, about."""
    probes = plan.rows.count * plan.columns.count
    return math.ceil(plane_waves_needed(plan) / plan.batch) + math.ceil(probes / positions_together(plan))


def _scattering_matrix(plan: Plan, slices: list[Any]) -> Generator[int, None, Any]:
    """Plane waves behind the specimen, as abTEM's SMatrixArray; built here in batches, with pauses."""
    import abtem
    from abtem.core.axes import UnknownAxis
    from abtem.core.backend import get_array_module
    from abtem.prism.s_matrix import SMatrixArray
    from abtem.prism.utils import plane_waves

    extent, gpts = (plan.windows_x.length, plan.windows_y.length), (plan.windows_x.gpts, plan.windows_y.gpts)
    empty: Any = abtem.SMatrix(
        semiangle_cutoff=plan.probe.semiangle,
        energy=plan.probe.energy,
        extent=extent,
        gpts=gpts,
        interpolation=plan.params.interpolation,
        device=plan.device.name,
    )
    vectors = np.asarray(empty.wave_vectors, dtype=np.float32)
    xp = get_array_module(plan.device.name)
    result = xp.zeros((len(vectors), *empty.downsampled_gpts), dtype=np.complex64)
    for part in np.array_split(np.arange(len(vectors)), math.ceil(len(vectors) / plan.batch)):
        array = plane_waves(xp.asarray(vectors[part]), extent, gpts)
        array *= plan.params.interpolation**2 / math.prod(gpts)
        waves: Any = abtem.Waves(array, energy=plan.probe.energy, extent=extent, ensemble_axes_metadata=[UnknownAxis()])
        yield from pauses(propagate(waves, slices))
        result[part[0] : part[-1] + 1] = waves.downsample(gpts=empty.downsampled_gpts, normalization="intensity").array
        yield 1
    return SMatrixArray(
        result,
        wave_vectors=empty.wave_vectors,
        semiangle_cutoff=plan.probe.semiangle,
        energy=plan.probe.energy,
        interpolation=plan.params.interpolation,
        extent=extent,
        window_gpts=empty.window_gpts,
        device=plan.device.name,
    )
