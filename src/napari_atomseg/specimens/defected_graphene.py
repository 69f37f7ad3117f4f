"""Graphene that is a crystal but for its defects: vacancies, rotated bonds, a second grain, holes, edges, ripples, dirt on it.

Sheets between order and chance are in :mod:`.graphene`; this one has hexagons, and what is known to break them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Quantity
from napari_atomseg.specimens.graphene import in_blob
from napari_atomseg.specimens.projection import Projection
from napari_atomseg.specimens.springs import relaxed

CARBON = 6
MARGIN = 3.0
"""Sheet made beyond the field where it does not repeat itself, Angstrom."""
BOND_REACH = 1.25
"""Atoms nearer than so many bonds are neighbours, also beside a bond that was just rotated (1.06 bonds)."""
CLOSEST = 0.8
"""Where grains, or two sides of a repeated field, meet, atoms nearer than so many bonds are one."""
LARGEST_MISFIT = 0.025
"""Strain that makes a turned lattice repeat itself with the field, at most; turned anew above that, so many times."""
TURNS = 40
DIRT_HEIGHT = (3.0, 12.0)
"""Dirt lies so far above the sheet, Angstrom; that tells its atoms from those of the sheet, which lie at 0."""

_Number = Annotated[int, Quantity(low=0, high=10_000)]


@dataclass(frozen=True, kw_only=True)
class DefectedGrapheneParams:
    """A crystalline sheet and its defects.

    Attributes
    ----------
    bond : float
        Length of an undisturbed bond.
    vacancies : int
        Single atoms that are missing.
    divacancies : int
        Pairs of neighbours that are missing.
    rotations : int
        Bonds turned by 90 degrees: two pentagons and two heptagons in place of four hexagons (Stone and Wales).
    holes : int
        Larger holes.
    hole_radius : float
        Their mean radius.
    grains : int
        1, or 2 that meet along a line.
    edge : float, optional
        Place of a straight edge beyond which nothing is, in units of the field; -1 to 1, 0 in the middle.
    relaxation : int
        Steps in which bonds about defects become as long as others, about 60 for all that springs can do; 0 for none.
    ripple : float
        Root mean square displacement of atoms together with their surroundings.
    displacement : float
        Standard deviation of each atom from its site.
    dirt : int
        Patches of disordered carbon on the sheet.
    dirt_radius : float
        Their mean radius.
    dirt_density : float
        Atoms of dirt per square Angstrom of patch; the sheet has 0.38.
    periodic : bool
        Whether the sheet repeats itself with the field, for which the lattice is strained a little.
    """

    bond: Annotated[float, Quantity(unit="Å", low=1.0, high=2.0, decimals=3)] = 1.42
    vacancies: _Number = 0
    divacancies: _Number = 0
    rotations: _Number = 0
    holes: Annotated[int, Quantity(low=0, high=20)] = 0
    hole_radius: Angstrom = 5.0
    grains: Annotated[int, Quantity(low=1, high=2)] = 1
    edge: Annotated[float, Quantity(low=-10, high=10)] | None = None
    relaxation: Annotated[int, Quantity(low=0, high=1000)] = 60
    ripple: Annotated[float, Quantity(unit="Å", low=0, high=1, decimals=3)] = 0.0
    displacement: Annotated[float, Quantity(unit="Å", low=0, high=1, decimals=3)] = 0.0
    dirt: Annotated[int, Quantity(low=0, high=100)] = 0
    dirt_radius: Angstrom = 6.0
    dirt_density: Annotated[float, Quantity(unit="1/Å²", low=0, high=20)] = 0.5
    periodic: bool = False

    def __post_init__(self) -> None:
        check(self)


def defected_graphene(field: tuple[float, float], params: DefectedGrapheneParams, rng: np.random.Generator) -> Projection:
    """A sheet in a field of view, (y, x) in Angstrom, and 3 Angstrom beyond unless it repeats itself.

    Parameters
    ----------
    field : tuple of float, Angstrom, (y, x)
    params : DefectedGrapheneParams
    rng : Generator
    """
    period = np.array(field, float) if params.periodic else None
    margin = 0.0 if params.periodic else MARGIN
    size = np.array(field, float) + 2 * margin
    atoms = _lattice(size, params, rng)
    if params.grains == 2:
        atoms = _with_second_grain(atoms, size, params, rng)
    atoms = thinned(atoms, CLOSEST * params.bond, period)
    atoms = _with_rotations(atoms, params, rng)
    atoms = _without_atoms(atoms, params, rng)
    atoms = relaxed(atoms, params.bond, BOND_REACH, params.relaxation, period)
    for _ in range(params.holes):
        atoms = atoms[~in_blob(atoms - rng.uniform(0, 1, 2) * size, params.hole_radius, rng)]
    if params.edge is not None:
        angle = rng.uniform(0, 2 * np.pi)
        along = (atoms - size / 2) @ np.array([np.sin(angle), np.cos(angle)])
        atoms = atoms[along < params.edge * size.min() / 2]
    atoms = atoms + _ripples(atoms, size, params.ripple, rng) + rng.normal(0, 1, atoms.shape) * params.displacement
    dirt = _dirt(size, params, rng)
    heights = np.concatenate([np.zeros(len(atoms)), rng.uniform(*DIRT_HEIGHT, len(dirt))])
    everything = np.concatenate([atoms, dirt])
    if period is not None:
        everything = everything % period
    return Projection(positions=everything - margin, numbers=np.full(len(everything), CARBON), heights=heights, field=field)


def thinned(atoms: np.ndarray, distance: float, period: np.ndarray | None = None) -> np.ndarray:
    """Atoms of which none are nearer to each other than a distance; of a pair the first one stays.

    Parameters
    ----------
    atoms : ndarray, shape (N, 2), Å, (y, x)
    distance : float, Å
    period : ndarray, shape (2,), Å, (y, x), or None
        After which the atoms repeat; distances are then those of the nearest images.

    Returns
    -------
    ndarray, shape (K, 2), Å
        Those that stay, as they were given.
    """
    inside = atoms if period is None else atoms % period
    pairs = cKDTree(inside, boxsize=period).query_pairs(distance, output_type="ndarray")
    keep = np.ones(len(atoms), bool)
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
        if keep[first]:
            keep[second] = False
    return atoms[keep]


def _lattice(size: np.ndarray, params: DefectedGrapheneParams, rng: np.random.Generator) -> np.ndarray:
    """Sites of one grain, turned and shifted at random, over a field (y, x)."""
    basis = _turned(params.bond, rng.uniform(0, 2 * np.pi))
    if params.periodic:
        for _ in range(TURNS):
            fitting = _fitted(basis, size)
            if np.abs(fitting @ np.linalg.inv(basis) - np.eye(2)).max() < LARGEST_MISFIT:
                break
            basis = _turned(params.bond, rng.uniform(0, 2 * np.pi))
        basis = fitting
    reach = int(np.ceil(np.hypot(*size) / (1.2 * params.bond))) + 2
    steps = np.stack(np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1), indexing="ij"), -1).reshape(-1, 2)
    motif = np.array([[0.0, 0.0], [1 / 3, 1 / 3]])
    sites = ((steps[:, None] + motif).reshape(-1, 2) + rng.uniform(0, 1, 2)) @ basis
    # Sites on the seam of a repeated field belong to one side of it.
    return sites[np.all((sites >= -1e-9) & (sites < size - 1e-9), axis=1)]


def _turned(bond: float, angle: float) -> np.ndarray:
    """Lattice vectors (2, 2) as rows, (y, x), Angstrom, 60 degrees apart."""
    length = np.sqrt(3) * bond
    return length * np.array([[np.sin(one), np.cos(one)] for one in (angle, angle + np.pi / 3)])


def _fitted(basis: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The lattice nearest to a given one that repeats itself with a field."""
    sides = np.diag(size)
    return np.linalg.solve(np.rint(sides @ np.linalg.inv(basis)), sides)


