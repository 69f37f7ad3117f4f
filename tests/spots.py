"""Images of Gaussian columns with known centres, for every test that needs one."""

from __future__ import annotations

import numpy as np


def square_lattice(shape, spacing, angle=0.1, margin=0.0):
    """Centres (N, 2) of a turned square lattice, at least `margin` px from the border."""
    reach = int(np.hypot(*shape) / spacing) + 1
    cells = np.stack(np.meshgrid(np.arange(-reach, reach), np.arange(-reach, reach), indexing="ij"), -1).reshape(-1, 2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = spacing * cells @ turn + np.array(shape) / 2 + 0.37
    return points[np.all((points >= margin) & (points <= np.array(shape) - 1 - margin), axis=1)]


def draw(positions, sigma, shape, height=100.0, level=10.0):
    """Sum of round Gaussians on a flat background, sampled at pixel centres."""
    positions = np.asarray(positions, float).reshape(-1, 2)
    along_y = np.exp(-((np.arange(shape[0]) - positions[:, :1]) ** 2) / (2 * sigma**2))
    along_x = np.exp(-((np.arange(shape[1]) - positions[:, 1:]) ** 2) / (2 * sigma**2))
    return (along_y * np.broadcast_to(height, len(positions))[:, None]).T @ along_x + level


def offsets(found, true):
    """Vectors (N, 2) from every true centre to the nearest one found."""
    from scipy.spatial import cKDTree

    nearest = cKDTree(found).query(true)[1]
    return found[nearest] - true
