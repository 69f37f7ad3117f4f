"""Pairs of a convolution and a multislice image of one structure, made here, for a correction to be fitted to."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import WHOLE, Progress, Steps, job, mapped
from napari_atomseg.core.params import to_dict
from napari_atomseg.imaging.correction.params import CorrectionParams
from napari_atomseg.readers.image_pairs import ImagePair, read_pair
from napari_atomseg.simulation.convolved import BORDER, convolution_of, optics_of, shown_of
from napari_atomseg.simulation.correction import fit_correction
from napari_atomseg.simulation.engine import simulate
from napari_atomseg.simulation.pair_set_params import PairSetParams
from napari_atomseg.simulation.pair_sets import PairSpecimen, draw_set, thickness_share
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.simulation.progress import SimulationProgress
from napari_atomseg.specimens.cutting import has_thickness
from napari_atomseg.specimens.structure_file import read_structure

if TYPE_CHECKING:
    from ase import Atoms

    from napari_atomseg.imaging.correction.correction import Correction
    from napari_atomseg.imaging.multislice.cost import Cost

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
        Folder into which each pair is written as soon as it is made, so that no later step can lose it; those that are there
        already are not made again.

    Yields
    ------
    SimulationProgress

    Raises
    ------
    AtomsegError
        If there are too few, or the structure cannot be simulated as asked.
    """
    if number < 2:
        raise AtomsegError(f"{number} pair is too few; a correction needs 2 at least, and better 6")
    atoms = read_structure(structure) if isinstance(structure, (str, Path)) else structure
    params = params or SimulationParams()
    rng = np.random.default_rng(seed)
    specimens = []
    for row in range(number):
        seen = _varied(atoms, params, rng, row / (number - 1))
        told = {"structure": atoms.get_chemical_formula(), "zone_axis": seen.cut.zone_axis}
        specimens.append(PairSpecimen(name=f"{row:02d}", atoms=atoms, params=seen, kind=told))
    return (yield from _made(specimens, keep))


@job
def make_pair_set(
    wanted: PairSetParams,
    params: SimulationParams | None = None,
    structures: Sequence[Atoms | str | Path] = (),
    *,
    keep: Path | None = None,
) -> Generator[Progress, None, list[ImagePair]]:
    """Pairs of images of a set of specimens; see :func:`~napari_atomseg.simulation.pair_sets.draw_set`.

    Parameters
    ----------
    wanted : PairSetParams
    params : SimulationParams, optional
        Lens, detector, field and thickness, and how the multislice images are calculated.
    structures : sequence of Atoms or files
        Crystals and particles that belong to the set.
    keep : Path, optional
        Folder for the pairs; a set that was begun there is gone on with.

    Yields
    ------
    SimulationProgress

    Raises
    ------
    AtomsegError
        If the set is empty, or the folder holds pairs of another one.
    """
    read = [read_structure(one) if isinstance(one, (str, Path)) else one for one in structures]
    return (yield from _made(draw_set(wanted, params or SimulationParams(), read), keep))


def pair_set_cost(
    wanted: PairSetParams, params: SimulationParams, structures: Sequence[Atoms] = (), keep: Path | None = None
) -> Cost:
    """Time that the pairs of a set take which are not made yet, about, and the memory of the largest.

    Parameters
    ----------
    wanted, params, structures, keep
        As for :func:`make_pair_set`.

    Returns
    -------
    cost : Cost
        Seconds and bytes.
    """
    from napari_atomseg.simulation.sliced import simulation_cost

    missing = [one for one in draw_set(wanted, params, structures) if keep is None or not _file_of(one, keep).is_file()]
    costs = [simulation_cost(one.atoms, replace(one.params, method="multislice")) for one in missing]
    if not costs:
        raise AtomsegError(f"{keep}: all pairs of this set are there already")
    return replace(
        costs[0],
        seconds=sum(one.seconds for one in costs),
        memory_bytes=max(one.memory_bytes for one in costs),
        blocks=sum(one.blocks for one in costs),
    )


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
    return (yield from fit_correction.steps(pairs, fit))


