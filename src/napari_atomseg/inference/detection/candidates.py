"""Places that may be columns: every summit of the network's map, however low, and every blob of the raw image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_atomseg.localise.detection.map_columns import map_columns

LEAST = 0.02
"""Summits of the map that are higher than this are worth a second look."""
BLOB = 0.45
"""Standard deviation of the blobs that are looked for in the raw image, Angstrom."""
APART = 0.8
"""A blob nearer than this to a summit of the map is that column, Angstrom."""
FAINTEST = 1e-3
"""Blobs weaker than this share of the contrast are rounding errors."""
UNKNOWN_SPREAD = 0.6
"""How well the place of a blob is known, Angstrom."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkCandidates:
    """What may be a column.

    Attributes
    ----------
    positions : ndarray, shape (N, 2), native px, (y, x)
    confidence : ndarray, shape (N,)
        What the map says, 0 for blobs that only the raw image shows.
    spread : ndarray, shape (N,), native px
        How far the map lets a column be off along one axis.
    drawn : ndarray of bool, shape (N,)
        Whether the map shows it.
    """

    positions: np.ndarray
    confidence: np.ndarray
    spread: np.ndarray
    drawn: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


def find_candidates(columns_map: np.ndarray, image: np.ndarray, column_width: float, sampling: float) -> NetworkCandidates:
    """Summits of a map and blobs of an image, both of shape (Y, X) with `sampling` Angstrom per pixel.

    Parameters
    ----------
    columns_map : ndarray
        From 0 to 1.
    image : ndarray
        Columns are bright.
    column_width : float, Angstrom
        Standard deviation of a sure column in the map.
    """
    shown = map_columns(columns_map, column_width / sampling, threshold=LEAST)
    blobs = _blobs(image, sampling)
    if len(blobs) and len(shown.positions):
        blobs = blobs[cKDTree(shown.positions).query(blobs)[0] > APART / sampling]
    return NetworkCandidates(
        positions=np.concatenate([shown.positions, blobs]),
        confidence=np.concatenate([shown.confidence, np.zeros(len(blobs))]),
        spread=np.concatenate([shown.spread, np.full(len(blobs), UNKNOWN_SPREAD / sampling)]),
        drawn=np.arange(len(shown.positions) + len(blobs)) < len(shown.positions),
    )


def blobness(image: np.ndarray, width: float) -> np.ndarray:
    """Laplacian of Gaussian, positive on bright blobs, of one height for blobs of one height.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    width : float, px
        Standard deviation of the Gaussian.

    Returns
    -------
    ndarray of float32, shape (Y, X), in the unit of `image`
    """
    return np.asarray(-(width**2) * ndimage.gaussian_laplace(np.asarray(image, np.float32), width))


def _blobs(image: np.ndarray, sampling: float) -> np.ndarray:
    """Bright blobs (N, 2) that stand out more than dark ones do: a texture has as many of both."""
    response = blobness(image, BLOB / sampling)
    side = 2 * round(BLOB / sampling) + 1
    dark = -response[response == ndimage.minimum_filter(response, side)]
    dark = dark[dark > 0]
    least = max(float(np.quantile(dark, 0.5)) if dark.size else 0.0, FAINTEST)
    found = np.argwhere((response == ndimage.maximum_filter(response, side)) & (response > least))
    return _between_pixels(response, found)


def _between_pixels(values: np.ndarray, summits: np.ndarray) -> np.ndarray:
    """Summits of the parabolas along each axis through (N, 2) highest pixels."""
    places = summits.astype(float)
    padded = np.pad(values, 1, mode="edge")
    y, x = (summits + 1).T
    for axis, (before, after) in enumerate(
        ((padded[y - 1, x], padded[y + 1, x]), (padded[y, x - 1], padded[y, x + 1])),
    ):
        bend = before - 2 * padded[y, x] + after
        places[:, axis] += np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0).clip(-0.5, 0.5)
    return places
