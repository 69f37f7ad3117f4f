"""Intensity summed over the pixels of each column: Voronoi cells or discs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from napari_atomseg.analysis.intensities.amplitudes import Amplitudes
from napari_atomseg.core.jobs import Progress

FINER = 4
"""A pixel at the rim of a disc counts by how many of so many times so many points of it lie inside."""


def pixels_of_columns(
    places: np.ndarray, positions: np.ndarray, radius: float, kind: Literal["voronoi", "disc"]
) -> sparse.csr_array:
    """Share of each pixel (P, 2) that belongs to each column (N, 2), shape (N, P).

    Parameters
    ----------
    places, positions : ndarray, px, (y, x)
    radius : float, px
        Of the discs; of cells the distance beyond which a pixel belongs to no column.
    kind : str
    """
    steps = (np.arange(FINER) + 0.5) / FINER - 0.5
    tree = cKDTree(positions)
    rows, columns = [], []
    for dy in steps:
        for dx in steps:
            points = places + np.array([dy, dx])
            if kind == "voronoi":
                distance, owner = tree.query(points, distance_upper_bound=radius)
                inside = np.flatnonzero(np.isfinite(distance))
                rows.append(owner[inside])
                columns.append(inside)
            else:
                pairs = tree.sparse_distance_matrix(cKDTree(points), radius, output_type="ndarray")
                rows.append(pairs["i"])
                columns.append(pairs["j"])
    row, column = np.concatenate(rows), np.concatenate(columns)
    share = np.full(len(row), 1.0 / FINER**2)
    return sparse.csr_array((share, (row, column)), shape=(len(positions), len(places)))


def integrated(
    image: np.ndarray, fitted: Amplitudes, radius: float, kind: Literal["voronoi", "disc"]
) -> Generator[Progress, None, tuple[np.ndarray, np.ndarray]]:
    """Image above the fitted background, summed over the pixels of each column, and its standard deviation; each (N,).

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    fitted : Amplitudes
        Its background is taken off; how well that is known counts.
    radius : float, px
    kind : str

    Returns
    -------
    sums, std : ndarray, shape (N,)
        Intensity times px squared.
    """
    yield Progress(0, 0, "summing pixels")
    system = fitted.system
    cells = pixels_of_columns(system.places, fitted.shapes.positions, radius, kind)
    rows = tuple(system.places.astype(int).T)
    sums = cells @ (np.asarray(image, dtype=float)[rows] - fitted.background[rows])
    first = system.design.shape[1] - fitted.unknown_levels
    base = system.design[:, first:]

    def back(signs: np.ndarray) -> np.ndarray:
        weights = cells.T @ signs
        wanted = np.zeros(system.design.shape[1])
        wanted[first:] = base.T @ weights
        return np.asarray(weights - system.design @ system.solve(wanted))

    return np.asarray(sums), fitted.spread(back)
