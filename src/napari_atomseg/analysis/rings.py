"""Bonds and rings of a sheet: which atoms are neighbours, and the polygons that the bonds enclose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

BOND_REACH = 1.85
"""Atoms of carbon nearer than this are bonded, Angstrom: between a bond of 1.42 and next neighbours at 2.46, less what errors of
positions make of the latter."""
MOST_BONDS = 3
"""Of an atom: sp2 carbon has three."""
LARGEST = 24
"""Polygons of more corners than this are holes, or what lies around the sheet."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ring:
    """A polygon of bonds.

    Attributes
    ----------
    atoms : ndarray of int, shape (K,)
        Corners in order, numbers of the atoms.
    centre : ndarray, shape (2,)
        Mean of the corners, (y, x), in the unit of the positions.
    """

    atoms: np.ndarray
    centre: np.ndarray

    @property
    def size(self) -> int:
        """Number of corners."""
        return len(self.atoms)


def bonds_of(positions: np.ndarray, reach: float = BOND_REACH) -> np.ndarray:
    """Pairs of bonded atoms, of int, shape (M, 2), the shortest first.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), Angstrom, (y, x)
    reach : float, Angstrom

    Notes
    -----
    Bonds are taken from the shortest up as long as both atoms have one left.
    """
    pairs = cKDTree(positions).query_pairs(reach, output_type="ndarray") if len(positions) else np.zeros((0, 2), int)
    length = np.hypot(*(positions[pairs[:, 0]] - positions[pairs[:, 1]]).T)
    free = np.full(len(positions), MOST_BONDS)
    kept = []
    for first, second in pairs[np.argsort(length, kind="stable")]:
        if free[first] and free[second]:
            free[[first, second]] -= 1
            kept.append((first, second))
    return np.array(kept, int).reshape(-1, 2)


def rings_of(positions: np.ndarray, bonds: np.ndarray, largest: int = LARGEST) -> list[Ring]:
    """Polygons that the bonds enclose, none with more corners than `largest`.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), (y, x)
    bonds : ndarray of int, shape (M, 2)

    Notes
    -----
    Faces of a plane graph: arrived at an atom, one goes on along the next bond to the left until one is back. The outside is gone
    round in the other sense and left out; so is what has a loose end in it, which is gone along twice.
    """
    onward = _next_to_the_left(positions, bonds)
    unseen = set(onward)
    found = []
    while unseen:
        edge = start = unseen.pop()
        corners = [edge[0]]
        while (edge := onward[edge]) != start:
            unseen.discard(edge)
            corners.append(edge[0])
        if 3 <= len(corners) <= largest and len(set(corners)) == len(corners) and _area(positions[corners]) > 0:
            atoms = np.array(corners)
            found.append(Ring(atoms=np.roll(atoms, -int(atoms.argmin())), centre=positions[atoms].mean(axis=0)))
    return sorted(found, key=lambda ring: tuple(ring.atoms))


def _next_to_the_left(positions: np.ndarray, bonds: np.ndarray) -> dict[tuple[int, int], tuple[int, int]]:
    """For each bond in each direction the one that follows it around a face."""
    neighbours: dict[int, list[int]] = {}
    for first, second in bonds.tolist():
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    onward = {}
    for atom, around in neighbours.items():
        apart = positions[around] - positions[atom]
        turning = [around[place] for place in np.argsort(np.arctan2(apart[:, 0], apart[:, 1]))]
        for place, other in enumerate(turning):
            onward[other, atom] = (atom, turning[place - 1])
    return onward


def _area(corners: np.ndarray) -> float:
    """Area of a polygon, positive if it is gone round with the angle from +x to +y growing."""
    y, x = corners.T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def defects_of(positions: np.ndarray, bonds: np.ndarray, rings: list[Ring]) -> np.ndarray:
    """Atoms short of a neighbour, or in a ring that is no hexagon; bool, shape (N,).

    Parameters
    ----------
    positions : ndarray, shape (N, 2), Angstrom
    bonds : ndarray of int, shape (B, 2)
        Pairs of atoms.
    rings : list of Ring
    """
    broken = np.bincount(bonds.ravel(), minlength=len(positions)) < MOST_BONDS
    for ring in rings:
        if ring.size != 6:
            broken[ring.atoms] = True
    return broken
