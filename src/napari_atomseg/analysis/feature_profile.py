"""A feature of the columns along a direction, averaged across it: a profile through an interface."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError

_PARTS = 8  # of the length of the interface, whose means tell the error


def feature_profile(positions: np.ndarray, values: np.ndarray, angle: float, step: float | None = None) -> pd.DataFrame:
    """Means of a feature in strips across a direction.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), Angstrom, (y, x)
        Of one frame.
    values : ndarray, shape (N,)
        NaN where unknown.
    angle : float, rad
        Direction of the profile, from +x clockwise on the screen; the interface runs across it.
    step : float, Angstrom, optional
        Width of a strip; by default the usual distance of nearest neighbours.

    Returns
    -------
    DataFrame
        ``distance_angstrom`` from the first column, ``mean``, ``mean_std``, ``columns``; strips without columns are left out.

    Raises
    ------
    AtomsegError
        If fewer than three columns have a value.

    Notes
    -----
    Neighbouring columns share errors, of strain for instance. So the standard error of a mean is that of the means of eight
    parts of the strip, not of single columns; NaN where fewer than two parts hold columns.
    """
    distance = profile_distance(positions, values, angle)
    known = np.isfinite(distance)
    if np.count_nonzero(known) < 3:
        raise AtomsegError("fewer than three columns have this feature, so there is no profile of it; measure it first")
    places, value, along = positions[known], np.asarray(values, float)[known], distance[known]
    across = places @ np.array([np.cos(angle), -np.sin(angle)])
    step = step or float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
    strip = np.floor(along / step + 1e-6).astype(int)
    part = np.minimum(_PARTS * (across - across.min()) / max(np.ptp(across), 1e-9), _PARTS - 1).astype(int)
    rows = []
    for number in np.unique(strip):
        mine = strip == number
        means = pd.Series(value[mine]).groupby(part[mine]).mean()
        error = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else np.nan
        rows.append((float(along[mine].mean()), float(value[mine].mean()), error, int(mine.sum())))
    return pd.DataFrame(rows, columns=["distance_angstrom", "mean", "mean_std", "columns"])


def profile_distance(positions: np.ndarray, values: np.ndarray, angle: float) -> np.ndarray:
    """Distance (N,) of each column along the profile, Angstrom, from the first one; NaN of those without a value.

    Parameters
    ----------
    positions, values, angle
        As of :func:`feature_profile`.
    """
    along = positions @ np.array([np.sin(angle), np.cos(angle)])
    known = np.isfinite(values) & np.isfinite(along)
    return np.asarray(np.where(known, along - along[known].min(initial=np.inf), np.nan))
