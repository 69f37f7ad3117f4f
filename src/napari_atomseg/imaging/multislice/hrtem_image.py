"""High-resolution TEM images of thick specimens: multislice waves, an objective lens and a camera; noiseless.

The waves are abTEM's (:mod:`.exit_wave`), averaged over snapshots of the thermal motion behind the lens.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Quantity
from napari_atomseg.imaging.hrtem import image_focal_series
from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave
from napari_atomseg.imaging.multislice.image import MultisliceImage
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import MtfParams, through_camera
from napari_atomseg.specimens.thermal_motion import THERMAL_WIDTH

if TYPE_CHECKING:
    from ase import Atoms

FINEST = 0.1
"""Sampling that the waves need, Angstrom; larger pixels are made from a whole number of these."""
MOST_POINTS = 4096


@dataclass(frozen=True, kw_only=True)
class HrtemParams:
    """Slices and thermal motion of a multislice TEM image.

    Attributes
    ----------
    slice_thickness : float, Å
        Largest.
    configurations : int
        Frozen phonons: the image is a mean over so many snapshots of the thermal motion. 0 holds all atoms still.
    seed : int
        Random seed of the thermal motion.
    margin : float, Å
        Vacuum around a field that is no period, for waves that the lens carries aside.
    """

    slice_thickness: Annotated[float, Quantity(unit="Å", low=0.1, high=20)] = 2.0
    configurations: Annotated[int, Quantity(low=0, high=1000, decimals=0)] = 8
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1, decimals=0)] = 0
    margin: Annotated[float, Quantity(unit="Å", low=0, high=1000)] = 10.0

    def __post_init__(self) -> None:
        check(self)


def hrtem_image(
    atoms: Atoms,
    ctf: CtfParams,
    pixel_size: Angstrom,
    params: HrtemParams | None = None,
    foci: Sequence[float] = (0.0,),
    mtf: MtfParams | None = None,
) -> Steps[MultisliceImage]:
    """Image of a structure in a TEM, the beam running along +z.

    Parameters
    ----------
    atoms : Atoms
        In a cell with right angles whose sides along x and y are the field of view: a period, or one without in vacuum.
        ``atoms.arrays["thermal"]`` holds rms displacements along one axis in Å.
    ctf : CtfParams
        Focused, for zero defocus, on the exit surface.
    pixel_size : float, Å
        A field that is a period is stretched, by 2 % at most, to hold whole pixels.
    params : HrtemParams, optional
    foci : sequence of float, length F, Å
        Added to the defocus.
    mtf : MtfParams, optional
        Of the camera, whose pixels are those of the image.

    Yields
    ------
    Progress
        One step for each snapshot.

    Returns
    -------
    MultisliceImage

    Raises
    ------
    AtomsegError
        If it cannot be calculated as asked.
    """
    started = time.perf_counter()
    params = params or HrtemParams()
    finer, placed = _placed(atoms, pixel_size, params)
    snapshots = max(1, params.configurations)
    total: torch.Tensor | None = None
    yield Progress(0, snapshots, "multislice")
    for number in range(snapshots):
        moved = _moved(placed, params, number)
        wave = multislice_exit_wave(moved, ctf.energy, pixel_size / finer, params.slice_thickness).wave
        yield Progress(number, snapshots, "lens")
        series = image_focal_series(torch.from_numpy(wave)[None], [ctf], foci, pixel_size / finer)[0]
        total = series if total is None else total + series
        yield Progress(number + 1, snapshots, "multislice")
    assert total is not None
    mean = _every(total / snapshots, finer)
    expected = mean[:, None].to(torch.float32)
    recorded = np.asarray(through_camera(expected, expected, [mtf or MtfParams()] * len(expected))[:, 0].numpy())
    return MultisliceImage(
        image=_field(recorded, atoms, pixel_size, params),
        pixel_size=(pixel_size, pixel_size),
        notes=(),
        seconds=time.perf_counter() - started,
    )


def _placed(atoms: Atoms, pixel_size: Angstrom, params: HrtemParams) -> tuple[int, Atoms]:
    """How many points of the waves make a pixel, and the atoms in a cell that the waves may fill."""
    if len(atoms) == 0:
        raise AtomsegError("There are no atoms to make an image of; load or build a structure first")
    if not 1e-3 <= pixel_size <= 100:
        raise AtomsegError(f"Pixels of {pixel_size:g} Å cannot be calculated; take between 0.001 and 100 Å")
    lengths = np.diag(atoms.cell.array)
    finer = max(1, math.ceil(pixel_size / FINEST - 1e-9))
    room = [0 if periodic else math.ceil(params.margin / pixel_size) for periodic in atoms.pbc[:2]]
    pixels = [max(1, round(length / pixel_size)) + 2 * one for length, one in zip(lengths[:2], room, strict=True)]
    if max(pixels) * finer > MOST_POINTS:
        raise AtomsegError(
            f"This field needs waves of {max(pixels) * finer} points a side, more than {MOST_POINTS}; simulate a smaller "
            f"field of view than {max(lengths[:2]):.4g} Å, or larger pixels if they are below {FINEST} Å"
        )
    placed = atoms.copy()
    placed.set_cell(
        [
            length if periodic else count * pixel_size
            for length, periodic, count in zip(lengths[:2], atoms.pbc[:2], pixels, strict=True)
        ]
        + [lengths[2]]
    )
    placed.positions[:, :2] += np.array(room) * pixel_size
    inside = np.ones(len(placed), dtype=bool)
    for axis in (0, 1):
        if not atoms.pbc[axis]:
            where = placed.positions[:, axis]
            inside &= (where >= 0) & (where < placed.cell.array[axis, axis])
    if not inside.any():
        raise AtomsegError("No atom lies in the field of view; centre the structure in its cell")
    placed = placed[inside]
    _stretch(placed, pixel_size)
    return finer, placed


def _stretch(placed: Atoms, pixel_size: Angstrom) -> None:
    """Make the cell hold whole pixels, each a whole number of points of the waves."""
    for axis in (0, 1):
        length = float(placed.cell.array[axis, axis])
        whole = max(1, round(length / pixel_size)) * pixel_size
        if abs(whole / length - 1) > 0.02:
            raise AtomsegError(
                f"A period of {length:.4g} Å cannot be divided into pixels of {pixel_size:g} Å; "
                f"take {length / max(1, round(length / pixel_size)):.4g} Å, or repeat the cell"
            )
        cell = placed.cell.array.copy()
        cell[axis, axis] = whole
        placed.positions[:, axis] *= whole / length
        placed.set_cell(cell)


def _moved(atoms: Atoms, params: HrtemParams, number: int) -> Atoms:
    """The atoms at one moment of their thermal motion."""
    moved = atoms.copy()
    if params.configurations:
        thermal = np.asarray(atoms.arrays.get("thermal", np.full(len(atoms), THERMAL_WIDTH)), dtype=float)
        moved.positions += thermal[:, None] * np.random.default_rng((params.seed, number)).normal(size=(len(atoms), 3))
    return moved


def _every(images: torch.Tensor, finer: int) -> torch.Tensor:
    """Images (F, Y, X) without the frequencies that larger pixels cannot hold, at every so-many-th point."""
    if finer == 1:
        return images
    shape = images.shape[-2] // finer, images.shape[-1] // finer
    spectrum = torch.fft.fft2(images)
    for axis, points in zip((-2, -1), shape, strict=True):
        frequency = torch.fft.fftfreq(spectrum.shape[axis]) * spectrum.shape[axis]
        low = frequency.abs() < points / 2
        spectrum = spectrum * (low[:, None] if axis == -2 else low)
    return torch.fft.ifft2(spectrum).real[..., ::finer, ::finer].contiguous()


def _field(images: np.ndarray, atoms: Atoms, pixel_size: Angstrom, params: HrtemParams) -> np.ndarray:
    """The field of view of images (F, Y, X), without the room around it."""
    parts: list[slice] = []
    for axis in (1, 0):
        if atoms.pbc[axis]:
            parts.append(slice(None))
        else:
            room, count = math.ceil(params.margin / pixel_size), round(atoms.cell.array[axis, axis] / pixel_size)
            parts.append(slice(room, room + max(1, count)))
    return np.ascontiguousarray(images[:, parts[0], parts[1]], dtype=np.float32)
