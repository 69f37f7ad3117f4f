"""Medians of the values that share a label, such as those of the rings of a spectrum."""

from __future__ import annotations

import numpy as np


def labelled_medians(values: np.ndarray, labels: np.ndarray, least: int = 1) -> np.ndarray:
    """Median of the values of each label from 0 to the highest.

    Parameters
    ----------
    values : ndarray
    labels : ndarray of unsigned integers, of the same shape
        Those of two bytes are put in order many times faster than ``scipy.ndimage.median`` does it.
    least : int
        Labels of fewer values have 0.

    Returns
    -------
    ndarray, shape (labels.max() + 1,)
    """
    order = np.argsort(labels, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(labels.ravel()))[:-1]
    return np.array([np.median(part) if len(part) >= least else 0.0 for part in np.split(values.ravel()[order], ends)])
