"""A piece of a structure as it lies in the microscope: zone axis along the beam, turned, tilted, of a thickness.

The result is atoms in a box with right angles, x first as everywhere in ase: the beam runs along +z and enters at z = 0, the
field of view is [0, Lx) x [0, Ly) of the cell. Where the field is a true period of the piece the box is periodic in x and y;
elsewhere atoms lie around the field too, so that a probe at its edge sees what is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, Annotated

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Fraction, Quantity
from napari_atomseg.specimens.cif import is_crystal
from napari_atomseg.specimens.projection import THERMAL_WIDTH
from napari_atomseg.specimens.zone_axis import completed, reduced

if TYPE_CHECKING:
    from ase import Atoms

WIDTH, MARGIN, BESIDE = 40.0, 10.0, 5.0
"""Field of a crystal unless one is given, atoms kept beside it, and vacuum beside a particle, Angstrom."""
MOST_ATOMS = 1_000_000
LARGEST_MOTIF = 8
"""Lattice vectors along which a rectangular period is looked for, in steps of the shortest ones."""
RIGHT_ANGLE = 1e-4
"""Cosine up to which two vectors are at a right angle: less than what any image shows."""
AT_FACE = 1e-4
"""Atoms so near to a face of the piece lie on it, Angstrom."""

_Tilt = Annotated[float, Quantity(unit="mrad", low=-3200, high=3200, decimals=1)]


@dataclass(frozen=True, kw_only=True)
class CutParams:
    """How a structure lies in the microscope, and how much of it there is.

    Attributes
    ----------
    zone_axis : str
        Direction [uvw] of the crystal along the beam, such as 1,1,0; of a particle, direction in its own x, y, z.
    rotation_deg : float
        In-plane rotation, from +x towards +y.
    tilt_y, tilt_x : float
        Mistilt: rotation about the y and the x axis of the image.
    thickness : float
        Of a crystal along the beam; particles stay whole.
    width_y, width_x : float
        Field of view; automatic is 40 Å of a crystal and the whole of a particle.
    vacancies : float
        Share of the atoms that are missing, drawn at random.
    thermal : float
        Root mean square displacement u along one axis; the Debye-Waller factor is B = 8 pi2 u2.
    thermal_of : str
        Others for single elements, such as Sr 0.07, O 0.09, in Å.
    seed : int
        Of vacancies and of mixed or partly filled sites.
    """

    zone_axis: str = "0,0,1"
    rotation_deg: Annotated[float, Quantity(unit="°", low=-360, high=360, decimals=2)] = 0.0
    tilt_y: _Tilt = 0.0
    tilt_x: _Tilt = 0.0
    thickness: Annotated[float, Quantity(unit="Å", low=0.1, high=10_000, decimals=1)] = 50.0
    width_y: Annotated[float, Quantity(unit="Å", low=1, high=10_000, decimals=1)] | None = None
    width_x: Annotated[float, Quantity(unit="Å", low=1, high=10_000, decimals=1)] | None = None
    vacancies: Fraction = 0.0
    thermal: Annotated[float, Quantity(unit="Å", low=0, high=2, decimals=3)] = THERMAL_WIDTH
    thermal_of: str = ""
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        check(self)
        zone_of(self.zone_axis)
        thermal_by_element(self.thermal_of)

    @property
    def straight(self) -> bool:
        """Whether the axes of the piece are those of the crystal."""
        return self.rotation_deg == 0 and self.tilt_y == 0 and self.tilt_x == 0


def zone_of(text: str) -> tuple[int, int, int]:
    """Direction [uvw] from a text: ``1,1,0``, ``[1 -1 0]``, ``110`` or ``1-10``.

    Raises
    ------
    AtomsegError
        If there are not three whole numbers, or all are zero.
    """
    inside = text.strip().strip("[]<>()")
    numbers = re.findall(r"[-+]?\d+", inside) if re.search(r"[\s,;]", inside) else re.findall(r"[-+]?\d", inside)
    if len(numbers) != 3 or re.sub(r"[-+\d\s,;]", "", inside):
        raise AtomsegError(f'"{text}" is no zone axis: write three whole numbers, such as 1,1,0 or 1,-1,0')
    u, v, w = (int(number) for number in numbers)
    if u == v == w == 0:
        raise AtomsegError("the zone axis is [0 0 0]; give a direction of the crystal, such as 1,1,0")
    return u, v, w


def thermal_by_element(text: str) -> dict[int, float]:
    """Root mean square displacements by atomic number, from a text such as ``Sr 0.07, O 0.09``.

    Raises
    ------
    AtomsegError
        If an element does not exist or a number is not one from 0 to 2 Angstrom.
    """
    from ase.data import atomic_numbers

    found = {}
    for part in filter(None, (piece.strip() for piece in re.split(r"[,;]", text))):
        match = re.fullmatch(r"([A-Z][a-z]?)\s*[:=]?\s*(\d*\.?\d+)", part)
        if match is None or match[1] not in atomic_numbers or not 0 <= float(match[2]) <= 2:
            raise AtomsegError(f'"{part}" is no thermal displacement: write an element and Angstrom from 0 to 2, such as Sr 0.07')
        found[atomic_numbers[match[1]]] = float(match[2])
    return found


def cut(structure: Atoms, params: CutParams) -> Atoms:
    """The piece of a structure that is in the microscope.

    Parameters
    ----------
    structure : Atoms
        A crystal (:func:`~napari_atomseg.specimens.cif.is_crystal`), or atoms that stay as they are but for their direction;
        partial occupancies in an array ``occupancy``.
    params : CutParams

    Returns
    -------
    Atoms
        See the head of this module; with the array ``thermal``. The field begins at a lattice point of a crystal; a particle
        lies in its middle.

    Raises
    ------
    AtomsegError
        If the piece would hold no or too many atoms.
    """
    if len(structure) == 0:
        raise AtomsegError("the structure holds no atoms")
    rng = np.random.default_rng(params.seed)
    found = _crystal_piece(structure, params, rng) if is_crystal(structure) else _particle_piece(structure, params, rng)
    if params.vacancies > 0:
        found = found[rng.uniform(size=len(found)) >= params.vacancies]
    if len(found) == 0:
        raise AtomsegError("no atom lies in the field; choose a wider field, more thickness or fewer vacancies")
    return _vibrating(found, params)


def period(structure: Atoms, params: CutParams) -> Atoms | None:
    """One rectangular period of a crystal along its zone axis, periodic in x and y, or None where there is none.

    There is none of particles, of turned, tilted or defective crystals, and of lattices whose vectors are nowhere at right
    angles in projection.
    """
    if not is_crystal(structure) or not params.straight or params.vacancies > 0 or not np.allclose(_occupancy(structure), 1):
        return None
    vectors, rectangular = _lattice(structure, zone_of(params.zone_axis))
    if not rectangular:
        return None
    width = (float(vectors[0, 0]), float(vectors[1, 1]))
    box = np.array([[0, width[0]], [0, width[1]], [0, params.thickness]])
    rng = np.random.default_rng(params.seed)
    found = _filled(structure, _frame(structure, zone_of(params.zone_axis)), box, rng)
    found.set_cell([*width, _height(found, params.thickness)])
    found.pbc = (True, True, False)
    return _vibrating(found, params)


def field_of(structure: Atoms, params: CutParams) -> tuple[float, float]:
    """Field of view (y, x) of the piece, Angstrom."""
    if params.width_y is not None and params.width_x is not None:
        return params.width_y, params.width_x
    usual = (WIDTH, WIDTH)
    if not is_crystal(structure):
        turned = structure.positions @ _orientation(_cartesian_frame(zone_of(params.zone_axis)), params).T
        extent = np.ptp(turned, axis=0) + 2 * BESIDE
        usual = (float(extent[1]), float(extent[0]))
    return params.width_y or usual[0], params.width_x or usual[1]


def low_index_zones(structure: Atoms, number: int = 8) -> list[str]:
    """Zone axes with the shortest periods, fit to choose from; those that the lattice parameters cannot tell apart once."""
    steps = [np.array([u, v, w]) for u in range(3) for v in range(-2, 3) for w in range(-2, 3)]
    cell = structure.cell.array
    seen: dict[tuple[float, float], tuple[int, int, int]] = {}

    # Of equal directions the one that people write: 0,0,1 and 1,1,0.
    def usual(step: np.ndarray) -> tuple[float, ...]:
        order = step[::-1] if np.count_nonzero(step) == 1 else step
        return (round(float(np.linalg.norm(step @ cell)), 6), float(np.any(step < 0)), *(-order))

    for step in sorted((one for one in steps if gcd(*map(int, one)) == 1), key=usual):
        vectors = completed(step) @ cell
        length = float(np.linalg.norm(vectors[2]))
        across = reduced(np.array([vector - (vector @ vectors[2]) / length**2 * vectors[2] for vector in vectors[:2]]))
        key = (round(length, 2), round(float(np.linalg.norm(across[0])), 2))
        seen.setdefault(key, (int(step[0]), int(step[1]), int(step[2])))
    return [",".join(map(str, zone)) for zone in list(seen.values())[:number]]


def _crystal_piece(structure: Atoms, params: CutParams, rng: np.random.Generator) -> Atoms:
    wide_y, wide_x = field_of(structure, params)
    frame = _orientation(_frame(structure, zone_of(params.zone_axis)), params)
    margin = MARGIN
    box = np.array([[-margin, wide_x + margin], [-margin, wide_y + margin], [0, params.thickness]])
    found = _filled(structure, frame, box, rng)
    found.set_cell([wide_x, wide_y, _height(found, params.thickness)])
    found.pbc = False
    return found


def _particle_piece(structure: Atoms, params: CutParams, rng: np.random.Generator) -> Atoms:
    found = structure.copy()
    found.set_array("occupancy", None)
    found = found[_chosen(_occupancy(structure), structure.positions, rng.uniform(size=len(structure)))]
    turned = found.positions @ _orientation(_cartesian_frame(zone_of(params.zone_axis)), params).T
    wide_y, wide_x = field_of(structure, params)
    low, high = turned.min(axis=0), turned.max(axis=0)
    middle = (low + high) / 2
    found.positions = turned - [middle[0] - wide_x / 2, middle[1] - wide_y / 2, low[2] - BESIDE / 2]
    found.set_cell([wide_x, wide_y, float(high[2] - low[2]) + BESIDE])
    found.pbc = False
    return found


def _filled(structure: Atoms, frame: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> Atoms:
    """Atoms of the endless crystal in a box (3, 2), Angstrom; rows of the frame are x, y and the beam."""
    lattice = structure.cell.array @ frame.T
    corners = np.array([[x, y, z] for x in box[0] for y in box[1] for z in box[2]])
    reach = corners @ np.linalg.inv(lattice)
    low, high = np.floor(reach.min(axis=0)).astype(int) - 1, np.ceil(reach.max(axis=0)).astype(int) + 1
    expected = np.prod(np.ptp(box, axis=1)) / abs(np.linalg.det(lattice)) * len(structure)
    looked_at = np.prod(high - low + 1.0) * len(structure)
    if expected > MOST_ATOMS or looked_at > 50 * MOST_ATOMS:
        raise AtomsegError(
            f"the piece would hold {expected:,.0f} atoms; a smaller field or thickness, up to {MOST_ATOMS:,} atoms, can be made"
        )
    cells = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    motif = structure.get_positions(wrap=True) @ frame.T
    places = (cells.reshape(-1, 1, 3) @ lattice + motif).reshape(-1, 3)
    inside = np.all((places >= box[:, 0] - AT_FACE) & (places < box[:, 1] - AT_FACE), axis=1)
    kind = np.tile(np.arange(len(structure)), len(places) // len(structure))
    if not np.allclose(_occupancy(structure), 1):
        site = _sites(motif)
        chance = rng.uniform(size=(len(places) // len(structure), site.max() + 1))[:, site].ravel()
        low_share, high_share = _shares(_occupancy(structure), site)
        inside &= (chance >= low_share[kind]) & (chance < high_share[kind])
    return _atoms(structure.numbers[kind[inside]], places[inside])


def _atoms(numbers: np.ndarray, places: np.ndarray) -> Atoms:
    from ase import Atoms as Structure

    return Structure(numbers, positions=places)


def _height(atoms: Atoms, thickness: Angstrom) -> float:
    """Of the box: room for the last atom."""
    return max(thickness, float(atoms.positions[:, 2].max()) + 0.5 if len(atoms) else thickness)


def _vibrating(atoms: Atoms, params: CutParams) -> Atoms:
    own = thermal_by_element(params.thermal_of)
    atoms.set_array("thermal", np.array([own.get(int(number), params.thermal) for number in atoms.numbers]))
    return atoms


def _occupancy(structure: Atoms) -> np.ndarray:
    given = structure.arrays.get("occupancy")
    return np.ones(len(structure)) if given is None else np.asarray(given, dtype=float)


def _chosen(occupancy: np.ndarray, places: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Which entries of mixed or partly filled sites are there, for one chance each of which the first of a site counts."""
    site = _sites(places)
    first = np.unique(site, return_index=True)[1]
    low, high = _shares(occupancy, site)
    return np.asarray((chance[first][site] >= low) & (chance[first][site] < high))


