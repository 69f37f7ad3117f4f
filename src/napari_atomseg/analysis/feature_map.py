"""A feature of the columns as an image, between the columns interpolated linearly."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import QhullError, cKDTree

from napari_atomseg.core.errors import AtomsegError

_FARTHEST = 2.0  # usual distances of neighbours: farther from every column nothing is shown


def feature_map(positions: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Image of a feature, shape (Y, X), float32; NaN away from columns.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
        Of one frame.
    values : ndarray, shape (N,)
        NaN where unknown.
    shape : tuple of int, px
        (Y, X) of the image.

    Raises
    ------
    AtomsegError
        If fewer than three columns have a value, or all in one row.
    """
    known = np.isfinite(values) & np.isfinite(positions).all(axis=1)
    if np.count_nonzero(known) < 3:
        raise AtomsegError("fewer than three columns have this feature, so there is no map of it; measure it first")
    places = positions[known]
    grid = np.indices(shape).reshape(2, -1).T
    try:
        found = LinearNDInterpolator(places, values[known])(grid)
    except QhullError:
        raise AtomsegError("the columns with this feature stand in one row, so there is no map of it") from None
    tree = cKDTree(places)
    usual = float(np.median(tree.query(places, k=2)[0][:, 1]))
    far = tree.query(grid, distance_upper_bound=_FARTHEST * usual)[0]
    return np.where(np.isfinite(far), found, np.nan).reshape(shape).astype(np.float32)
