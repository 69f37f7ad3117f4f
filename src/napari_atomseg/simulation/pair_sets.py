"""Sets of specimens that a correction is fitted to: alloys of many sizes, shapes and directions, and crystals along zone axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check, to_dict
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.alloys import alloyed, fcc_lattice_constant, parse_composition
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cutting import has_thickness
from napari_atomseg.specimens.direction import parse_zone_axis

if TYPE_CHECKING:
    from ase import Atoms

ANY = "any"
"""Word for a direction that is drawn anew for each specimen."""
FINE = 40
"""Length of the whole numbers that stand for a direction drawn at random."""
SHAPES = ("octahedron", "cuboctahedron", "truncated octahedron", "icosahedron", "decahedron", "wulff", "sphere")


@dataclass(frozen=True, kw_only=True)
class PairSetParams:
    """Which specimens the pairs of a correction show.

    Attributes
    ----------
    alloys : str
        Compositions of face-centred cubic particles, separated by commas, such as Au, Pt0.95Mo0.05.
    shapes : str
        Shapes of the particles, separated by commas, taken in turn.
    smallest, largest : float
        Least and greatest diameter of the particles.
    amorphous : str
        Shares of their atoms that are melted, separated by commas, taken in turn.
    zones : str
        Directions of the beam, separated by blanks and taken in turn: zone axes such as 1,1,0, or any for one at random.
    mistilt : float
        Standard deviation of the mistilt about both axes of the image.
    thinnest : float
        Least thickness of crystals, in parts of the thickness.
    number : int
        Pairs of each composition and of each structure.
    seed : int
        Random seed of the set.
    """

    alloys: str = ""
    shapes: str = "cuboctahedron, truncated octahedron, icosahedron, decahedron, sphere"
    smallest: Annotated[float, Quantity(unit="Å", low=4, high=150, decimals=1)] = 14.0
    largest: Annotated[float, Quantity(unit="Å", low=4, high=150, decimals=1)] = 24.0
    amorphous: str = "0, 0, 0.5"
    zones: str = "1,1,0 0,0,1 any 1,1,1"
    mistilt: Annotated[float, Quantity(unit="mrad", low=0, high=500, decimals=1)] = 20.0
    thinnest: Annotated[float, Quantity(low=0.01, high=1)] = 0.25
    number: Annotated[int, Quantity(low=1, high=1000)] = 6
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        check(self)
        for composition in _listed(self.alloys):
            parse_composition(composition)
        for shape in _listed(self.shapes):
            if shape not in SHAPES:
                raise AtomsegError(f'there is no shape "{shape}"; choose from {", ".join(SHAPES)}')
        for zone in self.zones.split():
            if zone != ANY:
                parse_zone_axis(zone)
        if self.largest < self.smallest:
            raise AtomsegError(f"the largest diameter of {self.largest:g} Å lies below the smallest of {self.smallest:g} Å")
        if not (_listed(self.shapes) and self.zones.split() and _shares(self.amorphous)):
            raise AtomsegError("shapes, zones and amorphous shares need one entry at least")

    @property
    def compositions(self) -> tuple[str, ...]:
        """Compositions one by one."""
        return _listed(self.alloys)


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
    shares, shapes, melted = parse_composition(composition), _listed(wanted.shapes), _shares(wanted.amorphous)
    sizes = rng.permutation(np.linspace(wanted.smallest, wanted.largest, wanted.number))
    found = []
    for row, size in enumerate(sizes):
        kind = ClusterParams(
            element=next(iter(shares)),
            shape=shapes[row % len(shapes)],  # type: ignore[arg-type]  # checked when the set was made
            diameter=round(float(size), 1),
            lattice_constant=round(fcc_lattice_constant(shares), 4),
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


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in _listed(text))
    except ValueError:
        raise AtomsegError(f'"{text}" is no list of shares; write numbers from 0 to 1, such as 0, 0.5, 1') from None
    if any(not 0 <= share <= 1 for share in shares):
        raise AtomsegError(f'amorphous shares lie between 0 and 1, got "{text}"')
    return shares


def _plain(composition: str) -> str:
    """A composition as a part of the name of a file."""
    return "".join(part for part in composition if part.isalnum() or part in ".-")
