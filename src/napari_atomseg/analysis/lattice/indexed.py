"""Columns of one grain by cell and site, in Angstrom, with the errors of their positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_atomseg.analysis.lattice.lattice import Lattice
from napari_atomseg.analysis.lattice.straight_lattice import straight_lattice
from napari_atomseg.core.columns import NETWORK_STD, Columns
from napari_atomseg.core.errors import AtomsegError

_MARGIN = 6  # cells around the grain, so that neighbours may be looked up beyond its edge
_BY_CHANCE = 1.0  # excess that noise alone shows at times, times the root of the number of columns
_PARAMETERS = 3  # of a lattice, along each axis


@dataclass(frozen=True, kw_only=True, eq=False)
class Indexed:
    """Columns on the sites of one grain.

    Attributes
    ----------
    rows : ndarray of int, shape (N,)
        In the table of columns.
    positions : ndarray, shape (N, 2), Angstrom, (y, x)
    std : ndarray, shape (N, 2), Angstrom, (y, x)
        One standard deviation of each; NaN where unknown.
    indices : ndarray of int, shape (N, 2)
        Cell of each column.
    site : ndarray of int, shape (N,)
        Row of the motif.
    basis, basis_std : ndarrays, shape (2, 2), Angstrom
        Mean lattice vectors of one sublattice, one (y, x) in each row, and their standard errors from sixteen parts of the
        grain. Polar sublattices would draw the lattice out at domain walls.
    motif : ndarray, shape (K, 2)
        In units of the basis.
    excess : float
        By what factor columns scatter about their neighbourhood more than the errors of their fits say, at least 1; `std`
        is multiplied by it already. NaN where no column has an error: then `std` is that scatter.
    """

    rows: np.ndarray
    positions: np.ndarray
    std: np.ndarray
    indices: np.ndarray
    site: np.ndarray
    basis: np.ndarray
    basis_std: np.ndarray
    motif: np.ndarray
    excess: float = 1.0

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Row of this grain by site and cell, (K, U, V) with -1 where there is none, and the cell of its first entry."""
        low = self.indices.min(axis=0) - _MARGIN
        shape = self.indices.max(axis=0) - low + _MARGIN + 1
        table = np.full((len(self.motif), *shape), -1)
        table[(self.site, *(self.indices - low).T)] = np.arange(len(self.rows))
        return table, low

    def scaled(self, excess: float) -> Indexed:
        """The same with the errors as the scatter shows them to be; see `excess`."""
        if not np.isfinite(self.std).any():
            return replace(self, std=np.full(self.std.shape, excess), excess=np.nan)
        # As much more comes by chance.
        usual = 1 + _BY_CHANCE / np.sqrt(np.bincount(self.site).max())
        factor = excess if excess > usual else 1.0
        return replace(self, std=self.std * factor, excess=factor)


def indexed(columns: Columns, lattice: Lattice, size: tuple[float, float], sublattice: int = 0) -> Indexed:
    """Columns on the sites of a lattice.

    Parameters
    ----------
    columns : Columns
        That the lattice was estimated from.
    lattice : Lattice
    size : tuple of float, Angstrom, (y, x)
        Pixel size.
    sublattice : int
        That the mean vectors are fitted to.

    Raises
    ------
    AtomsegError
        If there is no such sublattice, or too few columns are on it.
    """
    kinds = len(lattice.motif)
    if sublattice >= kinds:
        raise AtomsegError(f"there is no sublattice {sublattice}: the cell has {kinds}, numbered from 0")
    rows = np.flatnonzero(lattice.site >= 0)
    scale = np.asarray(size, float)
    std = position_std(columns)[rows] * scale
    # Errors of a few columns only say nothing of the others.
    if np.mean(np.isfinite(std).all(axis=1)) < 0.5:
        std = np.full(std.shape, np.nan)
    positions = columns.positions[rows] * scale
    mine = lattice.site[rows] == sublattice
    places = np.column_stack([lattice.indices[rows][mine], np.ones(np.count_nonzero(mine))])
    if len(places) <= _PARAMETERS or np.linalg.matrix_rank(places) < _PARAMETERS:
        raise AtomsegError(
            f"only {len(places)} columns are on sublattice {sublattice}, or all in one row; find more, or choose another one"
        )
    basis, _, basis_std = straight_lattice(positions[mine], lattice.indices[rows][mine], np.zeros(len(places), int))
    return Indexed(
        rows=rows,
        positions=positions,
        std=std,
        indices=lattice.indices[rows],
        site=lattice.site[rows],
        basis=basis,
        basis_std=basis_std,
        motif=lattice.motif,
    )


def position_std(columns: Columns) -> np.ndarray:
    """One standard deviation of y and x, px: that of the fit, else what a network's map says; NaN if unknown; shape (N, 2).

    Parameters
    ----------
    columns : Columns
    """
    table = columns.features
    fitted = table[["y_std_px", "x_std_px"]].to_numpy(float)
    network = table[NETWORK_STD].to_numpy(float) if NETWORK_STD in table else np.full(len(columns), np.nan)
    std = np.where(np.isfinite(fitted), fitted, network[:, None])
    return np.asarray(np.where(std > 0, std, np.nan))
