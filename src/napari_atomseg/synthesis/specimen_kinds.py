"""The specimens that recipes can ask for, by name: parameters and chance in, atoms in projection out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.spatial import QhullError

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict
from napari_atomseg.specimens.cif import read_crystal
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.specimens.graphene import GrapheneParams, graphene_like
from napari_atomseg.specimens.library import library_cell
from napari_atomseg.specimens.low_resolution import PARTS, low_resolution
from napari_atomseg.specimens.measured_cell import measured_cell
from napari_atomseg.specimens.nanoparticles import ParticleParams, particle
from napari_atomseg.specimens.projection import Projection
from napari_atomseg.specimens.random_crystals import RandomCrystalParams, random_crystal
from napari_atomseg.specimens.solid_params import SolidParams
from napari_atomseg.specimens.solids import solid
from napari_atomseg.specimens.zone_axis import ProjectedCell, fill_field, projected_cell
from napari_atomseg.synthesis.exit_wave_specimens import EXIT_WAVE
from napari_atomseg.synthesis.recipe_check import is_number
from napari_atomseg.synthesis.specimen_params import CrystalParams, PointsParams, RandomCrystalFieldParams

Field = tuple[float, float]
LOW_RESOLUTION = "low_resolution"
LOWEST_ZONES = ((0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))
"""Lobato et al. choose from "the first eight main zone axes"; these are ours."""


def specimen(given: Mapping[str, Any], field: Field) -> Projection:
    """Atoms of a drawn specimen in a field of view, (y, x) in Angstrom.

    Parameters
    ----------
    given : mapping
        ``kind``, ``seed`` and the parameters of that kind.
    field : tuple of float, Å, (y, x)

    Returns
    -------
    Projection

    Raises
    ------
    AtomsegError
        If the kind is unknown, or cannot be made from these parameters.
    """
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise AtomsegError(f'there is no specimen of kind "{kind}"; choose one of {", ".join(KINDS)}')
    params = {name: value for name, value in given.items() if name not in ("kind", "seed")}
    rng = np.random.default_rng(int(given["seed"]))
    try:
        return KINDS[kind](params, field, rng)
    except (TypeError, ValueError, ArithmeticError, MemoryError, QhullError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise AtomsegError(f'the specimen "{kind}" cannot be made from {params} ({reason[0]}); change its parameters') from error


def _crystal(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    return _crystal_in(field, rng, **params)


def _crystal_in(
    field: Field,
    rng: np.random.Generator,
    *,
    name: str | None = None,
    file: str | None = None,
    zone: list[int] | None = None,
    **given: Any,
) -> Projection:
    """A crystal of the library, or of a file."""
    params = from_dict(CrystalParams, given)
    return _filled(_cell_of(name, file, tuple(zone) if zone else None), field, params, rng)


def _filled(cell: ProjectedCell, field: Field, params: CrystalParams, rng: np.random.Generator) -> Projection:
    """A field of a crystal whose origin lies anywhere, with what is wrong with it."""
    cell = _scaled(cell, params.scale)
    shift = tuple(rng.uniform(0, 1, 2) @ cell.basis)
    atoms = fill_field(
        cell,
        field,
        params.thickness,
        turn=params.turn,
        shift=shift,
        mistilt=params.mistilt,
        mistilt_angle=params.mistilt_angle,
    )
    return _disturbed(atoms, params, rng)


def _cell_of(name: str | None, file: str | None, zone: tuple[int, ...] | None) -> ProjectedCell:
    if file is not None:
        return _file_cell(file, zone or (0, 0, 1))
    if name is None:
        raise AtomsegError("a specimen of kind crystal needs the name of a crystal of the library, or a file")
    return library_cell(name, zone)


@lru_cache(maxsize=16)
def _file_cell(file: str, zone: tuple[int, int, int]) -> ProjectedCell:
    return projected_cell(read_crystal(file), zone)


def _cell(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    """A crystal of which only the lattice of its columns is known."""
    own = {name: params.get(name) for name in ("basis", "sites", "intensities")}
    given = {name: value for name, value in params.items() if name not in own}
    return _filled(measured_cell(**own), field, from_dict(CrystalParams, given), rng)


def _random_crystal(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    """A crystal that never was; tried again where its cell cannot hold an atom, or its columns could not be told apart."""
    given = from_dict(RandomCrystalFieldParams, params)
    if given.shortest > given.longest or given.lightest > given.heaviest:
        raise AtomsegError(
            "a random crystal has its shortest edge below its longest one, and its lightest atom below its heaviest"
        )
    for _ in range(12):
        tried = RandomCrystalParams(
            space_group=given.space_group,
            numbers=tuple(int(number) for number in rng.integers(given.lightest, given.heaviest + 1, given.species)),
            lengths=tuple(rng.uniform(given.shortest, given.longest, 3)),
            angles=tuple(rng.uniform(75, 115, 3)),
            least_distance=given.least_distance,
        )
        zone = LOWEST_ZONES[int(rng.integers(len(LOWEST_ZONES)))]
        try:
            cell = projected_cell(random_crystal(tried, rng), zone)
        except AtomsegError:
            continue
        if _least_projected(cell) >= given.least_projected:
            break
    else:
        cell = library_cell("Pt")
    return _filled(cell, field, given, rng)


def _sheet(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    return graphene_like(field, from_dict(GrapheneParams, params), rng)


def _graphene(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    return defected_graphene(field, from_dict(DefectedGrapheneParams, params), rng)


def _particle(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    given = dict(params)
    off = given.pop("off_centre", 0.0)
    if not is_number(off, 0, 10):
        raise AtomsegError(f"off_centre is a number from 0 to 10, got {off!r}")
    centre = np.array(field) * (0.5 + off * rng.uniform(-0.5, 0.5, 2))
    return particle(from_dict(ParticleParams, given), field, rng, (float(centre[0]), float(centre[1])))


def _points(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    """Single atoms or columns at random places that keep a least distance."""
    from napari_atomseg.specimens.graphene import poisson_disc

    given = from_dict(PointsParams, params)
    margin = 3.0
    places = poisson_disc((field[0] + 2 * margin, field[1] + 2 * margin), given.least_distance, rng) - margin
    places = places[rng.uniform(size=len(places)) < given.share]
    numbers = rng.integers(given.lightest, given.heaviest + 1, len(places))
    return Projection(positions=places, numbers=numbers, field=field)


def _solid(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    return solid(from_dict(SolidParams, params), field, rng)


def _nothing(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    """No atoms: what there is to see comes from :func:`scene_without_atoms`."""
    return Projection(positions=np.zeros((0, 2)), numbers=np.zeros(0, int), field=field)


def _only_for_a_lens(params: Mapping[str, Any], field: Field, rng: np.random.Generator) -> Projection:
    raise AtomsegError("exit waves can only be imaged by the lens of a TEM; give the recipe a lens and a dose")


def scene_without_atoms(given: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray | None:
    """Image of a drawn specimen of kind `low_resolution`; None for those made of atoms.

    ``parts`` lists what is added up; the name of a part gives its number, ``borders`` belongs to the grains.

    Parameters
    ----------
    given : mapping
        ``kind``, ``seed``, ``parts``, and numbers by the names of parts.
    shape : tuple of int, px
        (Y, X).

    Returns
    -------
    ndarray, shape (Y, X), or None
        Up to 1.

    Raises
    ------
    AtomsegError
        If a part or a parameter is unknown.
    """
    if given.get("kind") != LOW_RESOLUTION:
        return None
    unknown = sorted(set(given) - {"kind", "seed", "parts", "borders", *PARTS})
    parts_given = given.get("parts", tuple(PARTS))
    if not isinstance(parts_given, (list, tuple)):
        raise AtomsegError(f"parts of a low-resolution scene are a list of {', '.join(PARTS)}, got {parts_given!r}")
    strange = [str(name) for name in parts_given if name not in PARTS]
    if unknown or strange:
        raise AtomsegError(
            f'low-resolution scenes know no "{(unknown + strange)[0]}"; they have parts, borders, {", ".join(PARTS)}'
        )
    parts: list[tuple[str, Any]] = []
    for name in parts_given:
        values = {"number": given[name]} if name in given else {}
        if name == "grains" and "borders" in given:
            values["borders"] = given["borders"]
        parts.append((name, from_dict(PARTS[name][0], values)))
    return low_resolution(shape, parts, int(given["seed"]))


KINDS: dict[str, Callable[[Mapping[str, Any], Field, np.random.Generator], Projection]] = {
    "crystal": _crystal,
    "cell": _cell,
    "random_crystal": _random_crystal,
    "sheet": _sheet,
    "graphene": _graphene,
    "particle": _particle,
    "points": _points,
    "solid": _solid,
    LOW_RESOLUTION: _nothing,
    EXIT_WAVE: _only_for_a_lens,
}


def _disturbed(atoms: Projection, params: CrystalParams, rng: np.random.Generator) -> Projection:
    """A crystal with missing columns, a thickness that changes across the field, a free edge, and columns off their sites."""
    keep = rng.uniform(size=len(atoms)) >= params.vacancies
    centre = np.array(atoms.field) / 2
    reach = float(np.hypot(*atoms.field)) / 2
    if params.edge is not None:
        normal = np.array([np.sin(params.edge_angle), np.cos(params.edge_angle)])
        keep &= (atoms.positions - centre) @ normal / reach < 2 * params.edge - 1
    slope = (atoms.positions - centre) @ np.array([np.sin(params.wedge_angle), np.cos(params.wedge_angle)]) / reach
    share = np.clip(1 - params.wedge * (0.5 + 0.5 * slope), 0.02, 1.0)
    moved = atoms.positions + rng.normal(0, 1, atoms.positions.shape) * params.displacement
    return replace(atoms, positions=moved, counts=atoms.counts * share, smear=atoms.smear * share[:, None]).select(keep)


def _scaled(cell: ProjectedCell, scale: float) -> ProjectedCell:
    """A cell with all its lengths in the plane changed: strain, or a calibration that is off."""
    return ProjectedCell(
        basis=cell.basis * scale,
        sites=cell.sites,
        numbers=cell.numbers,
        occupancy=cell.occupancy,
        depth=cell.depth,
        period=cell.period,
    )


def _least_projected(cell: ProjectedCell) -> float:
    """Shortest distance between different columns, Angstrom."""
    steps = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), -1).reshape(-1, 1, 2)
    everywhere = ((cell.sites + steps).reshape(-1, 2)) @ cell.basis
    distance = np.linalg.norm(everywhere[None] - (cell.sites @ cell.basis)[:, None], axis=2)
    return float(np.where(distance < 0.05, np.inf, distance).min())


@lru_cache(maxsize=8)
def field_of(shape: tuple[int, int], pixel_size: float) -> Field:
    """Field of view of an image.

    Parameters
    ----------
    shape : tuple of int, px
        (Y, X).
    pixel_size : float, Å

    Returns
    -------
    tuple of float, Å, (y, x)
    """
    return shape[0] * pixel_size, shape[1] * pixel_size
