"""Exit waves of structures by the multislice method of abTEM, to be kept in files (:mod:`.exit_waves`).

Not for making images: the training path knows nothing of abTEM. Axes are exchanged here, since abTEM has x first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.imaging.exit_waves import ExitWave
from napari_atomseg.specimens.projection import Projection

if TYPE_CHECKING:
    from ase import Atoms

LARGEST_STRAIN = 0.02
"""By which a cell may be stretched to hold a whole number of pixels."""


def multislice_exit_wave(
    atoms: Atoms,
    energy: float,
    pixel_size: Angstrom,
    slice_thickness: Angstrom = 1.0,
    thermal: Angstrom | np.ndarray = 0.0,
    seed: int = 0,
) -> ExitWave:
    """The wave just behind the last atom of a structure, the beam running along +z.

    Parameters
    ----------
    atoms : Atoms
        In a cell with right angles, periodic in x and y; empty space above and below does not matter.
    energy : float, eV
    pixel_size : float, Angstrom
        Waves reach up to 2/3 of the Nyquist frequency.
    slice_thickness : float, Angstrom
    thermal : float or ndarray, shape (N,), Angstrom
        Standard deviation of one random displacement of each atom along each axis: a snapshot of its motion.
    seed : int
        Of that motion.

    Raises
    ------
    AtomsegError
        If there are no atoms, or the cell cannot be divided into such pixels.

    Notes
    -----
    The cell is stretched to a whole number of pixels, by 2 % at most. The atoms of the result are those at rest.

    References
    ----------
    Kirkland (2020), chapter 6; Madsen and Susi, Open Research Europe 1 (2021) 24.
    """
    import abtem

    placed, gpts = _placed(atoms, pixel_size, slice_thickness)
    moving = placed.copy()
    moving.positions += np.reshape(thermal, (-1, 1)) * np.random.default_rng(seed).normal(size=moving.positions.shape)
    # No atom leaves the slices.
    moving.positions[:, 2] = np.clip(moving.positions[:, 2], 0.0, placed.cell[2, 2] - 1e-3)
    moving.wrap(pbc=(True, True, False))
    potential = abtem.Potential(
        moving, gpts=gpts, slice_thickness=slice_thickness, parametrization="lobato", projection="infinite"
    ).build(lazy=False)  # fmt: skip
    wave: Any = abtem.PlaneWave(energy=energy).multislice(potential, lazy=False)
    height, width = gpts[1] * pixel_size, gpts[0] * pixel_size
    return ExitWave(
        wave=np.ascontiguousarray(np.asarray(wave.array).T).astype(np.complex64),
        pixel_size=pixel_size,
        energy=energy,
        atoms=Projection(
            positions=placed.positions[:, [1, 0]], numbers=placed.numbers, heights=placed.positions[:, 2], field=(height, width)
        ),
    )


def _placed(atoms: Atoms, pixel_size: Angstrom, slice_thickness: Angstrom) -> tuple[Atoms, tuple[int, int]]:
    """The atoms in a cell of whole pixels and slices without empty space, and its pixels along x and y."""
    lengths = np.linalg.norm(atoms.cell.array, axis=1)
    if (
        len(atoms) == 0
        or not np.allclose(np.diag(np.diag(atoms.cell.array)), atoms.cell.array, atol=1e-6)
        or min(lengths[:2]) <= 0
    ):
        raise AtomsegError(
            f"exit waves need atoms in a cell with right angles along x, y and z, got {len(atoms)} in {atoms.cell}"
        )
    gpts = np.round(lengths[:2] / pixel_size).astype(int)
    stretch = gpts * pixel_size / lengths[:2]
    if min(gpts) < 16 or np.abs(stretch - 1).max() > LARGEST_STRAIN:
        raise AtomsegError(
            f"a cell of {lengths[0]:g} x {lengths[1]:g} Å cannot be divided into pixels of {pixel_size:g} Å; repeat the cell"
        )
    placed = atoms.copy()
    placed.positions[:, :2] *= stretch
    placed.positions[:, 2] += slice_thickness / 2 - placed.positions[:, 2].min()
    slices = int(np.floor(placed.positions[:, 2].max() / slice_thickness)) + 1
    placed.set_cell([*(gpts * pixel_size), slices * slice_thickness])
    placed.wrap(pbc=(True, True, False))
    return placed, (int(gpts[0]), int(gpts[1]))
