"""A piece of a structure as it lies in the microscope: zone axis along the beam, turned, tilted, of a thickness.

The result is atoms in a box with right angles, x first as everywhere in ase: the beam runs along +z and enters at z = 0, the
field of view is [0, Lx) x [0, Ly) of the cell. Where the field is a true period of the piece the box is periodic in x and y;
elsewhere atoms lie around the field too, so that a probe at its edge sees what is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.direction import parse_zone_axis
from napari_atomseg.specimens.filling import filled, occupancy_of
from napari_atomseg.specimens.orientation import RIGHT_ANGLE, frame_of_zone, lattice_across, oriented
from napari_atomseg.specimens.repetition import Repetition, repetition
from napari_atomseg.specimens.thermal_motion import with_thermal_motion

if TYPE_CHECKING:
    from ase import Atoms

WIDTH, MARGIN, BESIDE = 40.0, 10.0, 5.0
"""Field of a crystal unless one is given, atoms kept beside it, and vacuum beside what ends, Angstrom."""
IN_LINE = 0.2
"""Sine of an angle up to which a repeated axis counts as lying along the beam, mistilts included."""


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
    return with_thermal_motion(found, params.thermal, params.thermal_of)


def period(structure: Atoms, params: CutParams) -> Atoms | None:
    """One rectangular period, in x and y, of a crystal along its zone axis or of a sheet across the beam, if there is one.

    There is none of particles and wires, of turned, tilted or defective crystals, and of lattices whose vectors are nowhere at
    right angles in projection.

    Parameters
    ----------
    structure : Atoms
    params : CutParams

    Returns
    -------
    period : Atoms or None
        In a box that is periodic in x and y.
    """
    given = repetition(structure, params.repeat)
    zone = parse_zone_axis(params.zone_axis)
    if not params.straight or params.vacancies > 0 or not np.allclose(occupancy_of(given.atoms), 1):
        return None
    if not (all(given.repeated) or _lies_flat(given, zone)):
        return None
    vectors, rectangular = lattice_across(given.unit, zone)
    if not rectangular:
        return None
    width = (float(vectors[0, 0]), float(vectors[1, 1]))
    box = np.array([[0, width[0]], [0, width[1]]])
    frame, rng = frame_of_zone(given, zone), np.random.default_rng(params.seed)
    found = filled(given, frame, _with_thickness(box, given, params), np.zeros(2), rng)
    found = _standing(found, width, given, params)
    found.pbc = (True, True, False)
    return with_thermal_motion(found, params.thermal, params.thermal_of)


def has_thickness(structure: Atoms, params: CutParams) -> bool:
    """Whether a structure goes on along the beam, so that its piece is as thick as it is wanted to be.

    Parameters
    ----------
    structure : Atoms
    params : CutParams
        Whose zone axis and repetition are used.
    """
    return _goes_on(repetition(structure, params.repeat), parse_zone_axis(params.zone_axis))


def field_of(structure: Atoms, params: CutParams) -> tuple[float, float]:
    """Field of view (y, x) of the piece, Angstrom.

    Parameters
    ----------
    structure : Atoms
    params : CutParams
    """
    if params.width_y is not None and params.width_x is not None:
        return params.width_y, params.width_x
    return _field(repetition(structure, params.repeat), params)


def _field(given: Repetition, params: CutParams) -> tuple[float, float]:
    frame = oriented(frame_of_zone(given, parse_zone_axis(params.zone_axis)), params)[:2]
    extent = np.ptp(given.atoms.positions @ frame.T, axis=0) + 2 * BESIDE
    # What is repeated along neither side of the image is shown whole.
    usual = np.where(np.diag(_across(given, frame)) < IN_LINE, extent, WIDTH)
    return params.width_y or float(usual[1]), params.width_x or float(usual[0])


def _piece(given: Repetition, params: CutParams, rng: np.random.Generator) -> Atoms:
    wide_y, wide_x = _field(given, params)
    frame = oriented(frame_of_zone(given, parse_zone_axis(params.zone_axis)), params)
    places = given.atoms.positions @ frame[:2].T
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    shift = (np.array([wide_x, wide_y]) / 2 - middle) @ (np.eye(2) - _across(given, frame[:2]))
    box = np.array([[-MARGIN, wide_x + MARGIN], [-MARGIN, wide_y + MARGIN]])
    found = filled(given, frame, _with_thickness(box, given, params), shift, rng)
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
    return np.vstack([box, [0, params.thickness]]) if _goes_on(given, parse_zone_axis(params.zone_axis)) else box


def _standing(found: Atoms, width: tuple[float, float], given: Repetition, params: CutParams) -> Atoms:
    """Atoms in a box (x, y) as high as they need; what ends along the beam begins near its entrance."""
    heights = found.positions[:, 2]
    if _goes_on(given, parse_zone_axis(params.zone_axis)):
        high = max(params.thickness, float(heights.max()) + 0.5 if len(found) else 0.0)
    else:
        high = float(np.ptp(heights)) + BESIDE if len(found) else BESIDE
        found.positions[:, 2] += BESIDE / 2 - (heights.min() if len(found) else 0.0)
    found.set_cell([*width, high])
    return found
