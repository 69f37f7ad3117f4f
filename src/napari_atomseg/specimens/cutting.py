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
from napari_atomseg.core.quantities import Fraction, Quantity
from napari_atomseg.specimens.projection import THERMAL_WIDTH
from napari_atomseg.specimens.repetition import AUTO, Repetition, repeat_of, repetition
from napari_atomseg.specimens.zone_axis import completed, reduced

if TYPE_CHECKING:
    from ase import Atoms

WIDTH, MARGIN, BESIDE = 40.0, 10.0, 5.0
"""Field of a crystal unless one is given, atoms kept beside it, and vacuum beside what ends, Angstrom."""
IN_LINE = 0.2
"""Sine of an angle up to which a repeated axis counts as lying along the beam, mistilts included."""
MOST_ATOMS = 1_000_000
LARGEST_MOTIF = 8
"""Lattice vectors along which a rectangular period is looked for, in steps of the shortest ones."""
RIGHT_ANGLE = 1e-4
"""Cosine up to which two vectors are at a right angle: less than what any image shows."""
THERMAL = "thermal"
"""Array of rms displacements along one axis, Angstrom."""
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
        Of what is repeated along the beam; sheets across it and particles stay whole.
    repeat : str
        Auto repeats along the periodic axes that no empty slab of 4 Å cuts; none takes the atoms as they are; numbers such
        as 3,3,1 take so many cells, beyond which there is nothing.
    width_y, width_x : float
        Field of view; automatic is 40 Å of what is repeated and the whole of what ends.
    vacancies : float
        Share of the atoms that are missing, drawn at random.
    thermal : float
        Root mean square displacement u along one axis; the Debye-Waller factor is B = 8 pi2 u2. Automatic is that of the file,
        or else 0.08 Å.
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
    repeat: str = AUTO
    width_y: Annotated[float, Quantity(unit="Å", low=1, high=10_000, decimals=1)] | None = None
    width_x: Annotated[float, Quantity(unit="Å", low=1, high=10_000, decimals=1)] | None = None
    vacancies: Fraction = 0.0
    thermal: Annotated[float, Quantity(unit="Å", low=0, high=2, decimals=3)] | None = None
    thermal_of: str = ""
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        check(self)
        zone_of(self.zone_axis)
        repeat_of(self.repeat)
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
        What of it goes on beyond its cell, :func:`~napari_atomseg.specimens.repetition.repetition` tells; partial occupancies
        in an array ``occupancy``, own thermal displacements in ``thermal`` (Angstrom).
    params : CutParams

    Returns
    -------
    Atoms
        See the head of this module; with the array ``thermal``. The field begins at a lattice point of a crystal; what ends
        across the beam lies in its middle.

    Raises
    ------
    AtomsegError
        If the piece would hold no or too many atoms.
    """
    if len(structure) == 0:
        raise AtomsegError("the structure holds no atoms")
    rng = np.random.default_rng(params.seed)
    found = _piece(repetition(structure, params.repeat), params, rng)
    if params.vacancies > 0:
        found = found[rng.uniform(size=len(found)) >= params.vacancies]
    if len(found) == 0:
        raise AtomsegError("no atom lies in the field; choose a wider field, more thickness or fewer vacancies")
    return _vibrating(found, params)


def period(structure: Atoms, params: CutParams) -> Atoms | None:
    """One rectangular period, in x and y, of a crystal along its zone axis or of a sheet across the beam, if there is one.

    There is none of particles and wires, of turned, tilted or defective crystals, and of lattices whose vectors are nowhere at
    right angles in projection.
    """
    given = repetition(structure, params.repeat)
    zone = zone_of(params.zone_axis)
    if not params.straight or params.vacancies > 0 or not np.allclose(_occupancy(given.atoms), 1):
        return None
    if not (all(given.repeated) or _lies_flat(given, zone)):
        return None
    vectors, rectangular = _lattice(given.unit, zone)
    if not rectangular:
        return None
    width = (float(vectors[0, 0]), float(vectors[1, 1]))
    box = np.array([[0, width[0]], [0, width[1]]])
    frame, rng = _frame(given, zone), np.random.default_rng(params.seed)
    found = _filled(given, frame, _with_thickness(box, given, params), np.zeros(2), rng)
    found = _standing(found, width, given, params)
    found.pbc = (True, True, False)
    return _vibrating(found, params)


def has_thickness(structure: Atoms, params: CutParams) -> bool:
    """Whether a structure goes on along the beam, so that its piece is as thick as it is wanted to be."""
    return _goes_on(repetition(structure, params.repeat), zone_of(params.zone_axis))


def field_of(structure: Atoms, params: CutParams) -> tuple[float, float]:
    """Field of view (y, x) of the piece, Angstrom."""
    if params.width_y is not None and params.width_x is not None:
        return params.width_y, params.width_x
    return _field(repetition(structure, params.repeat), params)


def _field(given: Repetition, params: CutParams) -> tuple[float, float]:
    frame = _orientation(_frame(given, zone_of(params.zone_axis)), params)[:2]
    extent = np.ptp(given.atoms.positions @ frame.T, axis=0) + 2 * BESIDE
    # What is repeated along neither side of the image is shown whole.
    usual = np.where(np.diag(_across(given, frame)) < IN_LINE, extent, WIDTH)
    return params.width_y or float(usual[1]), params.width_x or float(usual[0])


def low_index_zones(structure: Atoms, number: int = 8) -> list[str]:
    """Zone axes with the shortest periods, fit to choose from; those that the lattice parameters cannot tell apart once.

    Of a sheet the axis that crosses it comes first.
    """
    steps = [np.array([u, v, w]) for u in range(3) for v in range(-2, 3) for w in range(-2, 3)]
    cell = structure.cell.complete().array
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
    zones = [",".join(map(str, zone)) for zone in list(seen.values())[:number]]
    repeated = repetition(structure).repeated
    crossing = [",".join(str(int(not goes_on)) for goes_on in repeated)] if sum(repeated) == 2 else []
    return list(dict.fromkeys([*crossing, *zones]))[:number]


def _piece(given: Repetition, params: CutParams, rng: np.random.Generator) -> Atoms:
    wide_y, wide_x = _field(given, params)
    frame = _orientation(_frame(given, zone_of(params.zone_axis)), params)
    places = given.atoms.positions @ frame[:2].T
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    shift = (np.array([wide_x, wide_y]) / 2 - middle) @ (np.eye(2) - _across(given, frame[:2]))
    box = np.array([[-MARGIN, wide_x + MARGIN], [-MARGIN, wide_y + MARGIN]])
    found = _filled(given, frame, _with_thickness(box, given, params), shift, rng)
    found = _standing(found, (wide_x, wide_y), given, params)
    found.pbc = False
    return found


def _goes_on(given: Repetition, zone: tuple[int, int, int]) -> bool:
    """Whether the direction [uvw] runs along repeated axes only."""
    return all(repeated or step == 0 for repeated, step in zip(given.repeated, zone, strict=True))


def _lies_flat(given: Repetition, zone: tuple[int, int, int]) -> bool:
    """Whether the beam falls at a right angle on a sheet, along its third axis."""
    if sum(given.repeated) != 2 or any(step for repeated, step in zip(given.repeated, zone, strict=True) if repeated):
        return False
    cell = given.atoms.cell.array
    along = cell[given.repeated.index(False)]
    sheet = cell[list(given.repeated)]
    return bool(np.all(np.abs(sheet @ along) < RIGHT_ANGLE * np.linalg.norm(sheet, axis=1) * np.linalg.norm(along)))


def _across(given: Repetition, frame: np.ndarray) -> np.ndarray:
    """Projector (2, 2) on the directions (x, y) of the image that the structure is repeated along; rows of the frame are x, y."""
    vectors = given.atoms.cell.array[list(given.repeated)]
    if len(vectors) == 0:
        return np.zeros((2, 2))
    flat = (vectors / np.linalg.norm(vectors, axis=1)[:, None]) @ frame.T
    _, sizes, directions = np.linalg.svd(flat, full_matrices=False)
    seen = directions[sizes > IN_LINE]
    return np.asarray(seen.T @ seen)


def _with_thickness(box: np.ndarray, given: Repetition, params: CutParams) -> np.ndarray:
    """A box of the field (2, 2), cut off along the beam too if the structure goes on there."""
    return np.vstack([box, [0, params.thickness]]) if _goes_on(given, zone_of(params.zone_axis)) else box


def _standing(found: Atoms, width: tuple[float, float], given: Repetition, params: CutParams) -> Atoms:
    """Atoms in a box (x, y) as high as they need; what ends along the beam begins near its entrance."""
    heights = found.positions[:, 2]
    if _goes_on(given, zone_of(params.zone_axis)):
        high = max(params.thickness, float(heights.max()) + 0.5 if len(found) else 0.0)
    else:
        high = float(np.ptp(heights)) + BESIDE if len(found) else BESIDE
        found.positions[:, 2] += BESIDE / 2 - (heights.min() if len(found) else 0.0)
    found.set_cell([*width, high])
    return found


def _filled(given: Repetition, frame: np.ndarray, box: np.ndarray, shift: np.ndarray, rng: np.random.Generator) -> Atoms:
    """Atoms of the endless structure in a box, Angstrom; rows of the frame are x, y and the beam.

    Parameters
    ----------
    given : Repetition
        A particle stays whole.
    frame : ndarray, shape (3, 3)
    box : ndarray, shape (2 or 3, 2)
        Lowest and highest x and y, and z if the structure ends there.
    shift : ndarray, shape (2,)
        By which it is moved along x and y.
    rng : Generator
        For sites that are filled by chance.
    """
    atoms = given.atoms
    lattice = atoms.cell.array[list(given.repeated)] @ frame.T
    motif = atoms.positions @ frame.T + np.append(shift, 0)
    cells = _cells_in(lattice, motif, box)
    places = ((cells @ lattice)[:, None] + motif).reshape(-1, 3)
    kind = np.tile(np.arange(len(atoms)), len(cells))
    inside = np.ones(len(places), dtype=bool)
    if any(given.repeated):
        sides = places[:, : len(box)]
        inside = np.all((sides >= box[:, 0] - AT_FACE) & (sides < box[:, 1] - AT_FACE), axis=1)
    occupancy = _occupancy(atoms)
    if not np.allclose(occupancy, 1):
        site = sites_of(motif)
        chance = rng.uniform(size=(len(cells), site.max() + 1))[:, site].ravel()
        low_share, high_share = _shares(occupancy, site)
        inside &= (chance >= low_share[kind]) & (chance < high_share[kind])
    return _atoms(atoms, kind[inside], places[inside])


def _cells_in(lattice: np.ndarray, motif: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Numbers (M, R) of the cells whose atoms may lie in a box, of a lattice of R vectors."""
    if len(lattice) == 0:
        return np.zeros((1, 0))
    inverse = np.linalg.pinv(lattice[:, : len(box)])
    corners = np.stack(np.meshgrid(*box, indexing="ij"), -1).reshape(-1, len(box))
    reach, own = corners @ inverse, motif[:, : len(box)] @ inverse
    low = np.floor(reach.min(axis=0) - own.max(axis=0)).astype(int)
    high = np.ceil(reach.max(axis=0) - own.min(axis=0)).astype(int)
    looked_at = expected = float(np.prod(high - low + 1.0)) * len(motif)
    if len(lattice) == len(box):
        expected = len(motif) * float(np.prod(np.ptp(box, axis=1)) / abs(np.linalg.det(lattice[:, : len(box)])))
    if expected > MOST_ATOMS or looked_at > 50 * MOST_ATOMS:
        raise AtomsegError(
            f"the piece would hold {expected:,.0f} atoms; a smaller field or thickness, up to {MOST_ATOMS:,} atoms, can be made"
        )
    numbers = np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij")
    return np.stack(numbers, -1).reshape(-1, len(lattice))


