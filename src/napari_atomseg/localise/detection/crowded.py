"""Maxima among others: where columns stand on all sides, a fainter maximum is more probably one of them.

The level that holds noise maxima of a whole image below a small share of the columns found is right where anything may be
empty. Between columns there is hardly room for noise maxima, and most of what is seen there is a column: at few counts the
lower level finds many that the higher one loses.
"""

from __future__ import annotations

import numpy as np
from scipy import spatial

FEWEST_AROUND = 3
REACH = 2.5
"""Distance to the third nearest sure maximum below which a place is among columns, in usual distances between neighbours."""
FEWEST_SURE = 8


def among_columns(pixel: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """True for maxima that have sure ones on several sides, shape (N,).

    Parameters
    ----------
    pixel : ndarray, shape (N, 2), px, (y, x)
        Maxima.
    sure : ndarray of bool, shape (N,)
        Those that are surely none of the noise's.
    """
    if sure.sum() < FEWEST_SURE:
        return np.zeros(len(pixel), bool)
    tree = spatial.cKDTree(pixel[sure])
    usual = float(np.median(tree.query(pixel[sure], k=2)[0][:, 1]))
    # A sure maximum is its own nearest.
    distance = tree.query(pixel, k=FEWEST_AROUND + 1)[0]
    third = np.where(sure, distance[:, FEWEST_AROUND], distance[:, FEWEST_AROUND - 1])
    return np.asarray(third < REACH * usual)
