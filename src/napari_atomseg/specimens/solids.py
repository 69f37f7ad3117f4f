"""Random solids atom by atom: orientation, wedge, shapes, defects, support (Lobato et al., npj Comput. Mater. 10, 10 (2024)).

Positions are (x, y, z) in Angstrom with z along the beam. A glass is made once as a periodic cube, filled in like a
crystal and turned at random, which hides its period of 20 Angstrom.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
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
SHORTEST, CLOSEST = 3.1, 0.95
"""Shortest edge of a cell, and shortest distance of atoms in the paper, Angstrom."""
ZONES = ((0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))
"""The paper's "first eight main zone axes" are not listed; these are ours."""
_Radians = Annotated[float, Quantity(unit="rad", low=-7, high=7, decimals=4)]
_Part = Annotated[float, Quantity(low=0, high=1, decimals=3)]
_SpaceGroup = Annotated[int, Quantity(low=1, high=230)]
_Species = Annotated[int, Quantity(low=1, high=16)]
_Distance = Annotated[float, Quantity(unit="Å", low=0.1, high=1000)]
_Density = Annotated[float, Quantity(unit="g/cm3", low=0.01, high=30)]
_Slope = Annotated[float, Quantity(unit="rad", low=0, high=1.5, decimals=3)]
_Corners = Annotated[int, Quantity(low=3, high=50)]
_Wedge = Literal["none", "top", "bottom", "both"]
_Defect = Literal["none", "moved", "removed"]


