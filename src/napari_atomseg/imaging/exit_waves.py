"""Exit waves that were computed beforehand, one file each: what a thick specimen does to the beam, ready for any lens.

How they come about is not here (:mod:`.multislice.exit_wave`), so that they can be imaged where there is no multislice program.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.projection import Projection

SUFFIX = ".npz"
SAME_PIXEL_SIZE = 1e-3
"""Relative difference up to which two pixel sizes are one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExitWave:
    """The wave behind a specimen, and the atoms that made it.

    Attributes
    ----------
    wave : ndarray, complex64, shape (Y, X)
        Periodic; 1 for no specimen. With phases as in exp(i sigma V).
    pixel_size : float, Angstrom
    energy : float, eV
    atoms : Projection
        Positions from the centre of the first pixel, for labels; may be empty.
    """

    wave: np.ndarray
    pixel_size: float
    energy: float
    atoms: Projection

    def turned(self, quarters: int, mirrored: bool) -> ExitWave:
        """Mirrored along x if asked for, then turned by quarters as :func:`numpy.rot90` does, wave and atoms alike.

        Parameters
        ----------
        quarters : int
            Of a turn, from x towards -y as :func:`numpy.rot90`.
        mirrored : bool
        """
        wave, places = self.wave, self.atoms.positions
        if mirrored:
            places = np.stack([places[:, 0], (wave.shape[1] - 1) * self.pixel_size - places[:, 1]], axis=1)
            wave = wave[:, ::-1]
        for _ in range(quarters % 4):
            places = np.stack([(wave.shape[1] - 1) * self.pixel_size - places[:, 1], places[:, 0]], axis=1)
            wave = np.rot90(wave)
        return replace(self, wave=np.ascontiguousarray(wave), atoms=replace(self.atoms, positions=places))


def write_exit_wave(path: str | Path, given: ExitWave) -> None:
    """Write an exit wave as arrays ``wave``, ``pixel_size``, ``energy``, ``positions``, ``numbers``, ``heights`` (.npz).

    Parameters
    ----------
    path : str or Path
        Overwritten if it is there.
    given : ExitWave
    """
    np.savez(
        Path(path).with_suffix(SUFFIX),
        wave=given.wave.astype(np.complex64),
        pixel_size=given.pixel_size,
        energy=given.energy,
        positions=given.atoms.positions,
        numbers=given.atoms.numbers,
        heights=given.atoms.heights,
    )


def read_exit_wave(path: str | Path) -> ExitWave:
    """An exit wave from its file; nothing in the file is ever run.

    Raises
    ------
    AtomsegError
        If it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in ("wave", "pixel_size", "energy", "positions", "numbers", "heights")}
        return _checked(found)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise AtomsegError(f"{path}: not an exit wave ({reason}); use one that write_exit_wave has written") from error


def _checked(found: Mapping[str, np.ndarray]) -> ExitWave:
    wave, size, energy = found["wave"], float(found["pixel_size"]), float(found["energy"])
    if wave.ndim != 2 or not np.iscomplexobj(wave) or not np.isfinite(wave).all() or min(wave.shape) < 16:
        raise ValueError(f"the wave is of type {wave.dtype} and shape {wave.shape}, and not finite complex numbers (Y, X)")
    if not 1e-3 < size < 10 or not 1e3 < energy < 1e7:
        raise ValueError(f"a pixel size of {size:g} Å and an energy of {energy:g} eV make no sense")
    height, width = wave.shape
    atoms = Projection(
        positions=found["positions"], numbers=found["numbers"], heights=found["heights"], field=(height * size, width * size)
    )
    return ExitWave(wave=wave.astype(np.complex64), pixel_size=size, energy=energy, atoms=atoms)
