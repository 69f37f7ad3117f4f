"""Graphene-like sheets between order and chance (Madsen et al., Adv. Theory Simul. 1, 1800037 (2018), section 3.1, Fig. 4).

Seeds with a least distance, the vertices of their Voronoi cells as atoms, Lloyd's relaxation of the seeds, holes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.spatial import Voronoi, cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Fraction, Quantity
from napari_atomseg.specimens.projection import Projection

SHORTEST_BOND, PUSHES, MOST_POINTS = 1.15, 60, 1e6
_CARBON = 6


@dataclass(frozen=True, kw_only=True)
class GrapheneParams:
    """A sheet without long-range order.

    Attributes
    ----------
    seed_distance : float
        Least distance of the seeds; 1.85 gives the density of graphene.
    relaxations : int
        Steps of Lloyd's algorithm; 0 leaves atoms that nearly touch, many make it nearly a crystal.
    vacancies : float
        Share of atoms that are missing.
    holes : int
        Number of holes.
    hole_radius : float
        Mean radius of the holes.
    """

    seed_distance: Annotated[float, Quantity(unit="Å", low=0.5, high=1000)] = 1.85
    relaxations: Annotated[int, Quantity(low=0, high=100)] = 6
    vacancies: Fraction = 0.0
    holes: Annotated[int, Quantity(low=0, high=20)] = 0
    hole_radius: Angstrom = 5.0

    def __post_init__(self) -> None:
        check(self)


def graphene_like(field: tuple[float, float], params: GrapheneParams, rng: np.random.Generator) -> Projection:
    """A sheet of carbon in a field of view, (y, x) in Angstrom, and 3 Angstrom beyond.

    Parameters
    ----------
    field : tuple of float, Angstrom, (y, x)
    params : GrapheneParams
    rng : Generator
    """
    margin = 3.0
    size = np.array(field) + 2 * margin
    seeds = poisson_disc(tuple(size + 8 * params.seed_distance), params.seed_distance, rng) - 4 * params.seed_distance
    for _ in range(params.relaxations):
        seeds = _relaxed(seeds)
    vertices = _pushed_apart(Voronoi(seeds).vertices)
    vertices = vertices[np.all((vertices > 0) & (vertices < size), axis=1)]
    if params.vacancies:
        vertices = vertices[rng.uniform(size=len(vertices)) >= params.vacancies]
    for _ in range(params.holes):
        centre = rng.uniform(0, 1, 2) * size
        vertices = vertices[~in_blob(vertices - centre, params.hole_radius, rng)]
    return Projection(positions=vertices - margin, numbers=np.full(len(vertices), _CARBON), field=field)


def poisson_disc(size: tuple[float, float], distance: Angstrom, rng: np.random.Generator) -> np.ndarray:
    """Random points (N, 2) that keep a least distance and leave no room for another; (y, x) within `size`, Angstrom.

    Candidates are thrown in waves; of those too near to each other the first one stays. The last waves aim at what is
    still free (dart throwing after McCool & Fiume, Graphics Interface (1992) 94).

    Parameters
    ----------
    size : tuple of float, Angstrom, (y, x)
    distance : float, Angstrom
        Least distance of two points.
    rng : Generator
    """
    extent = np.array(size, dtype=float)
    if not (distance > 0 and np.prod(extent) / distance**2 < MOST_POINTS):
        raise AtomsegError(
            f"points {distance:g} Å apart in {size[0]:.0f} x {size[1]:.0f} Å are too many; give more distance or a smaller image"
        )
    points = np.zeros((0, 2))
    expected = int(np.prod(extent) / distance**2)
    for _ in range(40):
        candidates = rng.uniform(0, 1, (max(4 * expected, 50), 2)) * extent
        if len(points):
            candidates = candidates[cKDTree(points).query(candidates)[0] >= distance]
        if len(candidates) == 0:
            break
        keep = [True] * len(candidates)
        pairs = cKDTree(candidates).query_pairs(distance, output_type="ndarray")
        for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist():
            if keep[first]:
                keep[second] = False
        points = np.concatenate([points, candidates[keep]])
    return points


def _pushed_apart(atoms: np.ndarray) -> np.ndarray:
    """Atoms of which none are nearer to each other than a short bond; where four seeds lie on a circle two vertices meet."""
    moved = atoms[np.isfinite(atoms).all(axis=1)]
    for _ in range(PUSHES):
        pairs = cKDTree(moved).query_pairs(SHORTEST_BOND, output_type="ndarray")
        if len(pairs) == 0:
            break
        apart = moved[pairs[:, 0]] - moved[pairs[:, 1]]
        length = np.maximum(np.hypot(*apart.T), 1e-6)[:, None]
        push = 0.5 * (1.02 * SHORTEST_BOND - length) * apart / length
        np.add.at(moved, pairs[:, 0], push)
        np.add.at(moved, pairs[:, 1], -push)
    return moved


def _relaxed(seeds: np.ndarray) -> np.ndarray:
    """Seeds moved to the centres of mass of their Voronoi cells; those at the rim stay."""
    cells = Voronoi(seeds)
    ends = np.array(cells.ridge_vertices)
    closed = np.all(ends >= 0, axis=1)
    # Each edge makes a triangle with the seed on either side of it; those of one seed fill its cell.
    owner = cells.ridge_points[closed].ravel()
    corner = np.repeat(ends[closed], 2, axis=0)
    first, second = cells.vertices[corner[:, 0]] - seeds[owner], cells.vertices[corner[:, 1]] - seeds[owner]
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    total = np.bincount(owner, area, minlength=len(seeds))
    weighted = [np.bincount(owner, area * (first + second)[:, axis] / 3, minlength=len(seeds)) for axis in (0, 1)]
    step = np.stack(weighted, axis=1) / np.maximum(total, 1e-9)[:, None]
    at_rim = np.zeros(len(seeds), bool)
    at_rim[cells.ridge_points[~closed]] = True
    usable = ~at_rim & (np.hypot(*step.T) < np.sqrt(total))
    return np.where(usable[:, None], seeds + step, seeds)


def in_blob(offsets: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """True inside a smooth closed outline around the origin.

    Parameters
    ----------
    offsets : ndarray, shape (N, 2), Å, (y, x)
        From the middle of the outline.
    radius : float, Å
        Mean radius, about which three random harmonics of the angle change it; nowhere below a fifth of it.
    rng : Generator
        Each call draws another outline.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    angle = np.arctan2(offsets[:, 0], offsets[:, 1])
    outline = np.ones(len(offsets))
    for order in (2, 3, 4):
        outline += rng.normal(0, 0.3 / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(np.hypot(*offsets.T) < radius * np.clip(outline, 0.2, None))
