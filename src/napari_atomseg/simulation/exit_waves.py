"""Exit waves of structures in a folder, for recipes with a specimen of kind ``exit_wave``."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.imaging.exit_waves import SUFFIX, write_exit_wave
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.cutting import MARGIN, cut, field_of, period
from napari_atomseg.specimens.structure_file import read_structure
from napari_atomseg.specimens.thermal_motion import THERMAL

if TYPE_CHECKING:
    from ase import Atoms

SEAM = 2.0
"""Vacuum between a piece and itself on the other side of the wave, Angstrom: no two atoms fall together there."""


@job
def make_exit_waves(
    structure: str | Path, folder: str | Path, params: CutParams, *, energy: float, pixel_size: Angstrom, snapshots: int = 1
) -> Generator[Progress, None, list[Path]]:
    """Files of the exit waves of a structure, one for each snapshot of its thermal motion.

    Parameters
    ----------
    structure : str or Path
        Whatever ase reads, in any cell.
    folder : str or Path
        Made if it is not there; files of the same names are overwritten.
    params : CutParams
        Which piece of the structure the beam passes through.
    energy : float, eV
    pixel_size : float, Angstrom
    snapshots : int

    Yields
    ------
    Progress
        One step for each wave.

    Raises
    ------
    AtomsegError
        If the piece holds no or too many atoms, or cannot be divided into such pixels.
    """
    from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave

    files = exit_wave_files(structure, folder, snapshots)
    block = periodic_block(read_structure(structure), params, pixel_size)
    Path(folder).mkdir(parents=True, exist_ok=True)
    yield Progress(0, snapshots, "multislice")
    for number in range(snapshots):
        wave = multislice_exit_wave(block, energy, pixel_size, thermal=block.arrays[THERMAL], seed=params.seed + number)
        write_exit_wave(files[number], wave)
        yield Progress(number + 1, snapshots, "multislice")
    return files


def exit_wave_files(structure: str | Path, folder: str | Path, snapshots: int) -> list[Path]:
    """The files that the waves of a structure are written to.

    Parameters
    ----------
    structure : str or Path
    folder : str or Path
    snapshots : int
    """
    return [Path(folder) / f"{Path(structure).stem}_{number}{SUFFIX}" for number in range(snapshots)]


def periodic_block(structure: Atoms, params: CutParams, pixel_size: Angstrom) -> Atoms:
    """The piece of a structure in a cell with right angles that a wave may fill, at least as wide as the field of view.

    A crystal along a zone axis with a rectangular period is repeated, and has no edge. Of any other one a piece is cut, with 10
    Angstrom around the field and 2 Angstrom of vacuum at the seam.

    Parameters
    ----------
    structure : Atoms
    params : CutParams
    pixel_size : float, Angstrom

    Raises
    ------
    AtomsegError
        If the piece would hold no or too many atoms.
    """
    wide = np.array(field_of(structure, params))[::-1]
    found = period(structure, params)
    if found is not None:
        times = np.maximum(1, np.ceil(wide / np.diag(found.cell.array)[:2])).astype(int)
        return found.repeat((int(times[0]), int(times[1]), 1))
    found = cut(structure, params)
    found.positions[:, :2] += MARGIN + SEAM / 2
    sides = np.ceil((wide + 2 * MARGIN + SEAM) / pixel_size) * pixel_size
    found.set_cell([*sides, found.cell.array[2, 2]])
    if len(found) and (np.any(found.positions[:, :2] < 0) or np.any(found.positions[:, :2] > sides)):
        raise AtomsegError("the structure is wider than its field of view; give a wider field")
    return found