@dataclass(frozen=True, kw_only=True)
class SlabParams:
    """A random crystal or glass between two surfaces.

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
        Between atoms of a crystal; less where it lets no cell be filled.
    glass_distance : float
        Between atoms of a glass.
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
        Direction in which it gets thinner, from x towards y.
    defect : none, moved or removed
        What happened to the atoms at random; moved ones are off by a normal number as wide as the atom's radius.
    defects : float
        Share of such atoms.
    """

    body: Literal["crystal", "glass"] = "crystal"
    space_group: _SpaceGroup = 225
    species: _Species = 1
    heaviest: Annotated[int, Quantity(low=1, high=103)] = 103
    longest: Angstrom = 12.0
    least_distance: _Distance = 1.6
    glass_distance: _Distance = 1.6
    density: _Density = 2.5
    zone_axis: bool = True
    mistilt: _Radians = 0.0
    mistilt_angle: _Radians = 0.0
    turn: _Radians = 0.0
    thickness: Angstrom = 50.0
    wedge: _Wedge = "none"
    wedge_slope: _Slope = 0.3
    wedge_angle: _Radians = 0.0
    defect: _Defect = "none"
    defects: _Part = 0.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class SolidParams(SlabParams):
    """A slab that may be cut into a shape, and what it lies on: another slab, made in the same way.

    Attributes
    ----------
    shape : none, rod, polyhedron or half_space
        Body with which the solid is cut.
    radius : float
        Of rod and polyhedron, in parts of the longest side of the field.
    rod_corners : int
        Of the rod's cross-section.
    corners : int
        Of the polyhedron, four at least.
    keep : bool
        Whether what lies inside stays, else what lies outside.
    support : none, crystal or glass
        What it lies on.
    support_space_group : int
        As of the solid, like all that follows.
    support_species : int
        Kinds of atoms.
    support_least_distance : float
        Between atoms of a crystal.
    support_glass_distance : float
        Between atoms of a glass.
    support_density : float, g/cm3
        Of a glass.
    support_zone_axis : bool
        Whether the beam runs near a main zone axis.
    support_mistilt : float, rad
        From the zone axis.
    support_mistilt_angle : float, rad
        Direction of the mistilt.
    support_turn : float, rad
        In-plane rotation.
    support_thickness : float
        Along the beam.
    support_wedge : none, top, bottom or both
        Surfaces that are cut askew.
    support_wedge_slope : float, rad
        Angle of a cut with the surface.
    support_wedge_angle : float, rad
        Direction in which it gets thinner.
    support_defect : none, moved or removed
        What happened to the atoms at random.
    support_defects : float
        Share of such atoms.
    """

    shape: Literal["none", "rod", "polyhedron", "half_space"] = "none"
    radius: Annotated[float, Quantity(low=1e-4, high=1, decimals=3)] = 0.25
    rod_corners: _Corners = 6
    corners: _Corners = 6
    keep: bool = True
    support: Literal["none", "crystal", "glass"] = "none"
    support_space_group: _SpaceGroup = 225
    support_species: _Species = 1
    support_least_distance: _Distance = 1.6
    support_glass_distance: _Distance = 1.6
    support_density: _Density = 2.5
    support_zone_axis: bool = True
    support_mistilt: _Radians = 0.0
    support_mistilt_angle: _Radians = 0.0
    support_turn: _Radians = 0.0
    support_thickness: Angstrom = 50.0
    support_wedge: _Wedge = "none"
    support_wedge_slope: _Slope = 0.3
    support_wedge_angle: _Radians = 0.0
    support_defect: _Defect = "none"
    support_defects: _Part = 0.0


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
    atoms, numbers, box = _slab(params, field, 2 * MOST_ATOMS // 3, rng)
    left = _left(_shape(atoms, box, params, rng), atoms, box)
    atoms, numbers = _disturbed(atoms[left], numbers[left], params, rng)
    if params.support != "none":
        support = _support(params)
        below, kinds, _ = _slab(support, field, MOST_ATOMS // 3, rng)
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
    """True for atoms that a cut from the entrance surface leaves.

    Parameters
    ----------
    atoms : ndarray, shape (N, 3), Å, (x, y, z)
        Depth z counts from the entrance surface.
    box : ndarray, shape (3,), Å, (x, y, z)
        Sides of the solid; the cut starts in the middle of its surface.
    slope : float, rad
        Angle of the cut with the surface.
    angle : float, rad
        Direction in which the cut gets deeper, from x towards y.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    along = (atoms[:, :2] - box[:2] / 2) @ np.array([np.cos(angle), np.sin(angle)])
    return np.asarray(atoms[:, 2] >= along * np.tan(slope))


def inside_rod(atoms: np.ndarray, centre: np.ndarray, radius: float, corners: int, rng: np.random.Generator) -> np.ndarray:
    """True inside an endless prism around a random axis, whose cross-section is a convex polygon.

    Parameters
    ----------
    atoms : ndarray, shape (N, 3), Å, (x, y, z)
    centre : ndarray, shape (3,), Å, (x, y, z)
        A point of the axis.
    radius : float, Å
        From the axis to the corners.
    corners : int
        Of the cross-section, 3 at least.
    rng : Generator
        Draws the axis and by how much the angles between corners differ.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    across = (atoms - centre) @ random_rotation(rng)[:, :2]
    angle = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
    return _inside_hull(across, radius * np.stack([np.cos(angle), np.sin(angle)], axis=1))


def inside_polyhedron(atoms: np.ndarray, centre: np.ndarray, radius: float, corners: int, rng: np.random.Generator) -> np.ndarray:
    """True inside the convex hull of random places on a sphere, four at least.

    Parameters
    ----------
    atoms : ndarray, shape (N, 3), Å, (x, y, z)
    centre : ndarray, shape (3,), Å, (x, y, z)
        Of the sphere.
    radius : float, Å
        Of the sphere.
    corners : int
        Places on the sphere.
    rng : Generator

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    directions = rng.normal(0, 1, (max(corners, 4), 3))
    return _inside_hull(atoms - centre, radius * directions / np.linalg.norm(directions, axis=1, keepdims=True))


def inside_half_space(atoms: np.ndarray, centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """True on one side of a random plane parallel to the beam.

    Parameters
    ----------
    atoms : ndarray, shape (N, 3), Å, (x, y, z)
    centre : ndarray, shape (3,), Å, (x, y, z)
        A point of the plane.
    rng : Generator
        Draws the direction of the plane in the image.

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    angle = rng.uniform(0, 2 * np.pi)
    return np.asarray((atoms[:, :2] - centre[:2]) @ np.array([np.cos(angle), np.sin(angle)]) < 0)


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


def _inside_hull(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    faces = ConvexHull(corners).equations
    return np.asarray(np.all(places @ faces[:, :-1].T + faces[:, -1] <= 0, axis=1))


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


def _turn_about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation (3, 3) about a unit vector (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
