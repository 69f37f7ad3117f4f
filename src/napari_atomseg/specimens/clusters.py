"""Nanoparticles of equilibrium shapes (ase.cluster), crystalline, or with an amorphous part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity
from napari_atomseg.specimens.fcc import fcc_lattice_constant

if TYPE_CHECKING:
    from ase import Atoms

SURFACES = ((1, 1, 1), (1, 0, 0), (1, 1, 0))
LARGEST = 150.0
"""Diameter that can be built, Angstrom: about 10^5 atoms."""
MELTED, STEPS, SETTLED = 0.7, 800, 2e-3
"""Random displacement of melted atoms in parts of the bond length, steps of settling at most, and the largest move, in parts of
the bond length, below which they are settled."""
GAIN, FARTHEST = 0.006, 0.05
"""Step for a unit of force, and the longest, in bond lengths: nearly the inverse of the stiffness of twelve bonds."""
CROWDED = 0.85
"""Distance, in bond lengths, that no two atoms keep by themselves."""
STIFFNESS, REACH = 7.0, 1.5
"""Of the bonds while melted atoms settle: decay of the Morse potential in units of 1 / bond length, and its reach."""


@dataclass(frozen=True, kw_only=True)
class ClusterParams:
    """A nanoparticle.

    Attributes
    ----------
    element : str
        Symbol; fcc for all shapes but Wulff, which takes the element's own cubic lattice.
    shape : str
        Octahedron, cuboctahedron, truncated octahedron, icosahedron, decahedron, Wulff construction, or sphere.
    diameter : float
        Of the sphere around it; the shape nearest to it is built.
    lattice_constant : float
        Of the cubic cell; automatic is the element's own.
    amorphous : float
        Share of the atoms, outermost first, that are melted and settled.
    ratio_100, ratio_110 : float
        Of a Wulff construction: surface energy over that of (111).
    seed : int
        Of the amorphous part.
    """

    element: str = "Pt"
    shape: Literal["octahedron", "cuboctahedron", "truncated octahedron", "icosahedron", "decahedron", "wulff", "sphere"] = (
        "cuboctahedron"
    )
    diameter: Annotated[float, Quantity(unit="Å", low=4, high=LARGEST, decimals=1)] = 20.0
    lattice_constant: Annotated[float, Quantity(unit="Å", low=2, high=10, decimals=3)] | None = None
    amorphous: Fraction = 0.0
    ratio_100: Annotated[float, Quantity(low=0.3, high=3)] = 1.1
    ratio_110: Annotated[float, Quantity(low=0.3, high=3)] = 1.15
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        check(self)


def cluster(params: ClusterParams) -> Atoms:
    """The particle, without a cell, centre of mass at the origin, axes along those of the cube (five-fold axis along z).

    Raises
    ------
    AtomsegError
        If the element does not exist, or has no cubic lattice and no lattice constant was given.
    """
    from ase import Atoms as Structure

    built = _built(params, fcc_lattice_constant(params.element, params.lattice_constant))
    atoms = Structure(built.get_chemical_symbols(), positions=built.positions - built.positions.mean(axis=0))
    if params.amorphous > 0:
        atoms.positions = melted(atoms.positions, params.amorphous, np.random.default_rng(params.seed))
    return atoms


def melted(positions: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Positions with the outermost share of the atoms put at random and settled among the others.

    Parameters
    ----------
    positions : ndarray, shape (N, 3), Å
    share : float
        Of the atoms, 0 to 1, those farthest from their mean first.
    rng : Generator

    Returns
    -------
    ndarray, shape (N, 3), Å
        In the order of `positions`; atoms of the crystal give way where a melted one comes too near.

    Notes
    -----
    Atoms are displaced by 0.7 bond lengths and then follow the forces of Morse bonds until all have their distance. Glasses that
    molecular dynamics makes have the same first shell; medium-range order is not meant to be right.
    """
    count = round(share * len(positions))
    if count == 0 or len(positions) < 2:
        return positions
    middle = positions.mean(axis=0)
    radius = np.linalg.norm(positions - middle, axis=1)
    free = np.argsort(radius)[len(positions) - count :]
    bond = float(np.median(cKDTree(positions).query(positions, k=2)[0][:, 1]))
    moved = positions.copy()
    moved[free] += rng.normal(0, MELTED * bond, (count, 3))
    # None evaporates.
    away = np.linalg.norm(moved - middle, axis=1, keepdims=True)
    moved = middle + (moved - middle) * np.minimum(1, radius.max() / np.maximum(away, 1e-9))
    # Neighbours of the crystal that a melted atom has come too near to give way.
    close = cKDTree(moved).query_pairs(CROWDED * bond, output_type="ndarray")
    free = np.union1d(free, close.ravel())
    for _ in range(STEPS):
        step = np.clip(GAIN * _morse_force(moved / bond), -FARTHEST, FARTHEST)[free]
        moved[free] += bond * step
        if np.abs(step).max() < SETTLED:
            break
    return moved