def _atoms(structure: Atoms, kinds: np.ndarray, places: np.ndarray) -> Atoms:
    """Atoms like those of a structure at other places, with the thermal motion that the structure knows."""
    from ase import Atoms as Structure

    found = Structure(structure.numbers[kinds], positions=places)
    if THERMAL in structure.arrays:
        found.set_array(THERMAL, structure.arrays[THERMAL][kinds])
    return found


def _vibrating(atoms: Atoms, params: CutParams) -> Atoms:
    """With the rms displacement of every atom: of its element, else of all, else of the file, else the usual one."""
    usual = np.full(len(atoms), THERMAL_WIDTH) if params.thermal is None else np.full(len(atoms), params.thermal)
    if params.thermal is None and THERMAL in atoms.arrays:
        usual = atoms.arrays[THERMAL]
    own = thermal_by_element(params.thermal_of)
    atoms.set_array(THERMAL, np.array([own.get(int(number), u) for number, u in zip(atoms.numbers, usual, strict=True)]))
    return atoms


def _occupancy(structure: Atoms) -> np.ndarray:
    given = structure.arrays.get("occupancy")
    return np.ones(len(structure)) if given is None else np.asarray(given, dtype=float)


def sites_of(places: np.ndarray) -> np.ndarray:
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


def _frame(given: Repetition, zone: tuple[int, int, int]) -> np.ndarray:
    """Rows x, y, z: the zone axis along z, and x along a lattice vector that has another one at a right angle, if any has."""
    return _frame_and_vectors(given.unit, zone)[0] if given.in_cell else _cartesian_frame(zone)


def _lattice(cell: np.ndarray, zone: tuple[int, int, int]) -> tuple[np.ndarray, bool]:
    """Two lattice vectors (2, 2) in projection, (x, y) along the axes of the frame, and whether they are at a right angle."""
    _, vectors, rectangular = _frame_and_vectors(cell, zone)
    return vectors, rectangular


def _frame_and_vectors(cell: np.ndarray, zone: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, bool]:
    along = np.array(zone) // gcd(*zone)
    vectors = completed(along) @ cell
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
