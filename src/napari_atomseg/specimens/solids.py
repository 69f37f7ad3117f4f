"""Random solids atom by atom: orientation, wedge, shapes, defects, support (Lobato et al., npj Comput. Mater. 10, 10 (2024)).

Positions are (x, y, z) in Angstrom with z along the beam. A glass is made once as a periodic cube, filled in like a
crystal and turned at random, which hides its period of 20 Angstrom.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.specimens.projection import Projection
from napari_atomseg.specimens.random_crystals import RandomCrystalParams, amorphous, random_crystal
from napari_atomseg.specimens.rotations import orientation, random_rotation
from napari_atomseg.specimens.solid_params import SlabParams, SolidParams
from napari_atomseg.specimens.solid_shapes import above_wedge, inside_half_space, inside_polyhedron, inside_rod

MOST_ATOMS = 600_000
"""Solid and support together; what would be more is made thinner. The solid gets two thirds at most, the support the rest."""
ATTEMPTS = 12
"""For each kind of atom; many crystals are drawn, and what does not fit soon seldom fits later."""
GLASS_PERIOD, MARGIN = 20.0, 3.0
SHORTEST, CLOSEST = 3.1, 0.95
"""Shortest edge of a cell, and shortest distance of atoms in the paper, Angstrom."""
ZONES = ((0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))
"""The paper's "first eight main zone axes" are not listed; these are ours."""


