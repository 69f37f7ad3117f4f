"""Multislice images of a scanning microscope by abTEM, as jobs that show what they have and can be stopped at any time.

For one structure at a time, in seconds to hours; images by the thousand are made by :mod:`.linear_adf`.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegWarning
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.cost import blocks_of, check_memory
from napari_atomseg.imaging.multislice.image import MultisliceImage
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.imaging.multislice.plan import Plan, plan_image
from napari_atomseg.imaging.multislice.potential_slices import snapshot
from napari_atomseg.imaging.multislice.prism import scan_prism
from napari_atomseg.imaging.multislice.probes import scan_windows
from napari_atomseg.imaging.multislice.scan_grid import interpolation_matrix
from napari_atomseg.optics.probe import ProbeParams

if TYPE_CHECKING:
    from ase import Atoms

PAUSE = 0.1
"""Seconds after which a job shows a sign of life, though no block is finished."""


@dataclass(frozen=True, eq=False)
class MultisliceProgress(Progress):
    """How far an image is, and what it looks like.

    Attributes
    ----------
    partial : ndarray, float32, shape (Y, X)
        What the whole detector has collected at the probes in the field, the mean of the snapshots so far and without the source;
        not a number where nothing is known yet.
    step : tuple of float, Å, (y, x)
        Distance of the probes.
    """

    partial: np.ndarray
    step: tuple[float, float]


def multislice_image(
    atoms: Atoms, probe: ProbeParams, detector: DetectorParams, params: MultisliceParams, pixel_size: Angstrom
) -> Steps[MultisliceImage]:
    """Image of a structure, in fractions of the beam.

    Parameters
    ----------
    atoms : Atoms
        The beam runs along +z, from the entrance surface at z = 0. The cell has right angles, and its sides along x and y are the
        field of view. Where it is periodic along x or y the field is a period; elsewhere atoms may lie beyond it, so that the
        probes at its edges see what is there, and beyond those is vacuum. ``atoms.arrays["thermal"]`` holds rms displacements
        along one axis in Å.
    probe : ProbeParams
        Focused, for zero defocus, on z = 0; a positive one puts the focus into the specimen.
    detector : DetectorParams
    params : MultisliceParams
    pixel_size : float, Å
        Made to divide the field where that is a period.

    Yields
    ------
    MultisliceProgress

    Returns
    -------
    MultisliceImage

    Raises
    ------
    AtomsegError
        If it cannot be calculated as asked.

    Notes
    -----
    Probes are calculated at the distance that determines the image, then interpolated and blurred by the source exactly.

    References
    ----------
    Kirkland (2020), chapter 6; Madsen and Susi, Open Research Europe 1 (2021) 24.
    """
    started = time.perf_counter()
    plan = plan_image(atoms, probe, detector, params, pixel_size)
    check_memory(plan)
    for note in plan.notes:
        warnings.warn(note, AtomsegWarning, stacklevel=2)
    scan = scan_prism if params.scheme == "prism" else scan_windows
    sums = np.zeros((detector.images, plan.rows.count, plan.columns.count))
    visits = np.zeros(sums.shape[1:], dtype=int)
    done, total, shown = 0, blocks_of(plan), started
    for number in range(plan.snapshots):
        for finished in scan(plan, *snapshot(plan, number), sums, visits):
            done += finished
            if finished or time.perf_counter() - shown > PAUSE:
                yield _progress(plan, min(done, total), total, sums, visits)
                shown = time.perf_counter()
    image = _pixels(plan, sums / visits)
    return MultisliceImage(
        image=image if detector.kind == "segmented" else image[0],
        pixel_size=(plan.rows.pixel_size, plan.columns.pixel_size),
        notes=(*plan.notes, *_device_notes(plan)),
        seconds=time.perf_counter() - started,
    )


def tiled(image: np.ndarray, repeats: tuple[int, int]) -> np.ndarray:
    """A larger field of a periodic specimen: the image of its period, repeated along (y, x).

    Parameters
    ----------
    image : ndarray, shape (..., Y, X)
    repeats : tuple of int
        (y, x).
    """
    return np.tile(image, (1,) * (image.ndim - 2) + repeats)


def _progress(plan: Plan, done: int, total: int, sums: np.ndarray, visits: np.ndarray) -> MultisliceProgress:
    inside = plan.rows.inside, plan.columns.inside
    seen = visits[inside]
    mean = np.full(seen.shape, np.nan, dtype=np.float32)
    np.divide(sums[(slice(None), *inside)].sum(axis=0), seen, out=mean, where=seen > 0, casting="same_kind")
    return MultisliceProgress(done, total, "multislice", mean, (plan.rows.step, plan.columns.step))


def _pixels(plan: Plan, values: np.ndarray) -> np.ndarray:
    """Values of the probes (S, Y, X) as pixels, seen through the source."""
    source = plan.probe.source_size
    rows, columns = interpolation_matrix(plan.rows, source), interpolation_matrix(plan.columns, source)
    return np.asarray(rows @ values @ columns.T, dtype=np.float32)


def _device_notes(plan: Plan) -> tuple[str, ...]:
    return () if plan.device.name == "gpu" or plan.params.device == "cpu" else (f"Calculated on the cpu: {plan.device.why}.",)
