"""The frame of the microscope in a structure: zone axis along the beam, turned in the plane, tilted."""

from __future__ import annotations

from math import gcd

import numpy as np

from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.repetition import Repetition
from napari_atomseg.specimens.zone_axis import completed, reduced

LARGEST_MOTIF = 8
"""Lattice vectors along which a rectangular period is looked for, in steps of the shortest ones."""
RIGHT_ANGLE = 1e-4
"""Cosine up to which two vectors are at a right angle: less than what any image shows."""


def frame_of_zone(given: Repetition, zone: tuple[int, int, int]) -> np.ndarray:
    """Rows x, y, z: the zone axis along z, and x along a lattice vector that has another one at a right angle, if any has.

    Parameters
    ----------
    given : Repetition
    zone : tuple of int
        Direction [uvw] along the beam; of a particle in its own x, y, z.

    Returns
    -------
    frame : ndarray, shape (3, 3)
    """
    return _frame_and_vectors(given.unit, zone)[0] if given.in_cell else _cartesian_frame(zone)


def lattice_across(cell: np.ndarray, zone: tuple[int, int, int]) -> tuple[np.ndarray, bool]:
    """Two lattice vectors (2, 2) in projection, (x, y) along the axes of the frame, and whether they are at a right angle.

    Parameters
    ----------
    cell : ndarray, shape (3, 3), Angstrom
        One lattice vector a row.
    zone : tuple of int
        Direction [uvw] along the beam.
    """
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


def oriented(frame: np.ndarray, params: CutParams) -> np.ndarray:
    """The frame after rotation in the plane and mistilt: what the rows x, y, z of the microscope are in the structure.

    Parameters
    ----------
    frame : ndarray, shape (3, 3)
        Rows x, y and the beam.
    params : CutParams
        Whose rotation (degrees) and mistilts (mrad) are applied.
    """
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
