"""How long a multislice image will take and how much memory, before any of it is calculated."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.imaging.multislice.plan import Plan, plan_image
from napari_atomseg.imaging.multislice.potential_slices import FINER
from napari_atomseg.imaging.multislice.prism import plane_waves_needed, positions_together, prism_blocks, reduced_gpts
from napari_atomseg.imaging.multislice.windows import AxisWindows
from napari_atomseg.optics.probe import ProbeParams

if TYPE_CHECKING:
    from ase import Atoms

POTENTIAL_STEPS = 6.0
"""Time to make one slice of a window, in steps of one probe through a slice, for each element."""
PROBE_STEPS = 4.0
"""Time to make a probe and to collect it, in the same."""
STEP = 1.3
"""Time of a step in that of its Fourier transforms alone: products, copies and other work of the machine."""
PRODUCTS_PER_SECOND = 3e9
"""Of complex numbers, when probes are made from a scattering matrix on one core."""
GRAPHICS_SPEED = 20.0
"""Of a graphics processor against one core: a guess."""
MOST_MEMORY = 0.8
"""Part of the free memory that may be taken."""
_COMPLEX = 8


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an image will take.

    Attributes
    ----------
    seconds : float
        Within a factor of two on the processor; a guess on a graphics processor.
    memory_bytes : int
        Largest at any one time.
    blocks : int
        Of the progress.
    device : {"cpu", "gpu"}
    why : str
        What is calculated, and why there.
    """

    seconds: float
    memory_bytes: int
    blocks: int
    device: str
    why: str


def cost(atoms: Atoms, probe: ProbeParams, detector: DetectorParams, params: MultisliceParams, pixel_size: Angstrom) -> Cost:
    """Time and memory of an image, without calculating any of it but one Fourier transform of a window.

    Parameters
    ----------
    atoms, probe, detector, params, pixel_size
        As for :func:`~napari_atomseg.imaging.multislice.scan_image.multislice_image`.

    Raises
    ------
    AtomsegError
        If it cannot be calculated as asked, or not in the memory that is free.
    """
    plan = plan_image(atoms, probe, detector, params, pixel_size)
    check_memory(plan)
    step = seconds_per_step(plan.gpts) / (GRAPHICS_SPEED if plan.device.name == "gpu" else 1)
    seconds = _prism_seconds(plan, step) if params.scheme == "prism" else _window_seconds(plan, step)
    return Cost(
        seconds=plan.snapshots * seconds,
        memory_bytes=memory_of(plan),
        blocks=blocks_of(plan),
        device=plan.device.name,
        why=_summary(plan),
    )


def check_memory(plan: Plan) -> None:
    """Refuse what does not fit into the memory that is free.

    Raises
    ------
    AtomsegError
    """
    needed, free = memory_of(plan), plan.device.free_bytes
    if free is None or needed <= MOST_MEMORY * free:
        return
    if plan.params.scheme == "prism":
        factor = math.sqrt(needed / (MOST_MEMORY * free))
        advice = f"raise the interpolation to {math.ceil(plan.params.interpolation * factor)}, or use tiles"
    elif plan.params.scheme == "full":
        advice = "use tiles"
    else:
        fitting = plan.slice_thickness * needed / (MOST_MEMORY * free)
        advice = f"raise the slice thickness to {fitting:.2g} Å, or lower the detector's outer angle"
    raise AtomsegError(f"This image needs {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; {advice}")


def memory_of(plan: Plan) -> int:
    """Bytes that a calculation holds at most."""
    points = math.prod(plan.gpts)
    slices = plan.slices * points * _COMPLEX
    # Waves, their copies in Fourier transforms and steps, and intensities.
    waves = 5 * plan.batch * points * _COMPLEX
    detector = plan.detector.images * points * 4
    probes = plan.rows.count * plan.columns.count * plan.detector.images * _COMPLEX * 3
    potential = 32 * FINER**2 * points
    atoms = len(plan.positions) * plan.windows_y.repeats * plan.windows_x.repeats * 200
    matrix = 0
    if plan.params.scheme == "prism":
        reduced = math.prod(reduced_gpts(plan))
        # The part of the matrix that a row of probes sees is copied.
        matrix = 2 * plane_waves_needed(plan) * reduced * _COMPLEX
        matrix += 4 * positions_together(plan) * reduced * _COMPLEX // plan.params.interpolation**2
    return slices + waves + potential + detector + probes + atoms + matrix


