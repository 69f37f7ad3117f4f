"""Grain by grain: the lattice that most columns share, then that of the columns that are left, until none is left."""

from __future__ import annotations

import numpy as np

from napari_atomseg.analysis.lattice.lattice import Lattice, among_all, fit_lattice
from napari_atomseg.analysis.lattice.params import LatticeParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError

FEWEST_OF_GRAIN = 20
"""Columns on sites that make a grain beside a larger one."""
_LEAST_SHARE = 0.02  # of all columns: smaller remainders are defects, not grains
_MOST_GRAINS = 12


def find_grains(columns: Columns, params: LatticeParams | None = None) -> list[Lattice]:
    """Lattices of the grains of an image, that with the most columns first.

    Parameters
    ----------
    columns : Columns
        Of one image or frame.
    params : LatticeParams, optional

    Returns
    -------
    list of Lattice
        Each has a row for every column; a column stands on a site of one of them at most.

    Raises
    ------
    AtomsegError
        If the columns show no lattice; says what is needed.
    """
    found = [fit_lattice(columns, params)]
    left = found[0].site < 0
    fewest = max(FEWEST_OF_GRAIN, round(_LEAST_SHARE * len(columns)))
    while np.count_nonzero(left) >= fewest and len(found) < _MOST_GRAINS:
        try:
            lattice = fit_lattice(columns.select(left), params)
        except AtomsegError:
            break
        if np.count_nonzero(lattice.site >= 0) < fewest:
            break
        lattice = among_all(lattice, left)
        found.append(lattice)
        left &= lattice.site < 0
    return sorted(found, key=lambda one: -np.count_nonzero(one.site >= 0))