def _sites(places: np.ndarray) -> np.ndarray:
    """Number of the site of each entry: entries at the same place share one."""
    return np.unique(np.round(places, 3), axis=0, return_inverse=True)[1].reshape(-1)


def _shares(occupancy: np.ndarray, site: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part of a chance from 0 to 1 that falls to each entry: those of one site lie side by side."""
    low = np.zeros(len(occupancy))
    filled = np.zeros(site.max() + 1)
    for row, place in enumerate(site):
        low[row] = filled[place]
        filled[place] += occupancy[row]
    return low, low + occupancy


def _frame(structure: Atoms, zone: tuple[int, int, int]) -> np.ndarray:
    """Rows x, y, z: the zone axis along z, and x along a lattice vector that has another one at a right angle, if any has."""
    return _frame_and_vectors(structure, zone)[0]


def _lattice(structure: Atoms, zone: tuple[int, int, int]) -> tuple[np.ndarray, bool]:
    """Two lattice vectors (2, 2) in projection, (x, y) along the axes of the frame, and whether they are at a right angle."""
    _, vectors, rectangular = _frame_and_vectors(structure, zone)
    return vectors, rectangular


def _frame_and_vectors(structure: Atoms, zone: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, bool]:
    along = np.array(zone) // gcd(*zone)
    vectors = completed(along) @ structure.cell.array
    length = float(np.linalg.norm(vectors[2]))
    z = vectors[2] / length
    flat = np.array([vector - (vector @ z) * z for vector in vectors[:2]])
    across = reduced(flat)
    steps = np.rint(across @ np.linalg.pinv(flat))
    rise = np.mod(steps @ vectors[:2] @ z / length, 1.0)
    first, second, rectangular = _rectangle(across, rise)
    x = first / np.linalg.norm(first)
    y = np.cross(z, x)
    frame = np.stack([x, y, z])
    pair = np.array([first, second if second @ y > 0 else -second]) @ frame[:2].T
    return frame, pair, rectangular


def _rectangle(across: np.ndarray, rise: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """The smallest rectangle of translations at right angles to the beam, shorter side first, or the shortest two vectors.

    Parameters
    ----------
    across : ndarray, shape (2, 3), Angstrom
        The lattice in projection.
    rise : ndarray, shape (2,)
        Of its vectors along the beam, in periods: a translation within the plane rises by whole ones.
    """
    far = LARGEST_MOTIF
    steps = np.array([(i, j) for i in range(-far, far + 1) for j in range(far + 1) if (i, j) > (0, 0) or j > 0])
    height = steps @ rise
    vectors = steps[np.abs(height - np.rint(height)) < RIGHT_ANGLE] @ across
    length = np.linalg.norm(vectors, axis=1)
    square = np.abs(vectors @ vectors.T) < RIGHT_ANGLE * length[:, None] * length[None]
    area = np.where(square, length[:, None] * length[None], np.inf)
    if area.size == 0 or not np.isfinite(area.min()):
        return across[0], across[1], False
    row, column = np.unravel_index(int(np.argmin(area)), area.shape)
    short, long = sorted((int(row), int(column)), key=lambda one: float(length[one]))
    return vectors[short], vectors[long], True


def _cartesian_frame(zone: tuple[int, int, int]) -> np.ndarray:
    """Rows x, y, z with z along a direction; [0 0 1] changes nothing."""
    z = np.array(zone, dtype=float) / np.linalg.norm(zone)
    aside = np.array([1.0, 0.0, 0.0]) if abs(z[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = aside - (aside @ z) * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def _orientation(frame: np.ndarray, params: CutParams) -> np.ndarray:
    """The frame after rotation in the plane and mistilt: what the rows x, y, z of the microscope are in the structure."""
    turn, about_y, about_x = np.deg2rad(params.rotation_deg), params.tilt_y * 1e-3, params.tilt_x * 1e-3
    return np.asarray(_turn(about_x, 0) @ _turn(about_y, 1) @ _turn(turn, 2) @ frame)


def _turn(angle: float, axis: int) -> np.ndarray:
    """Right-handed rotation of column vectors (x, y, z) about an axis."""
    sine, cosine = np.sin(angle), np.cos(angle)
    first, second = ((axis + 1) % 3, (axis + 2) % 3)
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def with_field(params: CutParams, field: tuple[float, float]) -> CutParams:
    """The same piece with another field of view (y, x), Angstrom."""
    return replace(params, width_y=float(field[0]), width_x=float(field[1]))