def solid(params: SolidParams, field: tuple[float, float], rng: np.random.Generator) -> Projection:
    """Single atoms of a random solid in a field of view, (y, x) in Angstrom, and 3 Angstrom beyond.

    A wedge, a shape or defects that would leave no atom are left out. With more than 600,000 atoms solid and support are
    made thinner than asked for: the support first, then the solid.

    Parameters
    ----------
    params : SolidParams
    field : tuple of float, Angstrom, (y, x)
    rng : Generator
    """
    atoms, numbers, box = _slab(params, field, 2 * MOST_ATOMS // 3, rng)
    left = _left(_shape(atoms, box, params, rng), atoms, box)
    atoms, numbers = _disturbed(atoms[left], numbers[left], params, rng)
    if params.support != "none":
        support = _support(params)
        below, kinds, _ = _slab(support, field, MOST_ATOMS - len(atoms), rng)
        below, kinds = _disturbed(below, kinds, support, rng)
        atoms, numbers = np.concatenate([atoms, below + np.array([0, 0, box[2]])]), np.concatenate([numbers, kinds])
    return Projection(positions=atoms[:, 1::-1], numbers=numbers, heights=atoms[:, 2], field=field)


def _support(params: SolidParams) -> SlabParams:
    """What a solid lies on; what has no parameter of its own is as of the solid."""
    own = {entry.name: getattr(params, f"support_{entry.name}", getattr(params, entry.name)) for entry in fields(SlabParams)}
    return SlabParams(**{**own, "body": params.support})


def _slab(
    params: SlabParams, field: tuple[float, float], most: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Atoms (N, 3), their atomic numbers (N,), and sides (3,) of the box that they fill but for a wedge."""
    cell, places, numbers = _body(params, rng)
    zone = ZONES[int(rng.integers(len(ZONES)))]
    if params.body == "crystal" and params.zone_axis:
        turned = orientation(cell, zone, params.mistilt, params.mistilt_angle, params.turn)
    else:
        turned = random_rotation(rng)
    atoms, which, depth = filled(cell, places, turned, field, params.thickness, most, rng)
    box = np.array([field[1], field[0], depth])
    left = _left(_wedge(atoms, box, params), atoms, box)
    return atoms[left], numbers[which[left]], box


def filled(
    cell: np.ndarray,
    places: np.ndarray,
    rotation: np.ndarray,
    field: tuple[float, float],
    thickness: Angstrom,
    most: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Atoms (N, 3) of a turned crystal in a slab, the row of the cell that each comes from, and the thickness that it got.

    Parameters
    ----------
    cell : ndarray, shape (3, 3), Angstrom
        One vector in each row.
    places : ndarray, shape (K, 3), Angstrom
    rotation : ndarray, shape (3, 3)
    field : tuple of float, Angstrom
        (y, x).
    thickness : float, Angstrom
    most : int
        Atoms at most, roughly; the slab gets thinner where there would be more.
    rng : Generator
        Origin of the crystal.
    """
    wide = np.array([field[1], field[0]]) + 2 * MARGIN
    volume = abs(float(np.linalg.det(cell)))
    depth = min(float(thickness), most / len(places) * volume / float(np.prod(wide)))
    vectors, motif = cell @ rotation.T, (places + rng.uniform(0, 1, 3) @ cell) @ rotation.T
    low, high = np.array([-MARGIN, -MARGIN, 0.0]), np.array([wide[0] - MARGIN, wide[1] - MARGIN, depth])
    corners = np.array([[(low, high)[bit >> axis & 1][axis] for axis in range(3)] for bit in range(8)])
    inverse = np.linalg.inv(vectors)
    reach = (corners[:, None] - motif[None]).reshape(-1, 3) @ inverse
    first, last = np.floor(reach.min(axis=0)).astype(int), np.ceil(reach.max(axis=0)).astype(int)
    steps = [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
    origins = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3) @ vectors
    near, far = low - motif.max(axis=0), high - motif.min(axis=0)
    origins = origins[np.all((origins >= near) & (origins <= far), axis=1)]
    atoms = (origins[:, None] + motif).reshape(-1, 3)
    which = np.broadcast_to(np.arange(len(places)), (len(origins), len(places))).ravel()
    inside = np.all((atoms >= low) & (atoms < high), axis=1)
    return atoms[inside], which[inside], depth


def _wedge(atoms: np.ndarray, box: np.ndarray, params: SlabParams) -> np.ndarray:
    keep = np.ones(len(atoms), bool)
    if params.wedge in ("top", "both"):
        keep &= above_wedge(atoms, box, params.wedge_slope, params.wedge_angle)
    if params.wedge in ("bottom", "both"):
        upside_down = np.column_stack([atoms[:, :2], box[2] - atoms[:, 2]])
        keep &= above_wedge(upside_down, box, params.wedge_slope, params.wedge_angle)
    return keep


def _shape(atoms: np.ndarray, box: np.ndarray, params: SolidParams, rng: np.random.Generator) -> np.ndarray:
    if params.shape == "none":
        return np.ones(len(atoms), bool)
    centre = rng.uniform(0.2, 0.8, 3) * box
    radius = params.radius * float(box[:2].max())
    if params.shape == "rod":
        inside = inside_rod(atoms, centre, radius, params.rod_corners, rng)
    elif params.shape == "polyhedron":
        inside = inside_polyhedron(atoms, centre, radius, params.corners, rng)
    else:
        inside = inside_half_space(atoms, centre, rng)
    return inside if params.keep else ~inside


def _left(keep: np.ndarray, atoms: np.ndarray, box: np.ndarray) -> np.ndarray:
    """What a cut leaves, or all that there was if that were nothing in the field."""
    return keep if np.any(keep & _inside(atoms, box)) else np.ones(len(atoms), bool)


def _inside(atoms: np.ndarray, box: np.ndarray) -> np.ndarray:
    """True within the field."""
    return np.asarray(np.all((atoms[:, :2] >= 0) & (atoms[:, :2] <= box[:2]), axis=1))


def _disturbed(
    atoms: np.ndarray, numbers: np.ndarray, params: SlabParams, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    from ase.data import covalent_radii

    chosen = rng.uniform(size=len(atoms)) < params.defects
    off = rng.normal(0, 1, atoms.shape) * covalent_radii[numbers][:, None]
    if params.defect == "moved":
        return np.where(chosen[:, None], atoms + off, atoms), numbers
    if params.defect == "removed" and not chosen.all():
        return atoms[~chosen], numbers[~chosen]
    return atoms, numbers


def _body(params: SlabParams, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell (3, 3), places (K, 3) and atomic numbers (K,) of a crystal or a glass."""
    if params.body == "glass":
        return _glass(params, rng)
    least = params.least_distance
    for _ in range(12):
        given = RandomCrystalParams(
            space_group=params.space_group,
            numbers=tuple(int(number) for number in rng.integers(1, params.heaviest + 1, params.species)),
            lengths=tuple(rng.uniform(SHORTEST, max(params.longest, SHORTEST + 0.1), 3)),
            angles=tuple(rng.uniform(45, 120, 3)),
            least_distance=least,
        )
        try:
            crystal = random_crystal(given, rng, ATTEMPTS)
        except AtomsegError:
            # Begun anew, the distance too: what no cell can keep would make every other crystal a glass.
            least = float(rng.uniform(min(CLOSEST, least), least))
            continue
        return np.asarray(crystal.cell.array), crystal.get_positions(), crystal.numbers
    return _glass(params, rng)


def _glass(params: SlabParams, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    box = (GLASS_PERIOD, GLASS_PERIOD, GLASS_PERIOD)
    for lightest in (1, 6, 20):
        number = int(rng.integers(min(lightest, params.heaviest), params.heaviest + 1))
        try:
            placed = amorphous(number, params.density, box, params.glass_distance, rng)
        except AtomsegError:
            continue
        if len(placed):
            return np.diag(box), placed, np.full(len(placed), number)
    placed = amorphous(6, 2.0, box, 1.2, rng)
    return np.diag(box), placed, np.full(len(placed), 6)
