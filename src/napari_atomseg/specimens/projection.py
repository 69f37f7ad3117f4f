"""Atoms seen along the beam: what every image model starts from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.specimens.thermal_motion import THERMAL_WIDTH

SMEAR_STEP = 0.3
"""Distance at which parts of a smeared column cannot be told apart in any image, Angstrom."""
LEAST_SMEAR = 0.03
"""Length below which a column is drawn as upright, Angstrom: its variance of 1e-4 A2 is lost in that of the thermal motion."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """Atoms, or columns of equal atoms, in projection.

    Attributes
    ----------
    positions : ndarray, shape (N, 2), Angstrom, (y, x)
        From the centre of the first pixel of the field.
    numbers : ndarray of int, shape (N,)
        Atomic numbers.
    counts : ndarray, shape (N,)
        Atoms of that kind on top of each other; 1 for single atoms, less than 1 for partial occupancies.
    heights : ndarray, shape (N,), Angstrom
        Where they lie along the beam, the entrance surface being the smallest; the middle of a column.
    thermal : ndarray, shape (N,), Angstrom
        Root mean square displacement along one axis.
    smear : ndarray, shape (N, 2), Angstrom, (y, x)
        Over what length and direction a column that is out of the beam's direction is drawn out, about its position.
    field : tuple of float, Angstrom
        (y, x) of the field of view.
    """

    positions: np.ndarray
    numbers: np.ndarray
    counts: np.ndarray = None  # type: ignore[assignment]  # filled in below
    heights: np.ndarray = None  # type: ignore[assignment]
    thermal: np.ndarray = None  # type: ignore[assignment]
    smear: np.ndarray = None  # type: ignore[assignment]
    field: tuple[float, float] = field(default=(0.0, 0.0))

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, dtype=np.float64).reshape(-1, 2)
        count = len(positions)
        values = {
            "positions": positions,
            "numbers": np.asarray(self.numbers, dtype=int).reshape(-1),
            "counts": _given(self.counts, count, 1.0),
            "heights": _given(self.heights, count, 0.0),
            "thermal": _given(self.thermal, count, THERMAL_WIDTH),
            "smear": np.zeros((count, 2)) if self.smear is None else np.asarray(self.smear, dtype=float).reshape(-1, 2),
        }
        for name, value in values.items():
            if len(value) != count:
                raise ValueError(f"{count} positions, but {len(value)} {name}")
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.positions)

    def select(self, which: np.ndarray) -> Projection:
        """The atoms given by a mask or by indices."""
        return Projection(
            positions=self.positions[which],
            numbers=self.numbers[which],
            counts=self.counts[which],
            heights=self.heights[which],
            thermal=self.thermal[which],
            smear=self.smear[which],
            field=self.field,
        )

    def joined(self, other: Projection) -> Projection:
        """These atoms and the other ones, in the field of these."""
        return Projection(
            positions=np.concatenate([self.positions, other.positions]),
            numbers=np.concatenate([self.numbers, other.numbers]),
            counts=np.concatenate([self.counts, other.counts]),
            heights=np.concatenate([self.heights, other.heights]),
            thermal=np.concatenate([self.thermal, other.thermal]),
            smear=np.concatenate([self.smear, other.smear]),
            field=self.field,
        )

    def scattering(self, exponent: float) -> np.ndarray:
        r"""High-angle scattering of each entry, :math:`n Z^\gamma` in units of hydrogen's, shape (N,)."""
        return np.asarray(self.counts * self.numbers.astype(float) ** exponent)

    def drawn_out(self, step: Angstrom = SMEAR_STEP) -> Projection:
        r"""Columns that are out of the beam's direction as rows of narrower ones, for images; itself if there are none.

        Parameters
        ----------
        step : float, Angstrom
            At most so far apart.

        Notes
        -----
        A column of length L in projection becomes m of equal share at distance :math:`L / \sqrt{m^2 - 1}`, so that the second
        moment along L is :math:`L^2 / 12`, that of the even smear.
        """
        length = np.hypot(*self.smear.T)
        if not np.any(length > LEAST_SMEAR):
            return self
        parts = np.where(length > LEAST_SMEAR, np.ceil(np.hypot(length / step, 1.0)), 1).astype(int)
        whole = np.repeat(np.arange(len(self)), parts)
        place = np.arange(len(whole)) - np.repeat(np.cumsum(parts) - parts, parts)
        share = parts[whole]
        along = (place - (share - 1) / 2) / np.sqrt(np.maximum(share**2 - 1, 1))
        found = self.select(whole)
        return replace(
            found,
            positions=found.positions + along[:, None] * found.smear,
            counts=found.counts / share,
            smear=np.zeros((len(whole), 2)),
        )


def _given(values: np.ndarray | None, count: int, usual: float) -> np.ndarray:
    return np.full(count, usual) if values is None else np.asarray(values, dtype=float).reshape(-1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnTruth:
    """Columns that an image can show at best.

    Attributes
    ----------
    positions : ndarray, shape (N, 2), Angstrom, (y, x)
        Centres of mass, weighted by scattering.
    scattering : ndarray, shape (N,)
        Sum of n Z^gamma.
    counts : ndarray, shape (N,)
        Number of atoms.
    column : ndarray of int, shape (M,)
        Column of each atom of the projection.
    """

    positions: np.ndarray
    scattering: np.ndarray
    counts: np.ndarray
    column: np.ndarray


def columns_of(atoms: Projection, exponent: float = 1.7, reach: Angstrom = 0.6) -> ColumnTruth:
    """Columns: atoms that are linked by steps of less than `reach` in projection (single linkage).

    Parameters
    ----------
    atoms : Projection
    exponent : float
        Of the atomic number, 1.7 for high-angle detectors.
    reach : float, Angstrom
    """
    weight = atoms.scattering(exponent)
    if len(atoms) == 0:
        return ColumnTruth(positions=np.zeros((0, 2)), scattering=weight, counts=weight, column=np.zeros(0, int))
    pairs = cKDTree(atoms.positions).query_pairs(reach, output_type="ndarray")
    links = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(atoms),) * 2)
    count, column = connected_components(links, directed=False)
    total = np.bincount(column, weight, minlength=count)
    safe = np.where(total > 0, total, 1.0)
    centre = [np.bincount(column, weight * atoms.positions[:, axis], minlength=count) / safe for axis in (0, 1)]
    return ColumnTruth(
        positions=np.stack(centre, axis=1),
        scattering=total,
        counts=np.bincount(column, atoms.counts, minlength=count),
        column=column,
    )
