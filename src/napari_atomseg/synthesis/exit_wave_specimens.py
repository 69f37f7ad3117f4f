"""Specimens whose exit waves lie in a folder: one of them, turned and cut at random, in place of atoms and a phase object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.exit_waves import SAME_PIXEL_SIZE, SUFFIX, ExitWave, read_exit_wave
from napari_atomseg.specimens.projection import Projection
from napari_atomseg.synthesis.record import Record

EXIT_WAVE = "exit_wave"


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """An exit wave, and where in it the image lies.

    Attributes
    ----------
    whole : ExitWave
        Turned; a lens needs all of it, since it is periodic and a part of it is not.
    corner : tuple of int, px
        (y, x) of the first pixel of the image.
    atoms : Projection
        From the first pixel of the image.
    """

    whole: ExitWave
    corner: tuple[int, int]
    atoms: Projection


def is_exit_wave(given: Mapping[str, Any]) -> bool:
    """Whether a drawn specimen is an exit wave."""
    return given.get("kind") == EXIT_WAVE


def cut_exit_wave(record: Record) -> Cut:
    """The exit wave of a record: the file, the turn and the place are drawn from the specimen's seed.

    Raises
    ------
    AtomsegError
        If the folder holds none, or the wave does not fit the record's pixel size, energy or image.
    """
    unknown = sorted(set(record.specimen) - {"kind", "seed", "folder"})
    if unknown or "folder" not in record.specimen:
        raise AtomsegError(f"the specimen {EXIT_WAVE} needs a folder and nothing else, got {unknown or 'no folder'}")
    rng = np.random.default_rng(int(record.specimen["seed"]))
    files = waves_in(str(record.specimen["folder"]))
    path = files[int(rng.integers(len(files)))]
    whole = _kept(str(path), path.stat().st_mtime_ns).turned(int(rng.integers(4)), bool(rng.integers(2)))
    _check(whole, record, path)
    corner = [int(rng.integers(room - side + 1)) for room, side in zip(whole.wave.shape, record.shape, strict=True)]
    size = whole.pixel_size
    atoms = replace(
        whole.atoms,
        positions=whole.atoms.positions - np.array(corner) * size,
        field=(record.shape[0] * size, record.shape[1] * size),
    )
    return Cut(whole=whole, corner=(corner[0], corner[1]), atoms=atoms)


def waves_in(folder: str) -> list[Path]:
    """Files of exit waves in a folder, by name.

    Raises
    ------
    AtomsegError
        If there is no such folder, or none in it.
    """
    if not Path(folder).is_dir():
        raise AtomsegError(f"{folder}: there is no such folder of exit waves")
    found = sorted(Path(folder).glob(f"*{SUFFIX}"))
    if not found:
        raise AtomsegError(f"{folder}: holds no exit waves; make some with napari-atomseg make-exit-waves")
    return found


@lru_cache(maxsize=16)
def _kept(path: str, changed: int) -> ExitWave:
    """Waves are read once; `changed` tells a new file of the same name."""
    return read_exit_wave(path)


def _check(whole: ExitWave, record: Record, path: Path) -> None:
    energy = float(record.imaging["lens"].get("energy", whole.energy))
    if abs(whole.pixel_size / record.pixel_size - 1) > SAME_PIXEL_SIZE:
        raise AtomsegError(
            f"{path}: the wave has {whole.pixel_size:g} Å/px and the recipe asks for {record.pixel_size:g}; give both the same"
        )
    if abs(whole.energy / energy - 1) > SAME_PIXEL_SIZE:
        raise AtomsegError(f"{path}: the wave is one of {whole.energy:g} eV and the lens one for {energy:g}; give both the same")
    if any(room < side for room, side in zip(whole.wave.shape, record.shape, strict=True)):
        raise AtomsegError(
            f"{path}: the wave has {whole.wave.shape[0]} x {whole.wave.shape[1]} px, too few for an image of "
            f"{record.shape[0]} x {record.shape[1]}; give a smaller image size"
        )
