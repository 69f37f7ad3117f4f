"""What each maximum and minimum of the band-passed image has of its own, apart from the side lobes of its neighbours.

The band-pass surrounds each bright spot by a dark ring, and where rings meet they make dark spots that nothing in the image
is. Maxima and minima are explained together, as spots of either sign; in noise, which has no sign, both keep as much, while
the dark spots between columns keep next to nothing.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse, spatial
from scipy.sparse.linalg import cg

REACH = 4.0
"""Side lobes end at so many widths of the response."""
STIFFNESS = 0.1
"""Added to the diagonal, so that spots that touch do not play each other up."""
ROUNDS = 40


def own_heights(pixel: np.ndarray, height: np.ndarray, width: float) -> np.ndarray:
    r"""Heights of spots without what their neighbours contribute, shape (N,).

    Parameters
    ----------
    pixel : ndarray, shape (N, 2), px, (y, x)
        Extrema of the response.
    height : ndarray, shape (N,)
        The response there, negative for minima.
    width : float, px
        Width of the response to a column: root of the sum of the squares of the widths of column and filter.

    Notes
    -----
    Solves :math:`\sum_j g(d_{ij} / w) a_j = h_i` with :math:`g(u) = (1 - u^2 / 2) e^{-u^2 / 2}`, the response to a Gaussian.
    """
    if len(pixel) == 0:
        return np.zeros(0)
    tree = spatial.cKDTree(pixel)
    pairs = tree.query_pairs(REACH * width, output_type="ndarray")
    squared = np.sum((pixel[pairs[:, 0]] - pixel[pairs[:, 1]]).astype(float) ** 2, axis=1) / width**2
    lobe = (1 - squared / 2) * np.exp(-squared / 2)
    rows = np.concatenate([pairs[:, 0], pairs[:, 1], np.arange(len(pixel))])
    columns = np.concatenate([pairs[:, 1], pairs[:, 0], np.arange(len(pixel))])
    values = np.concatenate([lobe, lobe, np.full(len(pixel), 1 + STIFFNESS)])
    coupling = sparse.csr_matrix((values, (rows, columns)), shape=(len(pixel), len(pixel)))
    return np.asarray(cg(coupling, height.astype(float), rtol=1e-3, maxiter=ROUNDS)[0])
