"""Faceted and roughened fcc particles (Madsen et al., Adv. Theory Simul. 1, 1800037 (2018), section 4.1, Fig. 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.specimens.projection import Projection, columns_of

ZONES = {"110": (1, 1, 0), "111": (1, 1, 1), "001": (0, 0, 1)}


@dataclass(frozen=True, kw_only=True)
class ParticleParams:
    """A particle cut from an fcc crystal, then roughened.

    Attributes
    ----------
    number : int
        Atomic number.
    lattice_constant : float
        Of the cubic cell.
    radius : float
        Mean distance of the cutting planes from the centre.
    spread : float
        Relative spread of that distance from plane to plane.
    adatoms : float
        Atoms added to the surface, as a share of those that were cut.
    temperature : float
        Of the roughening: sites are taken with weight exp(n / temperature) for n neighbours, one at least (Eq. 9).
    zone : str
        Direction of the beam.
    tilt_y, tilt_x : float
        Rotations about y and x.
    turn : float
        In-plane rotation.
    """

    number: Annotated[int, Quantity(low=1, high=103)] = 79
    lattice_constant: Annotated[float, Quantity(unit="Å", low=1, high=20, decimals=3)] = 4.078
    radius: Annotated[float, Quantity(unit="Å", low=0, high=100)] = 10.0
    spread: Annotated[float, Quantity(low=0, high=1)] = 0.2
    adatoms: Annotated[float, Quantity(low=0, high=1)] = 0.1
    temperature: Annotated[float, Quantity(low=0.05, high=100)] = 0.5
    zone: Literal["110", "111", "001"] = "110"
    tilt_y: Annotated[float, Quantity(unit="rad", low=-1.6, high=1.6, decimals=4)] = 0.0
    tilt_x: Annotated[float, Quantity(unit="rad", low=-1.6, high=1.6, decimals=4)] = 0.0
    turn: Annotated[float, Quantity(unit="rad", low=-7, high=7, decimals=4)] = 0.0

    def __post_init__(self) -> None:
        check(self)


def particle_atoms(params: ParticleParams, rng: np.random.Generator) -> np.ndarray:
    """Atoms of a particle in the axes of its cubic cell, centre at the origin, shape (N, 3), Angstrom, (x, y, z).

    Parameters
    ----------
    params : ParticleParams
    rng : Generator
    """
    a, reach = params.lattice_constant, params.radius * (1 + params.spread) + 3.0
    steps = np.arange(-int(np.ceil(reach / a)) - 1, int(np.ceil(reach / a)) + 2)
    cells = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 1, 3)
    motif = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    sites = ((cells + motif).reshape(-1, 3) + rng.uniform(0, 1, 3)) * a
    sites = sites[np.linalg.norm(sites, axis=1) < 1.8 * reach]
    planes = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]] + [[1, y, z] for y in (-1, 1) for z in (-1, 1)], dtype=float)
    normals = np.concatenate([planes, -planes])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    distances = params.radius * (1 + params.spread * rng.uniform(0, 1, len(normals)))
    inside = np.all(sites @ normals.T <= distances, axis=1)
    return _roughened(sites, inside, a / np.sqrt(2), params, rng)


def particle(
    params: ParticleParams, field: tuple[float, float], rng: np.random.Generator, centre: tuple[float, float] | None = None
) -> Projection:
    """A particle along its zone axis, in the middle of the field of view or at `centre`, (y, x) in Angstrom.

    Parameters
    ----------
    params : ParticleParams
    field : tuple of float, Angstrom, (y, x)
    rng : Generator
    centre : tuple of float, Angstrom, (y, x), optional
    """
    return particle_with_columns(params, field, rng, centre)[0]


def particle_with_columns(
    params: ParticleParams, field: tuple[float, float], rng: np.random.Generator, centre: tuple[float, float] | None = None
) -> tuple[Projection, np.ndarray]:
    """As :func:`particle`, and which atoms stand in one column along the zone axis, however far the particle is tilted.

    Parameters
    ----------
    params : ParticleParams
    field : tuple of float, Angstrom, (y, x)
    rng : Generator
    centre : tuple of float, Angstrom, (y, x), optional

    Returns
    -------
    Projection
    ndarray of int, shape (N,)
        Number of the column of each atom, from 0.
    """
    atoms = particle_atoms(params, rng)
    frame = _frame(ZONES[params.zone])
    upright = atoms @ frame.T  # x, y, z with the beam along z
    placed = upright @ _rotation(params.tilt_x, 0) @ _rotation(params.tilt_y, 1) @ _rotation(params.turn, 2)
    middle = np.array(centre if centre is not None else (field[0] / 2, field[1] / 2))
    projected = Projection(
        positions=placed[:, [1, 0]] + middle,
        numbers=np.full(len(placed), params.number),
        heights=placed[:, 2] - placed[:, 2].min() if len(placed) else placed[:, 2],
        field=field,
    )
    return projected, columns_of(Projection(positions=upright[:, :2], numbers=projected.numbers)).column


def _roughened(
    sites: np.ndarray, inside: np.ndarray, bond: float, params: ParticleParams, rng: np.random.Generator
) -> np.ndarray:
    """Atoms inside, and further ones on sites at the surface, taken one after the other by how many neighbours hold them."""
    chosen = inside.copy()
    neighbours = cKDTree(sites).query_pairs(1.1 * bond, output_type="ndarray")
    both = np.concatenate([neighbours, neighbours[:, ::-1]])
    count = np.bincount(both[:, 0], chosen[both[:, 1]], minlength=len(sites))
    starts = np.searchsorted(both[np.argsort(both[:, 0], kind="stable"), 0], np.arange(len(sites) + 1))
    partner = both[np.argsort(both[:, 0], kind="stable"), 1]
    for _ in range(round(params.adatoms * inside.sum())):
        free = np.flatnonzero(~chosen & (count >= 1))
        if len(free) == 0:
            break
        weight = np.exp((count[free] - 12) / params.temperature)
        if not weight.sum() > 0:
            break
        site = int(rng.choice(free, p=weight / weight.sum()))
        chosen[site] = True
        count[partner[starts[site] : starts[site + 1]]] += 1
    return np.asarray(sites[chosen])


def _frame(zone: tuple[int, int, int]) -> np.ndarray:
    """Rows x, y, z of a right-handed frame with z along the zone axis."""
    z = np.array(zone, dtype=float) / np.linalg.norm(zone)
    aside = np.array([0.0, 0.0, 1.0]) if abs(z[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    x = aside - (aside @ z) * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def _rotation(angle: float, axis: int) -> np.ndarray:
    """Rotation of row vectors (x, y, z) about an axis."""
    sine, cosine = np.sin(angle), np.cos(angle)
    first, second = [place for place in range(3) if place != axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = sine, -sine
    return matrix
