"""Pairs of a convolution and a multislice image of one structure, made here, for a correction to be fitted to."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import WHOLE, Progress, Steps, job, mapped
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.simulation.convolved import optics_of
from napari_atomseg.simulation.correction import fit_correction
from napari_atomseg.simulation.engine import simulate
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.simulation.progress import SimulationProgress
from napari_atomseg.specimens.cutting import has_thickness
from napari_atomseg.specimens.structure_file import read_structure

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.imaging.correction.correction import Correction
    from napari_atomseg.imaging.multislice.cost import Cost
    from napari_atomseg.readers.image_pairs import ImagePair

THINNEST = 0.25
"""Least thickness of the pairs of a crystal, in parts of the thickness that was asked for."""
LEAN = 30.0
"""Standard deviation of the mistilt of a particle from pair to pair, mrad."""


@job
def make_pairs(
    structure: Atoms | str | Path,
    params: SimulationParams | None = None,
    *,
    number: int = 6,
    seed: int = 0,
    keep: Path | None = None,
) -> Generator[Progress, None, list[ImagePair]]:
    """Pairs of images of a structure: crystals of many thicknesses, particles in many directions.

    Parameters
    ----------
    structure : Atoms, str or Path
    params : SimulationParams, optional
        As for :func:`~napari_atomseg.simulation.engine.simulate`, but for the method.
    number : int
        At least 2.
    seed : int
        Of thicknesses and directions.
    keep : Path, optional
        Folder into which each pair is written as soon as it is made, so that no later step can lose it.

    Yields
    ------
    SimulationProgress

    Raises
    ------
    AtomsegError
        If there are too few, or the structure cannot be simulated as asked.
    """
    from napari_atomseg.readers.image_pairs import ImagePair

    if number < 2:
        raise AtomsegError(f"{number} pair is too few; a correction needs 2 at least, and better 6")
    atoms = read_structure(structure) if isinstance(structure, (str, Path)) else structure
    params = params or SimulationParams()
    rng = np.random.default_rng(seed)
    pairs: list[ImagePair] = []
    for row in range(number):
        wanted = _varied(atoms, params, rng, row / (number - 1))
        fast = simulate(atoms, replace(wanted, method="convolution"))
        slow = yield from _one_of(simulate.steps(atoms, replace(wanted, method="multislice")), row, number)
        rows, columns = (min(sides) for sides in zip(fast.shape, slow.shape, strict=True))
        pair = ImagePair(
            name=f"{row:02d}",
            convolution=fast.data[:rows, :columns],
            multislice=slow.data[:rows, :columns],
            pixel_size=params.pixel_size,
        )
        pairs.append(pair)
        if keep is not None:
            write_pairs([pair], keep)
    return pairs


def pairs_cost(atoms: Atoms, params: SimulationParams, number: int = 6) -> Cost:
    """Time that all pairs of :func:`make_pairs` take, about, and the memory of one.

    Parameters
    ----------
    atoms : Atoms
    params : SimulationParams
    number : int
        Pairs.

    Returns
    -------
    cost : Cost
        Seconds and bytes.
    """
    from napari_atomseg.simulation.sliced import simulation_cost

    # Thicknesses lie evenly between the least and that which was asked for.
    share = (1 + THINNEST) / 2 if has_thickness(atoms, params.cut) else 1.0
    one = simulation_cost(atoms, replace(params, method="multislice"))
    return replace(one, seconds=one.seconds * number * share)


@job
def correction_for(
    structure: Atoms | str | Path,
    params: SimulationParams | None = None,
    fit: CorrectionParams | None = None,
    *,
    number: int = 6,
    seed: int = 0,
    keep: Path | None = None,
) -> Generator[Progress, None, Correction]:
    """A correction for one structure and lens, fitted to pairs that are made for it; see :func:`make_pairs`.

    Parameters
    ----------
    structure : Atoms, str or Path
    params : SimulationParams, optional
        Lens, detector and piece of the structure.
    fit : CorrectionParams, optional
        Form of the correction and its cross-validation.
    number : int
        Pairs, at least 2.
    seed : int
        Of thicknesses and directions.
    keep : Path, optional
        Folder into which the pairs are written.
    """
    atoms = read_structure(structure) if isinstance(structure, (str, Path)) else structure
    params = params or SimulationParams()
    pairs = yield from make_pairs.steps(atoms, params, number=number, seed=seed, keep=keep)
    thickness = params.cut.thickness
    return (
        yield from fit_correction.steps(
            pairs,
            fit,
            elements=sorted(set(atoms.get_chemical_symbols())),
            thickness=(THINNEST * thickness, thickness) if has_thickness(atoms, params.cut) else None,
            optics=optics_of(params),
        )
    )


def write_pairs(pairs: list[ImagePair], folder: Path) -> list[Path]:
    """Write the pairs as ``.npz`` files, which :func:`~napari_atomseg.simulation.correction.fit_correction` reads.

    Parameters
    ----------
    pairs : list of ImagePair
    folder : Path
        Made if it is not there.

    Returns
    -------
    paths : list of Path
        One file a pair, ``<name>.npz``.
    """
    from napari_atomseg.writers.atomic import make_folder, replacing

    make_folder(folder)
    written = []
    for pair in pairs:
        path = folder / f"{pair.name}.npz"
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(
                file, convolution=pair.convolution, multislice=pair.multislice, pixel_size=pair.pixel_size or np.nan
            )
        written.append(path)
    return written


def _varied(atoms: Atoms, params: SimulationParams, rng: np.random.Generator, share: float) -> SimulationParams:
    """The same for another thickness of a crystal, or another direction of a particle."""
    seeded = replace(params.multislice, seed=int(rng.integers(2**31)))
    if has_thickness(atoms, params.cut):
        cut = replace(params.cut, thickness=params.cut.thickness * (THINNEST + (1 - THINNEST) * share))
    else:
        tilt_y, tilt_x = rng.normal(0, LEAN, 2)
        turn = float(rng.uniform(0, 360))
        cut = replace(params.cut, tilt_y=float(tilt_y), tilt_x=float(tilt_x), rotation_deg=turn, width_y=None, width_x=None)
    return replace(params, cut=cut, multislice=seeded)


def _one_of(steps: Steps[Micrograph], row: int, number: int) -> Steps[Micrograph]:
    """Progress of one image as that of all."""

    def share(progress: Progress) -> Progress:
        part = progress.done / progress.total if progress.total else 0.0
        partial = progress.partial if isinstance(progress, SimulationProgress) else None
        return SimulationProgress(round(WHOLE * (row + part)), WHOLE * number, f"pair {row + 1} of {number}", partial)

    return mapped(steps, share)