def write_pairs(pairs: Sequence[ImagePair], folder: Path) -> list[Path]:
    """Write the pairs as ``.npz`` files, which :func:`~napari_atomseg.simulation.correction.fit_correction` reads.

    Parameters
    ----------
    pairs : sequence of ImagePair
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
        path = folder / f"{pair.name.removesuffix('.npz')}.npz"
        arrays: dict[str, Any] = {
            name: getattr(pair, name)
            for name in ("convolution", "multislice", "wide", "error", "positions", "numbers")
            if getattr(pair, name) is not None
        }
        told: dict[str, Any] = {"told": np.array(json.dumps(pair.told))} if pair.told else {}
        with replacing(path) as part, part.open("wb") as file:
            np.savez_compressed(file, pixel_size=pair.pixel_size or np.nan, **arrays, **told)
        written.append(path)
    return written


def _made(specimens: Sequence[PairSpecimen], keep: Path | None) -> Steps[list[ImagePair]]:
    """The pairs of specimens; those that a folder has already are read."""
    pairs = []
    for row, one in enumerate(specimens):
        there = _there_already(one, keep)
        if there is None:
            there = yield from _one_of(_pair(one), row, len(specimens))
            if keep is not None:
                write_pairs([there], keep)
        pairs.append(there)
    return pairs


def _file_of(specimen: PairSpecimen, folder: Path) -> Path:
    return folder / f"{specimen.name}.npz"


def _there_already(specimen: PairSpecimen, keep: Path | None) -> ImagePair | None:
    path = None if keep is None else _file_of(specimen, keep)
    if path is None or not path.is_file():
        return None
    found = read_pair(path)
    if found.told != _told(specimen, found.told.get("thickness"), found.told.get("composition")):
        raise AtomsegError(f"{path}: it is a pair of another set; choose another folder, or take it out")
    return found


def _told(specimen: PairSpecimen, thickness: Any, composition: Any) -> dict[str, Any]:
    """What a pair says of itself, as it comes out of a file."""
    told = {
        "optics": optics_of(specimen.params),
        "params": to_dict(replace(specimen.params, method="multislice")),
        "specimen": specimen.kind,
        "thickness": thickness,
        "composition": composition,
    }
    return dict(json.loads(json.dumps(told)))


def _pair(specimen: PairSpecimen) -> Steps[ImagePair]:
    """Both images of a specimen, with its atoms, and how sure the mean of the snapshots is."""
    params = specimen.params
    border = round(BORDER / params.pixel_size)
    wide, piece = convolution_of(specimen.atoms, params, border)
    snapshots = max(1, params.multislice.configurations)
    images = []
    for row in range(snapshots):
        steps = simulate.steps(specimen.atoms, _snapshot(params, row))
        images.append((yield from _one_of(steps, row, snapshots)).data.astype(float))
    mean = np.mean(images, axis=0)
    fast = wide[border : wide.shape[0] - border, border : wide.shape[1] - border]
    rows, columns = (min(sides) for sides in zip(fast.shape, mean.shape, strict=True))
    error = np.std(images, axis=0, ddof=1) / np.sqrt(snapshots) if snapshots > 1 else None
    composition, thickness = shown_of(piece)
    return ImagePair(
        name=specimen.name,
        convolution=fast[:rows, :columns],
        multislice=mean[:rows, :columns],
        pixel_size=params.pixel_size,
        wide=wide[: rows + 2 * border, : columns + 2 * border],
        error=None if error is None else error[:rows, :columns],
        positions=piece.positions,
        numbers=piece.numbers,
        told=_told(specimen, thickness, composition),
    )


def _snapshot(params: SimulationParams, row: int) -> SimulationParams:
    """One moment of the thermal motion; atoms that are held still have but one."""
    how = params.multislice
    if how.configurations:
        how = replace(how, configurations=1, seed=int(np.random.default_rng((how.seed, row)).integers(2**31)))
    return replace(params, method="multislice", multislice=how)


def _varied(atoms: Atoms, params: SimulationParams, rng: np.random.Generator, share: float) -> SimulationParams:
    """The same for another thickness of a crystal, or another direction of a particle."""
    seeded = replace(params.multislice, seed=int(rng.integers(2**31)))
    if has_thickness(atoms, params.cut):
        cut = replace(params.cut, thickness=params.cut.thickness * thickness_share(THINNEST, share))
    else:
        tilt_y, tilt_x = rng.normal(0, LEAN, 2)
        turn = float(rng.uniform(0, 360))
        cut = replace(params.cut, tilt_y=float(tilt_y), tilt_x=float(tilt_x), rotation_deg=turn, width_y=None, width_x=None)
    return replace(params, cut=cut, multislice=seeded)


def _one_of(steps: Steps[Any], row: int, number: int) -> Steps[Any]:
    """Progress of one image as that of all."""

    def share(progress: Progress) -> Progress:
        part = progress.done / progress.total if progress.total else 0.0
        partial = progress.partial if isinstance(progress, SimulationProgress) else None
        return SimulationProgress(round(WHOLE * (row + part)), WHOLE * number, f"pair {row + 1} of {number}", partial)

    return mapped(steps, share)