def blocks_of(plan: Plan) -> int:
    """Blocks of the progress."""
    if plan.params.scheme == "prism":
        return plan.snapshots * prism_blocks(plan)
    counts = [[one.stop - one.start for one in windows.probes] for windows in (plan.windows_y, plan.windows_x)]
    batches = np.ceil(np.outer(counts[0], counts[1]) / plan.batch)
    return plan.snapshots * int(batches.sum())


@functools.lru_cache(maxsize=64)
def seconds_per_step(gpts: tuple[int, int]) -> float:
    """Time of one probe through one slice of a window, measured by Fourier transforms of its size on one core."""
    batch = max(1, min(16, (1 << 20) // math.prod(gpts)))
    waves = np.ones((batch, *gpts), dtype=np.complex64)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        waves = scipy.fft.fft2(waves, overwrite_x=True)
        waves *= waves[0]
        waves = scipy.fft.ifft2(waves, overwrite_x=True)
        times.append(time.perf_counter() - started)
        waves[:] = 1
    return STEP * min(times) / batch


def _window_seconds(plan: Plan, step: float) -> float:
    """One snapshot in windows; those without atoms cost nothing."""
    windows, probes = _filled(plan)
    elements = len(np.unique(plan.numbers))
    return step * (probes * (plan.slices + PROBE_STEPS) + plan.slices * windows * POTENTIAL_STEPS * (1 + elements))


def _prism_seconds(plan: Plan, step: float) -> float:
    """One snapshot by a scattering matrix: waves through the slices, then probes from waves."""
    waves, probes = plane_waves_needed(plan), plan.rows.count * plan.columns.count
    elements = len(np.unique(plan.numbers))
    points = math.prod(reduced_gpts(plan)) / plan.params.interpolation**2
    built = plan.slices * step * (waves + POTENTIAL_STEPS * (1 + elements))
    return built + probes * waves * points / PRODUCTS_PER_SECOND + probes * step


def _filled(plan: Plan) -> tuple[int, int]:
    """Windows that hold atoms, and their probes."""
    reached = [_reached(plan.positions[:, axis], windows) for axis, windows in ((1, plan.windows_y), (0, plan.windows_x))]
    both = np.einsum("na,nb->ab", reached[0], reached[1], dtype=np.float32) > 0
    counts = [np.array([one.stop - one.start for one in windows.probes]) for windows in (plan.windows_y, plan.windows_x)]
    return int(both.sum()), int((both * np.outer(counts[0], counts[1])).sum())


def _reached(coordinates: np.ndarray, windows: AxisWindows) -> np.ndarray:
    """Which atoms lie in which windows along one axis, shape (N, windows)."""
    # Many atoms fill whatever windows there are, and a part of them tells so.
    some = coordinates[:: max(1, len(coordinates) // 20_000)]
    distance = some[:, None] - np.array(windows.origins)
    if windows.period is not None:
        distance = np.mod(distance, windows.period)
    return np.asarray((distance >= 0) & (distance < windows.length), dtype=np.float32)


def _summary(plan: Plan) -> str:
    windows = len(plan.windows_y.origins) * len(plan.windows_x.origins)
    grid = f"{plan.gpts[1]} x {plan.gpts[0]}"
    probes = plan.rows.count * plan.columns.count
    return (
        f"{probes} probes, {plan.slices} slices, {windows} window{'s' * (windows > 1)} of {grid} points, "
        f"{plan.snapshots} snapshot{'s' * (plan.snapshots > 1)}, on the {plan.device.name} ({plan.device.why})"
    )
