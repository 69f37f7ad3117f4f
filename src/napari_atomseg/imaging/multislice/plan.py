"""What a multislice image will take, decided and checked before anything is calculated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.device import Device, choose_device
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.imaging.multislice.scan_grid import ScanAxis, nyquist_step, scan_axis
from napari_atomseg.imaging.multislice.windows import AxisWindows, cut_windows, largest_sampling, one_window
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.optics.probe import ProbeParams
from napari_atomseg.specimens.thermal_motion import THERMAL_WIDTH

if TYPE_CHECKING:
    from ase import Atoms

LEAST_MARGIN = 5.0
"""Margin that is enough for thin specimens, Angstrom."""
TAILS = 4.0
"""Margin beyond the geometric cone of the probe, for diffraction at the aperture and scattering, Angstrom."""
MOST_GRID_POINTS = 4096
MOST_PIXELS = 16384
MOST_ATOMS = {"full": 1_000_000, "prism": 1_000_000, "tiles": 20_000_000}
FASTEST_BATCH = {"cpu": 16, "gpu": 128}
"""Probes that are propagated together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Everything that is fixed before a multislice image is calculated.

    Attributes
    ----------
    positions : ndarray, shape (N, 3), Å, (x, y, z)
    numbers, thermal : ndarray, shape (N,)
        Atomic numbers; rms displacement along one axis in Å.
    probe, detector, params
        As given.
    rows, columns : ScanAxis
        Along y and x.
    windows_y, windows_x : AxisWindows
    slices : int
        Down to the last atom.
    slice_thickness : float, Å
    snapshots : int
        How many times everything is calculated.
    device : Device
    notes : tuple of str
        What the user should know of the result.
    """

    positions: np.ndarray
    numbers: np.ndarray
    thermal: np.ndarray
    probe: ProbeParams
    detector: DetectorParams
    params: MultisliceParams
    rows: ScanAxis
    columns: ScanAxis
    windows_y: AxisWindows
    windows_x: AxisWindows
    slices: int
    slice_thickness: float
    snapshots: int
    device: Device
    notes: tuple[str, ...]

    @property
    def gpts(self) -> tuple[int, int]:
        """Grid points of a window, (y, x)."""
        return self.windows_y.gpts, self.windows_x.gpts

    @property
    def thickness(self) -> float:
        """Of the slices that hold atoms, Å."""
        return self.slices * self.slice_thickness

    @property
    def batch(self) -> int:
        """Probes that are propagated together: fewer on large grids, so that memory and the time to a pause stay small."""
        if self.device.name == "gpu":
            return FASTEST_BATCH["gpu"]
        return max(1, min(FASTEST_BATCH["cpu"], (1 << 21) // (self.gpts[0] * self.gpts[1])))


def plan_image(
    atoms: Atoms, probe: ProbeParams, detector: DetectorParams, params: MultisliceParams, pixel_size: Angstrom
) -> Plan:
    """Grids, windows and slices of a multislice image.

    Parameters
    ----------
    atoms, probe, detector, params, pixel_size
        As for :func:`~napari_atomseg.imaging.multislice.scan_image.multislice_image`.

    Raises
    ------
    AtomsegError
        If the image cannot be calculated as asked; the message says which knob helps.
    """
    field = _checked_cell(atoms, params)
    device = choose_device(params.device)
    thermal = np.asarray(atoms.arrays.get("thermal", np.full(len(atoms), THERMAL_WIDTH)), dtype=float)
    slices, slice_thickness = _slices(atoms, thermal, params)
    margin = _margin(probe, params, slices * slice_thickness)
    axes = [_axis(atoms, axis, probe, params, pixel_size, margin) for axis in (1, 0)]
    sampling = largest_sampling(wavelength(probe.energy), max(detector.outer_angle, probe.semiangle))
    windows = [_windows(axis, params, margin, sampling) for axis in axes]
    _check_grid(windows, field, detector, params, margin)
    return Plan(
        positions=np.asarray(atoms.positions, dtype=float),
        numbers=np.asarray(atoms.numbers),
        thermal=thermal,
        probe=probe,
        detector=detector,
        params=params,
        rows=axes[0],
        columns=axes[1],
        windows_y=windows[0],
        windows_x=windows[1],
        slices=slices,
        slice_thickness=slice_thickness,
        snapshots=max(1, params.configurations),
        device=device,
        notes=_notes(windows, detector, params, slices * slice_thickness),
    )


def probe_spread(probe: ProbeParams, thickness: Angstrom) -> Angstrom:
    r"""Largest radius of the cone of rays of a probe inside a specimen.

    Parameters
    ----------
    probe : ProbeParams
    thickness : float, Angstrom
        Of the specimen.

    Notes
    -----
    A defocus :math:`\Delta f` puts the crossover that deep, so that the cone at depth z has the radius
    :math:`|z - \Delta f|\, \alpha`.
    """
    angle = probe.semiangle * 1e-3
    cone = max(abs(probe.defocus), abs(thickness - probe.defocus)) + abs(probe.astigmatism)
    lens = (abs(probe.coma) + abs(probe.trefoil)) * angle**2 + abs(probe.Cs) * angle**3 + abs(probe.C5) * angle**5
    return cone * angle + lens


def _checked_cell(atoms: Atoms, params: MultisliceParams) -> tuple[float, float]:
    """Field of view (y, x); whatever cannot be calculated is refused."""
    cell = np.asarray(atoms.cell.array, dtype=float)
    if len(atoms) == 0:
        raise AtomsegError("There are no atoms to make an image of; load or build a structure first")
    if len(atoms) > MOST_ATOMS[params.scheme]:
        advice = "use tiles or a smaller field" if params.scheme != "tiles" else "cut out a smaller field"
        raise AtomsegError(
            f"{len(atoms):,} atoms are too many for the scheme {params.scheme}, which takes {MOST_ATOMS[params.scheme]:,}; "
            f"{advice}"
        )
    lengths = np.diag(cell)
    if not np.allclose(np.diag(lengths), cell, atol=1e-6) or lengths[:2].min() <= 0:
        raise AtomsegError("Multislice needs a cell with right angles along x, y and z; cut the structure into a block first")
    if lengths[2] <= 0:
        raise AtomsegError(
            "The structure has no thickness along the beam; give its cell a height along z, 2 Å for a single layer"
        )
    if not np.all(np.isfinite(atoms.positions)):
        raise AtomsegError("Some atoms have no position (not a number); remove them from the structure")
    heights = atoms.positions[:, 2]
    if heights.min() < -1e-6 or heights.max() > lengths[2] + 1e-6:
        raise AtomsegError(
            f"Atoms lie from z = {heights.min():.4g} to {heights.max():.4g} Å, but the cell from 0 to {lengths[2]:.4g} Å; "
            "centre the structure in a cell that is high enough"
        )
    return float(lengths[1]), float(lengths[0])


def _slices(atoms: Atoms, thermal: np.ndarray, params: MultisliceParams) -> tuple[int, Angstrom]:
    """Slices down to the last atom, and their thickness; empty space behind it changes no image."""
    height = float(atoms.cell.array[2, 2])
    count = max(1, math.ceil(height / params.slice_thickness - 1e-9))
    thickness = height / count
    motion = 4 * float(thermal.max()) if params.configurations else 0.0
    last = float(atoms.positions[:, 2].max()) + motion
    return min(count, math.floor(last / thickness) + 1), thickness


def _margin(probe: ProbeParams, params: MultisliceParams, thickness: Angstrom) -> Angstrom:
    """Specimen kept around each probe."""
    spread = probe_spread(probe, thickness)
    if params.margin == 0:
        return max(LEAST_MARGIN, TAILS + spread)
    if params.margin < spread:
        raise AtomsegError(
            f"A probe with a spread of {spread:.3g} Å in the specimen does not fit into a margin of {params.margin:g} Å; "
            f"set the margin to {math.ceil(spread + TAILS)} Å, or to 0 for an automatic one"
        )
    return params.margin


def _axis(
    atoms: Atoms, axis: int, probe: ProbeParams, params: MultisliceParams, pixel_size: Angstrom, margin: Angstrom
) -> ScanAxis:
    """Probes and pixels along x (0) or y (1)."""
    length = float(atoms.cell.array[axis, axis])
    if not 0 < pixel_size <= length or length / pixel_size > MOST_PIXELS:
        raise AtomsegError(
            f"A field of {length:.4g} Å cannot be divided into pixels of {pixel_size:g} Å; "
            f"take pixels between {length / MOST_PIXELS:.2g} and {length:.4g} Å"
        )
    where = atoms.positions[:, axis]
    return scan_axis(
        length=length,
        periodic=bool(atoms.pbc[axis]),
        largest_step=params.scan_step or nyquist_step(probe),
        pixel_size=pixel_size,
        source_size=probe.source_size,
        padded=bool(where.min() < margin or where.max() > length - margin),
    )


def _windows(axis: ScanAxis, params: MultisliceParams, margin: Angstrom, sampling: Angstrom) -> AxisWindows:
    if params.scheme == "tiles":
        return cut_windows(axis, params.tile, margin, sampling)
    return one_window(axis, margin, sampling, params.interpolation if params.scheme == "prism" else 1)


def _check_grid(
    windows: list[AxisWindows],
    field: tuple[float, float],
    detector: DetectorParams,
    params: MultisliceParams,
    margin: Angstrom,
) -> None:
    points = max(one.gpts for one in windows)
    if points <= MOST_GRID_POINTS:
        return
    length = max(one.length for one in windows)
    if params.scheme != "tiles" and min(field) > 4 * margin:
        advice = "use tiles"
    else:
        advice = (
            f"lower the detector's outer angle below {detector.outer_angle * MOST_GRID_POINTS / points:.0f} mrad, "
            "or the tile, the margin or the defocus"
        )
    raise AtomsegError(
        f"A window of {length:.0f} Å up to {detector.outer_angle:g} mrad needs a grid of {points} points, "
        f"more than {MOST_GRID_POINTS}; {advice}"
    )


def _notes(
    windows: list[AxisWindows], detector: DetectorParams, params: MultisliceParams, thickness: Angstrom
) -> tuple[str, ...]:
    """What is known to be wrong with an image of PRISM that is calculated as asked."""
    if params.scheme != "prism" or params.interpolation == 1:
        return ()
    reach = thickness * detector.outer_angle * 1e-3
    # In a crystal whose cells the interpolation divides, the copies of a probe are where the crystal looks the same.
    short = [one.length / params.interpolation for one in windows if one.period is None]
    if not short or min(short) / 2 >= reach:
        return ()
    return (
        f"PRISM sees each probe in a window of {min(short):.3g} Å, but electrons spread by {reach:.3g} Å on either side: "
        f"intensities may be wrong by tens of per cent; use interpolation 1 or tiles",
    )
