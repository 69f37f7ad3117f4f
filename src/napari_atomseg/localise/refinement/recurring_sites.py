"""Unseen neighbours recur: where several columns of one height have one at the same vector, the others may have it too.

One neighbour of a symmetric pair taken off, the other overlooked in the noise, displaces a column more than both left alone.
So the sites where a neighbour recurs are looked at beside all columns of that height, and what stands there is told by a
mixture of sites with a neighbour of about the usual height and of empty ones (empirical Bayes; Efron, Large-Scale Inference
(2010), Ch. 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import spatial

from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, X, Y

ALIKE = 0.6
"""Vectors that differ by less, in sigma, are one."""
SAME_HEIGHT = 0.35
"""Columns whose logarithms of the height differ by less are of one kind."""
FEWEST, SMALLEST_SHARE = 6, 0.1
"""Neighbours that make a kind of site: so many, and beside such a share of the columns of their height."""
CLEAR = 1.6
"""Distance, in sigma, that a site keeps from columns and from other sites."""
STEPS = 30
MISFIT = 0.2
"""A height that is read beside a column whose profile is not known well is uncertain by this share of the usual one."""
STEADIEST, LOOSEST = 0.1, 1.0
"""Spread of the heights of neighbours at one kind of site, in units of their mean."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sites:
    """Places (M, 2), px, where neighbours recur, and the number of the kind of each (M,)."""

    places: np.ndarray
    kind: np.ndarray


def recurring_sites(there: np.ndarray, found: np.ndarray) -> Sites:
    """Where neighbours that were found beside some columns may stand beside others as well.

    Parameters
    ----------
    there : ndarray, shape (N, 8)
        Model of the columns; see :mod:`.shape`.
    found : ndarray, shape (K, 8)
        Model of the neighbours, each of which belongs to the column nearest to it.

    Returns
    -------
    Sites
        Clear of the columns that are there.
    """
    sigma = float(np.median(there[:, SIGMA]))
    tree = spatial.cKDTree(there[:, [Y, X]])
    height = np.log(np.abs(there[:, HEIGHT]))
    nearest = tree.query(found[:, [Y, X]])[1] if len(found) else np.zeros(0, int)
    vectors = (found - there[nearest])[:, [Y, X]] / sigma
    places, kind = [np.zeros((0, 2))], [np.zeros(0, int)]
    for number, members in enumerate(_kinds(vectors, height[nearest])):
        usual = float(np.median(height[nearest[members]]))
        like = np.abs(height - usual) < SAME_HEIGHT
        if len(members) < SMALLEST_SHARE * int(like.sum()):
            continue
        sites = there[like][:, [Y, X]] + sigma * vectors[members].mean(axis=0)
        clear = tree.query(sites)[0] > CLEAR * sigma
        places.append(sites[clear])
        kind.append(np.full(int(clear.sum()), number))
    return Sites(places=np.concatenate(places), kind=np.concatenate(kind))


def tallest_apart(sites: Sites, height: np.ndarray, apart: float) -> np.ndarray:
    """Sites of which none is nearer to a taller one than a distance.

    Parameters
    ----------
    sites : Sites
    height : ndarray, shape (M,)
        Of the neighbour at each; the tallest are kept first.
    apart : float, px

    Returns
    -------
    ndarray of int, shape (K,)
        Rows of the sites, ascending.
    """
    left = np.ones(len(height), bool)
    near = spatial.cKDTree(sites.places).query_ball_point(sites.places, apart)
    for row in np.argsort(-height, kind="stable"):
        if left[row]:
            left[near[row]] = False
            left[row] = True
    return np.flatnonzero(left)


def expected_heights(height: np.ndarray, error: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Heights that are expected at sites, from those measured there and at all sites of their kind.

    Positive heights; what is as likely to be nothing is halved, what the others of its kind tell better is drawn to their mean.

    Parameters
    ----------
    height : ndarray, shape (M,)
        Measured; times -1 for dark columns.
    error : ndarray, shape (M,)
        Standard deviations of these.
    kind : ndarray of int, shape (M,)
        Number of the kind of each site.

    Returns
    -------
    ndarray, shape (M,)
    """
    found = np.zeros_like(height)
    for number in np.unique(kind):
        rows = np.flatnonzero(kind == number)
        found[rows] = _of_one_kind(height[rows], np.maximum(error[rows], 1e-30))
    return found


def _of_one_kind(height: np.ndarray, error: np.ndarray) -> np.ndarray:
    mean = float(np.quantile(height, 0.75))
    if mean <= 0:
        return np.zeros_like(height)
    spread, share, present = 0.3 * mean, 0.5, np.ones_like(height)
    for _ in range(STEPS):
        unsure = np.hypot(error, MISFIT * mean)
        wide = np.hypot(spread, unsure)
        full = share * np.exp(-(((height - mean) / wide) ** 2) / 2) / wide
        empty = (1 - share) * np.exp(-((height / unsure) ** 2) / 2) / unsure
        present = np.where(height > mean, 1.0, full / np.maximum(full + empty, 1e-300))
        weight = present / wide**2
        mean = float(np.sum(weight * height) / max(np.sum(weight), 1e-300))
        excess = float(np.sum(present * ((height - mean) ** 2 - error**2)) / max(np.sum(present), 1e-300))
        spread = float(np.clip(np.sqrt(max(excess, 0.0)), STEADIEST * abs(mean), LOOSEST * abs(mean)))
        share = float(np.clip(present.mean(), 0.02, 0.98))
        if mean <= 0:
            return np.zeros_like(height)
    drawn = (height / error**2 + mean / spread**2) / (1 / error**2 + 1 / spread**2)
    return np.asarray(present * np.maximum(drawn, 0.0))


def _kinds(vectors: np.ndarray, height: np.ndarray) -> list[np.ndarray]:
    """Rows of vectors (M, 2), in sigma, that are alike and belong to columns of about one height; the commonest first."""
    left = np.ones(len(vectors), bool)
    found: list[np.ndarray] = []
    described = np.column_stack([vectors / ALIKE, height / SAME_HEIGHT])
    near = spatial.cKDTree(described).query_ball_point(described, 1.0) if len(vectors) else []
    while left.any():
        counts = [int(left[rows].sum()) if left[row] else 0 for row, rows in enumerate(near)]
        best = int(np.argmax(counts))
        if counts[best] < FEWEST:
            break
        members = np.array([row for row in near[best] if left[row]])
        left[members] = False
        found.append(members)
    return found
