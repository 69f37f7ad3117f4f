"""Maxima of a texture beside a crystal: they do not recur, and there are many of every height.

The specks of an amorphous support are bright only, so that the dark spots of the image say nothing of them. Once a crystal
is known, the maxima that do not recur in it tell how high those of the texture reach around each place.
"""

from __future__ import annotations

import numpy as np
from scipy import spatial

NOT_RECURRING = 0.2
SURELY_NOT = 0.15
AROUND = 20
HIGH = 0.8
BEYOND_TEXTURE = 2.0
"""A maximum that is so many times as high as four of five of those of the texture around it is none of them."""


def of_texture(pixel: np.ndarray, height: np.ndarray, recurrence: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """True for maxima that are probably of a texture, shape (N,); nowhere if there are too few to make one.

    Parameters
    ----------
    pixel : ndarray, shape (N, 2), px, (y, x)
        Maxima.
    height : ndarray, shape (N,)
        Their heights without the side lobes of neighbours.
    recurrence : ndarray, shape (N,)
        Share of the repeat vectors of the crystals at which a like maximum stands.
    seen : ndarray of bool, shape (N,)
        Those that noise alone seldom makes.
    """
    others = np.flatnonzero(seen & (recurrence < NOT_RECURRING))
    if len(others) <= AROUND:
        return np.zeros(len(pixel), bool)
    _, near = spatial.cKDTree(pixel[others]).query(pixel, k=AROUND + 1)
    high = np.quantile(height[others][near][:, 1:], HIGH, axis=1)
    return np.asarray((recurrence < SURELY_NOT) & (height < BEYOND_TEXTURE * high))
