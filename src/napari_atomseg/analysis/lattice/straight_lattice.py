"""The undistorted lattice through columns on known sites: basis, places of the sites, occupancy, and their errors."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


def brightest_first(site: np.ndarray, intensity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sites numbered anew from the brightest (or else the fullest) on, and their median intensities.

    Parameters
    ----------
    site : ndarray of int, shape (N,)
        Of each column.
    intensity : ndarray, shape (N,)
        NaN where unknown.
    """
    kinds, site, counts = np.unique(site, return_inverse=True, return_counts=True)
    values = [intensity[(site == kind) & np.isfinite(intensity)] for kind in range(len(kinds))]
    middles = np.array([np.median(value) if len(value) else np.nan for value in values])
    order = np.argsort(-np.abs(middles) if np.isfinite(middles).all() else -counts, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[site], middles[order]


def straight_lattice(positions: np.ndarray, indices: np.ndarray, site: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Basis (2, 2), site places in cell 0 (K, 2), and the basis' standard errors (2, 2), in the unit of the positions.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), (y, x)
    indices, site : ndarrays of int, shapes (N, 2) and (N,)
        Cell and row of the motif of each.
    """
    design = np.concatenate([indices, np.eye(int(site.max()) + 1)[site]], axis=1).astype(float)
    solution, *_ = np.linalg.lstsq(design, positions, rcond=None)
    # Neighbours are distorted alike: the errors are those of sixteen parts of the image, not of single columns, by leaving out
    # one part after the other (jackknife), since the residuals of so few parts are smaller than their errors.
    low, high = positions.min(axis=0), positions.max(axis=0)
    parts = np.minimum((4 * (positions - low) / np.maximum(high - low, 1e-9)).astype(int), 3) @ np.array([4, 1])
    normal, right = design.T @ design, design.T @ positions
    without = []
    for part in np.unique(parts):
        some = parts == part
        left = normal - design[some].T @ design[some]
        without.append(np.linalg.pinv(left, hermitian=True) @ (right - design[some].T @ positions[some]))
    changes = np.array(without) - solution
    errors = np.sqrt((len(changes) - 1) / len(changes) * np.sum(changes**2, axis=0))
    return solution[:2], solution[2:], errors[:2]


def around_site_means(residual: np.ndarray, site: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals without their site's mean, and that mean's standard error (K, 2): a split site has two means.

    Parameters
    ----------
    residual : ndarray, shape (N, 2), px
    site : ndarray of int, shape (N,)
        Row of the motif of each column.
    """
    counts = np.bincount(site).astype(float)
    means = np.stack([np.bincount(site, axis) / counts for axis in residual.T], axis=1)
    rest = residual - means[site]
    spread = np.stack([np.sqrt(np.bincount(site, axis**2)) / np.maximum(counts - 1, 1) for axis in rest.T], axis=1)
    return rest, spread


def occupancy_of(indices: np.ndarray, site: np.ndarray) -> np.ndarray:
    """Share of the cells, among those within the lattice, that hold a column at each site, (K,).

    Parameters
    ----------
    indices : ndarray of int, shape (N, 2)
        Cell of each column.
    site : ndarray of int, shape (N,)
        Row of the motif of each column.
    """
    cells, cell = np.unique(indices, axis=0, return_inverse=True)
    held = np.zeros((len(cells), int(site.max()) + 1), bool)
    held[cell.ravel(), site] = True
    near = cKDTree(cells).query_ball_point(cells, 1.5, return_length=True)
    inner = near == 9
    return np.asarray(np.mean(held[inner] if inner.any() else held, axis=0))
