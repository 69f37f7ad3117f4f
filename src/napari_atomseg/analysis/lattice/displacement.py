"""How far each column is from the straight lattice that fits one sublattice of its grain best."""

from __future__ import annotations

import numpy as np

from napari_atomseg.analysis.lattice.indexed import Indexed


def displacements(grain: Indexed, sublattice: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """From the lattice to the columns, and one standard deviation: two arrays of shape (N, 2), Angstrom, (y, x).

    Parameters
    ----------
    grain : Indexed
        With the mean vectors of the sublattice.
    sublattice : int
        That the lattice is fitted to.

    Notes
    -----
    The vectors are those of one sublattice by plain least squares, the place of every other one in the cell is its mean. So a
    uniform strain, rotation or shift of a sublattice is no displacement. With the hat matrix H of such a fit the variance is
    the diagonal of (1 - H) S (1 - H), where S holds the variances of the positions; of other sublattices the errors of
    the vectors and of the mean are added.
    """
    moved = grain.positions - grain.indices @ grain.basis
    rest, variance = np.empty_like(moved), np.empty_like(moved)
    usual = np.nanmedian(grain.std, axis=0)
    known = np.where(np.isfinite(grain.std), grain.std, usual) ** 2
    own = grain.site == sublattice
    centre = grain.indices[own].mean(axis=0)
    design = grain.indices[own] - centre
    inverse = np.linalg.inv(design.T @ design)
    for site in np.unique(grain.site):
        rows = np.flatnonzero(grain.site == site)
        rest[rows] = moved[rows] - moved[rows].mean(axis=0)
        apart = grain.indices[rows] - grain.indices[rows].mean(axis=0)
        leverage = 1.0 / len(rows)
        if site == sublattice:
            leverage = leverage + np.einsum("na,ab,nb->n", apart, inverse, apart)
        for axis in (0, 1):
            of_basis = inverse @ (design.T * known[own, axis]) @ design @ inverse
            shared = np.einsum("na,ab,nb->n", apart, of_basis, apart) + known[rows, axis].mean() / len(rows)
            variance[rows, axis] = grain.std[rows, axis] ** 2 * (1 - 2 * leverage) + shared
    return rest, np.sqrt(np.maximum(variance, 0))
