"""Atomic planes seen edge-on: columns of one sublattice in a row along a direction of the lattice."""

from __future__ import annotations

import numpy as np

from napari_atomseg.core.columns import GRAIN, SITE, SUBLATTICE, Columns
from napari_atomseg.core.errors import AtomsegError

DIRECTIONS = {"a": (1, 0), "b": (0, 1), "a + b": (1, 1), "a − b": (1, -1), "2a + b": (2, 1), "a + 2b": (1, 2)}
"""Directions [u v] of the projected cell by the words of the menu."""


def on_same_planes(columns: Columns, chosen: np.ndarray, direction: tuple[int, int]) -> np.ndarray:
    """Rows of the columns that lie on the planes of chosen ones.

    Parameters
    ----------
    columns : Columns
        With the sites of their lattice.
    chosen : ndarray of int
        Rows of columns.
    direction : tuple of int
        [u v] along which the planes run, in units of the cell; the beam is their other direction.

    Returns
    -------
    ndarray of int
        Of the same frame, grain and sublattice, the chosen ones among them; sorted.

    Raises
    ------
    AtomsegError
        If the lattice was not measured, or none of the chosen columns lies on it.
    """
    if SITE[0] not in columns.features:
        raise AtomsegError("planes are those of a lattice: measure sublattices first")
    u, v = direction
    sites = columns.features[list(SITE)].to_numpy(float)
    where = np.column_stack(
        [columns.frame, columns.features[[GRAIN, SUBLATTICE]].to_numpy(float), u * sites[:, 1] - v * sites[:, 0]]
    )
    wanted = where[np.asarray(chosen, int)]
    wanted = wanted[np.isfinite(wanted).all(axis=1)]
    if not len(wanted):
        raise AtomsegError("select a column of the lattice first")
    planes, index = np.unique(np.concatenate([wanted, where]), axis=0, return_inverse=True)
    of_chosen = np.zeros(len(planes), bool)
    of_chosen[index.ravel()[: len(wanted)]] = True
    return np.flatnonzero(of_chosen[index.ravel()[len(wanted) :]])
