"""Bodies with which solids are cut, as true for the atoms inside."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull

from napari_atomseg.specimens.rotations import random_rotation


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


def _inside_hull(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    faces = ConvexHull(corners).equations
    return np.asarray(np.all(places @ faces[:, :-1].T + faces[:, -1] <= 0, axis=1))