def _with_second_grain(
    atoms: np.ndarray, size: np.ndarray, params: DefectedGrapheneParams, rng: np.random.Generator
) -> np.ndarray:
    angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.75, 2) * size
    normal = np.array([np.sin(angle), np.cos(angle)])
    other = _lattice(size, params, rng)
    return np.concatenate([atoms[(atoms - place) @ normal < 0], other[(other - place) @ normal >= 0]])


def _with_rotations(atoms: np.ndarray, params: DefectedGrapheneParams, rng: np.random.Generator) -> np.ndarray:
    """Some bonds between atoms turned by 90 degrees about their middle, none of them near to another."""
    found = atoms.copy()
    bonds = cKDTree(atoms).query_pairs(BOND_REACH * params.bond, output_type="ndarray")
    free = np.ones(len(atoms), bool)
    done = 0
    for first, second in rng.permutation(bonds) if params.rotations else ():
        if done == params.rotations:
            break
        middle, half = (atoms[first] + atoms[second]) / 2, (atoms[first] - atoms[second]) / 2
        around = np.hypot(*(atoms - middle).T) < 2.5 * params.bond
        if not free[around].all():
            continue
        found[first], found[second] = middle + half[::-1] * (1, -1), middle - half[::-1] * (1, -1)
        free[around] = False
        done += 1
    return found


def _without_atoms(atoms: np.ndarray, params: DefectedGrapheneParams, rng: np.random.Generator) -> np.ndarray:
    keep = np.ones(len(atoms), bool)
    chosen = rng.choice(len(atoms), min(len(atoms), params.vacancies + params.divacancies), replace=False)
    keep[chosen] = False
    if params.divacancies:
        _, near = cKDTree(atoms).query(atoms[chosen[: params.divacancies]], k=2)
        keep[near[:, 1]] = False
    return atoms[keep]


def _ripples(atoms: np.ndarray, size: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Displacements (N, 2) that change slowly, and come back with the field."""
    moved = np.zeros_like(atoms)
    for _ in range(6 if strength else 0):
        wave = rng.integers(-3, 4, 2) / size
        moved += rng.normal(0, strength / np.sqrt(3), 2) * np.sin(2 * np.pi * (atoms @ wave)[:, None] + rng.uniform(0, 2 * np.pi))
    return moved


def _dirt(size: np.ndarray, params: DefectedGrapheneParams, rng: np.random.Generator) -> np.ndarray:
    """Atoms of patches of dirt, (M, 2)."""
    patches = []
    for _ in range(params.dirt):
        reach = 2.5 * params.dirt_radius
        around = rng.uniform(-reach, reach, (rng.poisson(params.dirt_density * (2 * reach) ** 2), 2))
        patches.append(around[in_blob(around, params.dirt_radius, rng)] + rng.uniform(0, 1, 2) * size)
    return np.concatenate([np.zeros((0, 2)), *patches])
