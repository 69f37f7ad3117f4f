"""Rotations of crystals: a zone axis along the beam, tilted and turned, or any."""

from __future__ import annotations

import numpy as np


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


def _turn_about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation (3, 3) about a unit vector (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)
