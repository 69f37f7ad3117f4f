"""Random solids atom by atom: orientation, wedge, shapes, defects, support (Lobato et al., npj Comput. Mater. 10, 10 (2024)).

Positions are (x, y, z) in Angstrom with z along the beam. A glass is made once as a periodic cube, filled in like a
crystal and turned at random, which hides its period of 20 Angstrom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy.spatial import ConvexHull

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Quantity
from napari_atomseg.specimens.projection import Projection
from napari_atomseg.specimens.random_crystals import RandomCrystalParams, amorphous, random_crystal

MOST_ATOMS = 60_000
"""Solid and support together; what would be more is made thinner. The solid gets two thirds of them."""
ATTEMPTS = 12
"""For each kind of atom; many crystals are drawn, and what does not fit soon seldom fits later."""
GLASS_PERIOD, MARGIN = 20.0, 3.0
ZONES = ((0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))
"""The paper's "first eight main zone axes" are not listed; these are ours."""
_Radians = Annotated[float, Quantity(unit="rad", low=-7, high=7, decimals=4)]
_Part = Annotated[float, Quantity(low=0, high=1, decimals=3)]


@dataclass(frozen=True, kw_only=True)
class SolidParams:
    """A random crystal or glass in three dimensions.

    Attributes
    ----------
    body : crystal or glass
        What it is made of.
    space_group : int
        International number, if a crystal.
    species : int
        Kinds of atoms, if a crystal.
    heaviest : int
        Highest atomic number, from 1.
    longest : float
        Longest edge of the cell; the shortest is 3.1 Angstrom.
    least_distance : float
        Between atoms of a crystal; of a glass, at most 1.6 Angstrom.
    density : float, g/cm3
        Of a glass.
    zone_axis : bool
        Whether the beam runs near a main zone axis, else anywhere.
    mistilt : float, rad
        From the zone axis.
    mistilt_angle : float, rad
        Direction of the mistilt, from x towards y.
    turn : float, rad
        In-plane rotation, from x towards y.
    thickness : float
        Along the beam.
    wedge : none, top, bottom or both
        Surfaces that are cut askew.
    wedge_slope : float, rad
        Angle of a cut with the surface.
    wedge_angle : float, rad
        Direction in which the solid gets thinner, from x towards y.
    shape : none, rod, polyhedron or half_space
        Body with which the solid is cut.
    radius : float
        Of rod and polyhedron, in parts of the longest side of the field.
    corners : int
        Of the rod's cross-section, or of the polyhedron.
    keep : bool
        Whether what lies inside stays, else what lies outside.
    defect : none, moved or removed
        What happened to the atoms at random; moved ones are off by a normal number as wide as the atom's radius.
    defects : float
        Share of such atoms.
    support : none, crystal or glass
        What it lies on.
    support_thickness : float
        Of what it lies on.
    """

    body: Literal["crystal", "glass"] = "crystal"
    space_group: Annotated[int, Quantity(low=1, high=230)] = 225
    species: Annotated[int, Quantity(low=1, high=16)] = 1
    heaviest: Annotated[int, Quantity(low=1, high=103)] = 103
    longest: Angstrom = 12.0
    least_distance: Annotated[float, Quantity(unit="Å", low=0.1, high=1000)] = 1.6
    density: Annotated[float, Quantity(unit="g/cm3", low=0.01, high=30)] = 2.5
    zone_axis: bool = True
    mistilt: _Radians = 0.0
    mistilt_angle: _Radians = 0.0
    turn: _Radians = 0.0
    thickness: Angstrom = 50.0
    wedge: Literal["none", "top", "bottom", "both"] = "none"
    wedge_slope: Annotated[float, Quantity(unit="rad", low=0, high=1.5, decimals=3)] = 0.3
    wedge_angle: _Radians = 0.0
    shape: Literal["none", "rod", "polyhedron", "half_space"] = "none"
    radius: Annotated[float, Quantity(low=1e-4, high=1, decimals=3)] = 0.25
    corners: Annotated[int, Quantity(low=3, high=50)] = 6
    keep: bool = True
    defect: Literal["none", "moved", "removed"] = "none"
    defects: _Part = 0.0
    support: Literal["none", "crystal", "glass"] = "none"
    support_thickness: Angstrom = 50.0

    def __post_init__(self) -> None:
        check(self)


