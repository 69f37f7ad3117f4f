"""Particles to count the atoms of: their exit waves by multislice, drawn once and kept in files, with their columns.

What a column of heavy atoms does to the beam is no phase object: only a multislice wave tells one height from the next. It does
not depend on the lens, which is drawn anew for every image.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict
from napari_atomseg.specimens.nanoparticles import ParticleParams, particle_with_columns

PERIOD = 40.0
"""Side of the periodic field of a wave, Angstrom."""
PIXELS = (400, 480, 512, 576, 640, 720)
"""Pixels along it of the multislice calculation, one of these by chance. With 0.1 Å pixels, images differ by 12 % (rms, of
their own contrast) from those with 0.025 Å, with 0.05 Å by 1 %; both are taken for truth by those who simulate, so a network had
better know both."""
MARGIN = 1.5
"""Columns that come nearer to the border of the field are left out, Angstrom."""
SLICE = 1.0
"""Thickness of the slices, Angstrom."""
THERMAL = (0.0, 0.08)
"""Range of the standard deviation of the atoms' displacements along each axis, Angstrom; 0.085 is that of gold at room
temperature, and an image is the mean over many snapshots."""
OF_RECORDS = ("kind", "seed", "off_centre")
"""Entries of a specimen that are no parameters of the particle."""
SUFFIX = ".npz"
FORMAT = 1
"""Of the files; a change in what is computed is a new one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ParticleWave:
    """The wave behind a particle, periodic, and the columns of that particle.

    Attributes
    ----------
    wave : Tensor, complex64, shape (S, S)
    positions : ndarray, shape (N, 2), px, (y, x)
        Means of the atoms of every column.
    heights : ndarray of int, shape (N,)
        Atoms of every column.
    """

    wave: Tensor
    positions: np.ndarray
    heights: np.ndarray

    def moved(self, turns: int, mirrored: bool) -> ParticleWave:
        """The same turned counter-clockwise by quarters, then mirrored left to right.

        Parameters
        ----------
        turns : int
            Quarters.
        mirrored : bool
        """
        side = self.wave.shape[-1]
        wave = torch.rot90(self.wave, turns, (-2, -1))
        y, x = self.positions.T
        for _ in range(turns % 4):
            y, x = side - 1 - x, y
        return ParticleWave(
            wave=wave.flip(-1) if mirrored else wave,
            positions=np.stack([y, side - 1 - x if mirrored else x], axis=1),
            heights=self.heights,
        )

    def on_pixels(self, side: int) -> ParticleWave:
        """The same with other pixels.

        Parameters
        ----------
        side : int
            Of the field, px.
        """
        scale = side / self.wave.shape[-1]
        return ParticleWave(wave=_on_pixels(self.wave, side), positions=self.positions * scale, heights=self.heights)


def waves_folder() -> Path:
    """Where waves are kept: beside the user's models."""
    from napari_atomseg.networks.zoo import user_folder

    return user_folder().parent / "exit-waves"


def particle_wave(given: Mapping[str, Any], energy: float, native: float, folder: Path | None = None) -> ParticleWave:
    """The wave of a drawn particle, from its file, or computed and kept there.

    Parameters
    ----------
    given : mapping
        Specimen of a record, of kind ``particle``, with its seed.
    energy : float, eV
    native : float, Å
        Pixel size.
    folder : Path, optional
        Of the files.

    Returns
    -------
    ParticleWave

    Raises
    ------
    AtomsegError
        If the specimen is no particle, or too large for the field.
    """
    text = json.dumps({"format": FORMAT, "energy": energy, "native": native, **given}, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:24] + SUFFIX
    return _kept(text, energy, native, str((folder or waves_folder()) / name))


@lru_cache(maxsize=4096)
def _kept(text: str, energy: float, native: float, path: str) -> ParticleWave:
    if not Path(path).is_file():
        given = {name: value for name, value in json.loads(text).items() if name not in ("format", "energy", "native")}
        _write(Path(path), computed(given, energy, native))
    with np.load(path, allow_pickle=False) as arrays:
        return ParticleWave(
            wave=torch.from_numpy(arrays["wave"]), positions=arrays["positions"], heights=arrays["heights"].astype(int)
        )


def _write(path: Path, found: ParticleWave) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.part{SUFFIX}")
    np.savez(partial, wave=found.wave.numpy(), positions=found.positions, heights=found.heights)
    os.replace(partial, path)


def computed(given: Mapping[str, Any], energy: float, native: float) -> ParticleWave:
    """The wave of a drawn particle by multislice, on the network's pixels.

    Parameters
    ----------
    given : mapping
        Specimen of a record, of kind ``particle``, with its seed.
    energy : float, eV
    native : float, Å
        Pixel size; frequencies beyond its limit are cut off, which lenses hardly let through.
    """
    from ase import Atoms

    from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave

    if given.get("kind") != "particle":
        raise AtomsegError(f"atoms are counted in specimens of kind particle, got {given.get('kind')}")
    params = from_dict(ParticleParams, {name: value for name, value in given.items() if name not in OF_RECORDS})
    rng = np.random.default_rng(int(given["seed"]))
    atoms, column = particle_with_columns(params, (PERIOD, PERIOD), rng)
    if len(atoms) == 0:
        raise AtomsegError(f"a particle of radius {params.radius:g} Å holds no atom; give a larger one")
    far = np.abs(atoms.positions - PERIOD / 2).max(axis=1) > PERIOD / 2 - MARGIN
    # Whole columns only, so that those that are left are as high as they are said to be.
    kept = ~np.isin(column, column[far])
    atoms, column = atoms.select(kept), np.unique(column[kept], return_inverse=True)[1]
    placed = Atoms(
        numbers=atoms.numbers,
        positions=np.c_[atoms.positions[:, ::-1], atoms.heights],
        cell=[PERIOD, PERIOD, atoms.heights.max() + 2 * SLICE],
    )
    pixels = int(rng.choice(PIXELS))
    found = multislice_exit_wave(
        placed, energy, PERIOD / pixels, SLICE, thermal=float(rng.uniform(*THERMAL)), seed=int(rng.integers(2**31))
    )
    side = round(PERIOD / native)
    number = np.bincount(column)
    centre = np.stack([np.bincount(column, atoms.positions[:, axis]) / number for axis in (0, 1)], axis=1)
    return ParticleWave(
        wave=_on_pixels(torch.from_numpy(found.wave).to(torch.complex128), side).to(torch.complex64),
        positions=centre / native,
        heights=number,
    )


def _on_pixels(wave: Tensor, side: int) -> Tensor:
    """A periodic wave (S, S) on `side` x `side` pixels: with its low frequencies only, or with no more of them."""
    given = wave.shape[0]
    spectrum = torch.fft.fftshift(torch.fft.fft2(wave))
    beyond = (side - side // 2) - (given - given // 2)
    before = side // 2 - given // 2
    # Negative numbers cut off.
    part = torch.nn.functional.pad(spectrum, (before, beyond, before, beyond))
    found: Tensor = torch.fft.ifft2(torch.fft.ifftshift(part)) * (side / given) ** 2
    return found
