"""Columns that scatter otherwise than their like: vacancies, dopants, adatoms; with the rate of false discoveries."""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.spatial import cKDTree

AROUND = 12
"""Columns of the same sublattice that a column is compared with."""
FEWEST = 10
"""Columns of a sublattice from which a scatter is known."""
OF_NORMAL = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""
EFFICIENCY = 0.37
"""Columns that a standard deviation from the median absolute deviation is worth, as a share (Rousseeuw & Croux, 1993)."""


def outlier_q(values: np.ndarray, std: np.ndarray, group: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False-discovery rate at which each column would be called an outlier, and how many standard deviations it is off.

    Parameters
    ----------
    values, std : ndarray, shape (N,)
        Cross-sections and their standard deviations; NaN where unknown.
    group : ndarray of int, shape (N,)
        Sublattice; columns are compared within it.
    positions : ndarray, shape (N, 2)
        Each is compared with the median of the nearest of its group, so that a thickness that changes slowly is no outlier.

    Returns
    -------
    q, deviation : ndarray, shape (N,)
        `deviation` is signed. NaN where the value is unknown or the group too small.

    Notes
    -----
    The scatter is the median absolute deviation within the group, which outliers do not widen, so that p follows Student's
    distribution of the columns that this is worth; q is that of Benjamini & Hochberg, J. R. Stat. Soc. B 57, 289 (1995).
    """
    deviation, p = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for one in np.unique(group):
        rows = np.flatnonzero((group == one) & np.isfinite(values))
        if len(rows) < FEWEST:
            continue
        away = values[rows] - _around(values[rows], positions[rows])
        scatter = OF_NORMAL * float(np.median(np.abs(away - np.median(away))))
        # A column that is known worse than the usual one may be off by more.
        known = np.where(np.isfinite(std[rows]), std[rows], 0.0)
        width = np.sqrt(scatter**2 + np.maximum(known**2 - np.median(known) ** 2, 0.0))
        deviation[rows] = (away - np.median(away)) / np.maximum(width, 1e-300)
        p[rows] = 2 * stats.t.sf(np.abs(deviation[rows]), df=max(3.0, EFFICIENCY * len(rows)))
    return benjamini_hochberg(p), deviation


def _around(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Median of the nearest columns, without the column itself."""
    near = min(AROUND, len(values) - 1)
    neighbours = cKDTree(positions).query(positions, k=near + 1)[1][:, 1:]
    return np.asarray(np.median(values[neighbours], axis=1))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Smallest false-discovery rate at which each of several tests with p values (N,) is called; NaN stays."""
    q = np.full(len(p), np.nan)
    rows = np.flatnonzero(np.isfinite(p))
    if len(rows) == 0:
        return q
    order = rows[np.argsort(p[rows])]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