def solid(params: SolidParams, field: tuple[float, float], rng: np.random.Generator) -> Projection:
    """Single atoms of a random solid in a field of view, (y, x) in Angstrom, and 3 Angstrom beyond.

    A wedge, a shape or defects that would leave no atom are left out. With more than 60,000 atoms solid and support are
    made thinner than asked for.

    Parameters
    ----------
    params : SolidParams
    field : tuple of float, Angstrom, (y, x)
    rng : Generator
    """
    cell, places, numbers = _body(params.body, params, rng)
    zone = ZONES[int(rng.integers(len(ZONES)))]
    if params.body == "crystal" and params.zone_axis:
        turned = orientation(cell, zone, params.mistilt, params.mistilt_angle, params.turn)
    else:
        turned = random_rotation(rng)
    atoms, which, depth = filled(cell, places, turned, field, params.thickness, 2 * MOST_ATOMS // 3, rng)
    numbers = numbers[which]
    box = np.array([field[1], field[0], depth])
    left = _left(_wedge(atoms, box, params), np.ones(len(atoms), bool), atoms, box)
    left = _left(_shape(atoms, box, params, rng), left, atoms, box)
    atoms, numbers = atoms[left], numbers[left]
    atoms, numbers = _disturbed(atoms, numbers, params, rng)
    if params.support != "none":
        cell, places, kinds = _body(params.support, params, rng)
        below, which, _ = filled(cell, places, random_rotation(rng), field, params.support_thickness, MOST_ATOMS // 3, rng)
        atoms, numbers = np.concatenate([atoms, below + np.array([0, 0, depth])]), np.concatenate([numbers, kinds[which]])
    return Projection(positions=atoms[:, 1::-1], numbers=numbers, heights=atoms[:, 2], field=field)


def orientation(
    cell: np.ndarray, zone: tuple[int, int, int], tilt: float = 0.0, tilt_angle: float = 0.0, turn: float = 0.0
) -> np.ndarray:
    """Rotation (3, 3) that brings a direction of a cell along the beam, and then tilts it by an angle.

    A column that rises by h then runs sideways by h times the tangent of the tilt, towards `tilt_angle` in the plane.

    Parameters
    ----------
    cell : ndarray, shape (3, 3), Angstrom
        One lattice vector a row.
    zone : tuple of int
        Direction [uvw] that is brought along the beam.
    tilt : float, rad
    tilt_angle : float, rad
        Direction of the tilt.
    turn : float, rad
        About the beam.
    """
    z = np.array(zone, dtype=float) @ cell
    z = z / np.linalg.norm(z)
    across = min(np.eye(3), key=lambda axis: abs(axis @ z))
    x = np.cross(across, z) / np.linalg.norm(np.cross(across, z))
    frame = np.stack([x, np.cross(z, x), z])
    axis = np.array([-np.sin(tilt_angle), np.cos(tilt_angle), 0.0])
    return _turn_about(axis, tilt) @ _turn_about(np.array([0.0, 0.0, 1.0]), turn) @ frame


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation (3, 3), all being equally likely."""
    q, r = np.linalg.qr(rng.normal(0, 1, (3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


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


def above_wedge(atoms: np.ndarray, box: np.ndarray, slope: float, angle: float) -> np.ndarray:
    """True for atoms that a cut from the entrance surface leaves; it starts in the middle and gets deeper along `angle`."""
    along = (atoms[:, :2] - box[:2] / 2) @ np.array([np.cos(angle), np.sin(angle)])
    return np.asarray(atoms[:, 2] >= along * np.tan(slope))


def inside_rod(atoms: np.ndarray, centre: np.ndarray, radius: float, corners: int, rng: np.random.Generator) -> np.ndarray:
    """True inside an endless prism around a random axis, whose cross-section is a convex polygon."""
    across = (atoms - centre) @ random_rotation(rng)[:, :2]
    angle = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
    return _inside_hull(across, radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def inside_polyhedron(atoms: np.ndarray, centre: np.ndarray, radius: float, corners: int, rng: np.random.Generator) -> np.ndarray:
    """True inside the convex hull of random places on a sphere, four at least."""
    directions = rng.normal(0, 1, (max(corners, 4), 3))
    return _inside_hull(atoms - centre, radius * directions / np.linalg.norm(directions, axis=1, keepdims=True))


def inside_half_space(atoms: np.ndarray, centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """True on one side of a random plane parallel to the beam."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.asarray((atoms[:, :2] - centre[:2]) @ np.array([np.cos(angle), np.sin(angle)]) < 0)


def _wedge(atoms: np.ndarray, box: np.ndarray, params: SolidParams) -> np.ndarray:
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
        inside = inside_rod(atoms, centre, radius, params.corners, rng)
    elif params.shape == "polyhedron":
        inside = inside_polyhedron(atoms, centre, radius, params.corners, rng)
    else:
        inside = inside_half_space(atoms, centre, rng)
    return inside if params.keep else ~inside


def _left(keep: np.ndarray, left: np.ndarray, atoms: np.ndarray, box: np.ndarray) -> np.ndarray:
    """What a further cut leaves, or all that there was if that were nothing in the field."""
    return keep & left if np.any(keep & left & _inside(atoms, box)) else left


def _inside(atoms: np.ndarray, box: np.ndarray) -> np.ndarray:
    """True within the field."""
    return np.asarray(np.all((atoms[:, :2] >= 0) & (atoms[:, :2] <= box[:2]), axis=1))


def _inside_hull(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    faces = ConvexHull(corners).equations
    return np.asarray(np.all(places @ faces[:, :-1].T + faces[:, -1] <= 0, axis=1))


def _disturbed(
    atoms: np.ndarray, numbers: np.ndarray, params: SolidParams, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    from ase.data import covalent_radii

    chosen = rng.uniform(size=len(atoms)) < params.defects
    off = rng.normal(0, 1, atoms.shape) * covalent_radii[numbers][:, None]
    if params.defect == "moved":
        return np.where(chosen[:, None], atoms + off, atoms), numbers
    if params.defect == "removed" and not chosen.all():
        return atoms[~chosen], numbers[~chosen]
    return atoms, numbers


def _body(kind: str, params: SolidParams, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell (3, 3), places (K, 3) and atomic numbers (K,) of a crystal or a glass."""
    if kind == "glass":
        return _glass(params, rng)
    for _ in range(12):
        given = RandomCrystalParams(
            space_group=params.space_group,
            numbers=tuple(int(number) for number in rng.integers(1, params.heaviest + 1, params.species)),
            lengths=tuple(rng.uniform(3.1, max(params.longest, 3.2), 3)),
            angles=tuple(rng.uniform(45, 120, 3)),
            least_distance=params.least_distance,
        )
        try:
            crystal = random_crystal(given, rng, ATTEMPTS)
        except AtomsegError:
            continue
        return np.asarray(crystal.cell.array), crystal.get_positions(), crystal.numbers
    return _glass(params, rng)


def _glass(params: SolidParams, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    least = min(params.least_distance, 1.6)
    box = (GLASS_PERIOD, GLASS_PERIOD, GLASS_PERIOD)
    for lightest in (1, 6, 20):
        number = int(rng.integers(min(lightest, params.heaviest), params.heaviest + 1))
        try:
            placed = amorphous(number, params.density, box, least, rng)
        except AtomsegError:
            continue
        if len(placed):
            return np.diag(box), placed, np.full(len(placed), number)
    placed = amorphous(6, 2.0, box, 1.2, rng)
    return np.diag(box), placed, np.full(len(placed), 6)


def _turn_about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation (3, 3) about a unit vector (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