def _morse_force(places: np.ndarray) -> np.ndarray:
    """Force on each atom (N, 3), in units of the depth of the bond over its length."""
    pairs = cKDTree(places).query_pairs(REACH, output_type="ndarray")
    apart = places[pairs[:, 1]] - places[pairs[:, 0]]
    distance = np.maximum(np.linalg.norm(apart, axis=1), 1e-3)
    decay = np.exp(-STIFFNESS * (distance - 1))
    pull = (2 * STIFFNESS * decay * (1 - decay) / distance)[:, None] * apart
    force = np.zeros_like(places)
    np.add.at(force, pairs[:, 0], pull)
    np.add.at(force, pairs[:, 1], -pull)
    return force


def _built(params: ClusterParams, a: float) -> Atoms:
    if params.shape == "sphere":
        return _ball(params, a)
    if params.shape == "wulff":
        from ase.cluster import wulff_construction

        number = max(13, round(4 / a**3 * np.pi / 6 * params.diameter**3))
        energies = [1.0, params.ratio_100, params.ratio_110]
        return wulff_construction(params.element, list(SURFACES), energies, number, "fcc", "closest", latticeconstant=a)
    smaller = _grown(params, a, 1)
    for layers in range(2, 100):
        larger = _grown(params, a, layers)
        if _diameter(larger) >= params.diameter:
            return min(smaller, larger, key=lambda one: abs(_diameter(one) - params.diameter))
        smaller = larger
    return smaller


def _grown(params: ClusterParams, a: float, layers: int) -> Atoms:
    """A particle of the shape, the larger the more layers it has."""
    from ase.cluster import Decahedron, Icosahedron, Octahedron

    if params.shape == "icosahedron":
        return Icosahedron(params.element, layers + 1, latticeconstant=a)
    if params.shape == "decahedron":
        return Decahedron(params.element, layers + 1, layers + 1, 0, latticeconstant=a)
    if params.shape == "octahedron":
        return Octahedron(params.element, layers + 1, 0, latticeconstant=a)
    # Cutting off half of the edge makes the cuboctahedron, a third the regular truncated octahedron.
    parts = 2 if params.shape == "cuboctahedron" else 3
    return Octahedron(params.element, parts * layers + 1, layers, latticeconstant=a)


def _diameter(atoms: Atoms) -> float:
    """Twice the distance of the farthest atom from the centre, Angstrom."""
    return 2 * float(np.linalg.norm(atoms.positions - atoms.positions.mean(axis=0), axis=1).max())


def _ball(params: ClusterParams, a: float) -> Atoms:
    from ase.build import bulk

    repeats = int(np.ceil(params.diameter / a)) + 2
    atoms = bulk(params.element, "fcc", a=a, cubic=True).repeat(repeats)
    middle = a * (repeats // 2)
    return atoms[np.linalg.norm(atoms.positions - middle, axis=1) <= params.diameter / 2]
