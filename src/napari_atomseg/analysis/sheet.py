"""What the rings and bonds of a sheet say: how many polygons of each size, how long bonds are, what is missing where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_atomseg.analysis.rings import MOST_BONDS, Ring, bonds_of, rings_of

DENSITY = 0.382
"""Atoms of graphene per square Angstrom."""
NAMED = (5, 6, 7, 8)
"""Polygons that are counted by their size; others together."""
BORDER = 2.5
"""Atoms nearer to the border of the image than this may have neighbours outside, Angstrom."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetMeasures:
    """A sheet, measured.

    Attributes
    ----------
    rings : list of Ring
        Centres in Angstrom.
    missing : ndarray of int, shape (R,)
        Atoms that each ring has room for.
    bonds : ndarray of int, shape (M, 2)
    lengths : ndarray, shape (M,), Angstrom
    neighbours : ndarray of int, shape (N,)
        Bonds of each atom.
    edge : ndarray of bool, shape (N,)
        Atoms short of a neighbour, those at the border of the image left out.
    stone_wales : int
        Rotated bonds: shared by two heptagons, with a pentagon at either end.
    """

    rings: list[Ring]
    missing: np.ndarray
    bonds: np.ndarray
    lengths: np.ndarray
    neighbours: np.ndarray
    edge: np.ndarray
    stone_wales: int

    def numbers(self) -> dict[str, float | int | None]:
        """Whole-image numbers by name; lengths in Angstrom, unknown ones None."""
        sizes = np.array([ring.size for ring in self.rings], int)
        counts = {f"rings_of_{size}": int((sizes == size).sum()) for size in NAMED}
        known = len(self.lengths) > 1
        spread = float(self.lengths.std(ddof=1)) if known else None
        return {
            **counts,
            "rings_of_others": int((~np.isin(sizes, NAMED)).sum()),
            "stone_wales_defects": self.stone_wales,
            "missing_atoms": int(self.missing.sum()),
            "edge_atoms": int(self.edge.sum()),
            "bonds": len(self.lengths),
            "bond_length_angstrom": float(self.lengths.mean()) if known else None,
            "bond_length_angstrom_std": spread / float(np.sqrt(len(self.lengths))) if spread is not None else None,
            "bond_length_spread_angstrom": spread,
        }


def measure_sheet(positions: np.ndarray, field: tuple[float, float]) -> SheetMeasures:
    """Rings and bonds of atoms in an image.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), Angstrom, (y, x)
        From the centre of the first pixel.
    field : tuple of float, Angstrom
        (y, x) of the image.
    """
    positions = np.asarray(positions, float).reshape(-1, 2)
    bonds = bonds_of(positions)
    rings = rings_of(positions, bonds)
    neighbours = np.bincount(bonds.ravel(), minlength=len(positions))
    inside = np.all((positions > BORDER) & (positions < np.array(field) - BORDER), axis=1)
    return SheetMeasures(
        rings=rings,
        missing=np.array([missing_in(positions[ring.atoms]) for ring in rings], int),
        bonds=bonds,
        lengths=np.hypot(*(positions[bonds[:, 0]] - positions[bonds[:, 1]]).T),
        neighbours=neighbours,
        edge=(neighbours < MOST_BONDS) & inside,
        stone_wales=stone_wales(rings),
    )


def missing_in(corners: np.ndarray) -> int:
    r"""Atoms that a polygon (K, 2), Angstrom, has room for.

    By its area A and the density of graphene :math:`\rho` as for points on a lattice, :math:`\rho A - K / 2 + 1` (Pick, 1899): 0
    for a hexagon, 1 for the twelve corners about a vacancy. Pentagons and heptagons have room for none.
    """
    y, x = corners.T
    area = abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2
    return max(0, round(DENSITY * area - len(corners) / 2 + 1))


def stone_wales(rings: list[Ring]) -> int:
    """Bonds that two heptagons share, with a pentagon at either end."""
    pentagons = {int(atom) for ring in rings if ring.size == 5 for atom in ring.atoms}
    heptagons: dict[tuple[int, int], int] = {}
    for ring in rings:
        if ring.size == 7:
            for first, second in zip(ring.atoms, np.roll(ring.atoms, -1), strict=True):
                bond = (min(int(first), int(second)), max(int(first), int(second)))
                heptagons[bond] = heptagons.get(bond, 0) + 1
    return sum(count == 2 and set(bond) <= pentagons for bond, count in heptagons.items())
