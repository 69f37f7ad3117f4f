"""Sets of specimens that a correction is fitted to: alloys of many sizes, shapes and directions, and crystals along zone axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import to_dict
from napari_atomseg.simulation.pair_set_params import ANY, PairSetParams, listed, shares_in
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.alloys import alloy_lattice_constant, alloyed, parse_composition
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cutting import has_thickness

if TYPE_CHECKING:
    from ase import Atoms

FINE = 40
"""Length of the whole numbers that stand for a direction drawn at random."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairSpecimen:
    """What one pair of images shows.

    Attributes
    ----------
    name : str
        Of the file of the pair.
    atoms : Atoms
        The whole structure.
    params : SimulationParams
        Which piece of it is seen, and how.
    kind : mapping
        In words and numbers, what it is.
    """

    name: str
    atoms: Atoms
    params: SimulationParams
    kind: dict[str, Any]


def draw_set(wanted: PairSetParams, params: SimulationParams, structures: Sequence[Atoms] = ()) -> list[PairSpecimen]:
    """The specimens of a set; the same parameters give the same ones.

    Parameters
    ----------
    wanted : PairSetParams
    params : SimulationParams
        Lens, detector, field and thickness, which all have in common.
    structures : sequence of Atoms
        Crystals, cut along the zone axes in several thicknesses, and particles, seen along them.

    Raises
    ------
    AtomsegError
        If the set is empty.
    """
    rng = np.random.default_rng(wanted.seed)
    found: list[PairSpecimen] = []
    for composition in wanted.compositions:
        found += _particles(wanted, params, composition, rng)
    for row, atoms in enumerate(structures):
        found += _pieces(wanted, params, atoms, f"s{row:02d}", rng)
    if len(found) < 2:
        raise AtomsegError("a correction needs two pairs at least; give structures or alloys, and a larger number")
    return found


def _particles(wanted: PairSetParams, params: SimulationParams, composition: str, rng: np.random.Generator) -> list[PairSpecimen]:
    shares, shapes, melted = parse_composition(composition), listed(wanted.shapes), shares_in(wanted.amorphous)
    sizes = rng.permutation(np.linspace(wanted.smallest, wanted.largest, wanted.number))
    found = []
    for row, size in enumerate(sizes):
        kind = ClusterParams(
            element=next(iter(shares)),
            shape=shapes[row % len(shapes)],  # type: ignore[arg-type]  # checked when the set was made
            diameter=round(float(size), 1),
            lattice_constant=round(alloy_lattice_constant(shares), 4),
            amorphous=melted[row % len(melted)],
            seed=int(rng.integers(2**31)),
        )
        atoms = alloyed(cluster(kind), shares, rng)
        seen = _seen(wanted, params, row, rng)
        told = {"composition": composition, **to_dict(kind), "zone_axis": seen.cut.zone_axis}
        found.append(PairSpecimen(name=f"{_plain(composition)}_{row:02d}", atoms=atoms, params=seen, kind=told))
    return found


def _pieces(
    wanted: PairSetParams, params: SimulationParams, atoms: Atoms, name: str, rng: np.random.Generator
) -> list[PairSpecimen]:
    found = []
    for row in range(wanted.number):
        seen = _seen(wanted, params, row, rng)
        if has_thickness(atoms, seen.cut):
            share = row / max(wanted.number - 1, 1)
            seen = replace(seen, cut=replace(seen.cut, thickness=params.cut.thickness * thickness_share(wanted.thinnest, share)))
            if row % 2 == 0:
                # Every other crystal lies straight, which takes a period only.
                seen = replace(seen, cut=replace(seen.cut, rotation_deg=0.0, tilt_y=0.0, tilt_x=0.0))
        label = atoms.get_chemical_formula(mode="reduce") if all(atoms.pbc) else atoms.get_chemical_formula()
        told = {"structure": label, "zone_axis": seen.cut.zone_axis, "thickness": seen.cut.thickness}
        found.append(PairSpecimen(name=f"{name}_{label}_{row:02d}", atoms=atoms, params=seen, kind=told))
    return found


def thickness_share(thinnest: float, share: float) -> float:
    """Part of the greatest thickness, from the thinnest for a share of 0 to all of it for 1."""
    return thinnest + (1 - thinnest) * share


def _seen(wanted: PairSetParams, params: SimulationParams, row: int, rng: np.random.Generator) -> SimulationParams:
    """The beam along the next direction, near to it, and turned at random in the plane."""
    zones = wanted.zones.split()
    zone = zones[row % len(zones)]
    if zone == ANY:
        direction = rng.normal(size=3)
        zone = ",".join(str(round(FINE * one / float(np.linalg.norm(direction)))) for one in direction)
    tilt_y, tilt_x = rng.normal(0, wanted.mistilt, 2)
    cut = replace(
        params.cut,
        zone_axis=zone,
        rotation_deg=round(float(rng.uniform(0, 360)), 2),
        tilt_y=round(float(tilt_y), 1),
        tilt_x=round(float(tilt_x), 1),
    )
    return replace(params, cut=cut, multislice=replace(params.multislice, seed=int(rng.integers(2**31))))


def _plain(composition: str) -> str:
    """A composition as a part of the name of a file."""
    return "".join(part for part in composition if part.isalnum() or part in ".-")
