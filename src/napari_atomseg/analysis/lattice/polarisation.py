"""How far each column is from the centre of its neighbours on another sublattice."""

from __future__ import annotations

import numpy as np

from napari_atomseg.analysis.lattice.indexed import Indexed

_SHELL = 1.25  # of the shortest distance: what is farther is no nearest neighbour, what is nearer is one in spite of a shift


def polarisation(grain: Indexed, sublattice: int) -> tuple[np.ndarray, np.ndarray]:
    """From the centroid of the neighbours to the column, and one standard deviation: (N, 2), Angstrom, (y, x).

    Parameters
    ----------
    grain : Indexed
    sublattice : int
        Whose columns are the neighbours of all others; its own columns are seen from the nearest other sublattice.

    Returns
    -------
    polar, std : ndarrays, shape (N, 2), Angstrom, (y, x)
        NaN where a neighbour is missing, where the neighbours do not surround the site, and in cells of one column.
    """
    table, low = grain.table()
    polar, std = np.full(grain.positions.shape, np.nan), np.full(grain.positions.shape, np.nan)
    if len(grain.motif) == 1 or sublattice >= len(grain.motif):
        return polar, std
    for site in range(len(grain.motif)):
        others = [one for one in range(len(grain.motif)) if one != site]
        other = min(others, key=lambda one: _shell(grain, site, one)[1]) if site == sublattice else sublattice
        steps, _ = _shell(grain, site, other)
        if len(steps) < 2:
            continue
        rows = np.flatnonzero(grain.site == site)
        near = table[(other, *np.moveaxis(grain.indices[rows][:, None] + steps - low, -1, 0))]
        whole = np.all(near >= 0, axis=1)
        rows, near = rows[whole], near[whole]
        polar[rows] = grain.positions[rows] - grain.positions[near].mean(axis=1)
        variance = grain.std[rows] ** 2 + np.sum(grain.std[near] ** 2, axis=1) / len(steps) ** 2
        std[rows] = np.sqrt(variance)
    return polar, std


def _shell(grain: Indexed, site: int, other: int) -> tuple[np.ndarray, float]:
    """Cells (M, 2) of the nearest columns of another site that surround a site, and their mean distance."""
    cells = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2, indexing="ij"), -1).reshape(-1, 2)
    offsets = (cells + grain.motif[other] - grain.motif[site]) @ grain.basis
    length = np.hypot(*offsets.T)
    near = length <= _SHELL * length.min()
    centre = np.hypot(*offsets[near].mean(axis=0))
    # Neighbours on one side only have no centre near the site.
    return (cells[near] if centre < 0.3 * length.min() else cells[:0]), float(length[near].mean())
