"""Atoms of a sheet moved until the springs between neighbours are at rest, as far as they can be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

BEND = 0.25
"""Stiffness of the distance between two neighbours of one atom, in units of that of a bond."""
STEP = 0.12


def relaxed(atoms: np.ndarray, bond: float, reach: float, steps: int, period: np.ndarray | None = None) -> np.ndarray:
    r"""Atoms (N, 2) downhill in :math:`\frac12\sum (r - b)^2` over bonds and, less stiff, :math:`(r - \sqrt3 b)^2` across angles.

    Parameters
    ----------
    atoms : ndarray, shape (N, 2), Angstrom
    bond : float, Angstrom
    reach : float
        Atoms nearer than so many bonds are neighbours.
    steps : int
    period : ndarray, shape (2,), Angstrom, optional
        Of a field that repeats itself.
    """
    if steps == 0 or len(atoms) < 3:
        return atoms
    inside = atoms if period is None else atoms % period
    bonds = cKDTree(inside, boxsize=period).query_pairs(reach * bond, output_type="ndarray")
    angles = _across(bonds, len(atoms))
    pairs = np.concatenate([bonds, angles])
    rest = np.concatenate([np.full(len(bonds), bond), np.full(len(angles), np.sqrt(3) * bond)])
    stiffness = np.concatenate([np.ones(len(bonds)), np.full(len(angles), BEND)])
    moved = inside.copy()
    for _ in range(steps):
        apart = moved[pairs[:, 0]] - moved[pairs[:, 1]]
        if period is not None:
            apart -= period * np.rint(apart / period)
        length = np.maximum(np.hypot(*apart.T), 1e-6)
        pull = (STEP * stiffness * (rest - length) / length)[:, None] * apart
        np.add.at(moved, pairs[:, 0], pull)
        np.add.at(moved, pairs[:, 1], -pull)
    return moved


def _across(bonds: np.ndarray, count: int) -> np.ndarray:
    """Pairs of neighbours of the same atom, (M, 2)."""
    both = np.concatenate([bonds, bonds[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    starts = np.searchsorted(both[:, 0], np.arange(count + 1))
    found = [
        (both[first + one, 1], both[first + other, 1])
        for first, last in pairwise(starts)
        for one in range(last - first)
        for other in range(one)
    ]
    return np.array(found, int).reshape(-1, 2)
