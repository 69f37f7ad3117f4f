"""Sites of a lattice that hold no column: suggestions for a person to judge, never columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, cKDTree

from napari_atomseg.analysis.lattice.lattice import Lattice
from napari_atomseg.core.columns import AROUND, RESPONSE, SITE, SUBLATTICE, Columns

ENOUGH = 0.6
"""Share of the eight equivalent sites around that must be occupied."""
_FEWEST_AROUND = 3  # in an image's corner no more lie inside it
_AGREE = 0.3  # of the distance between sites: neighbours that point farther from their median are beside a dislocation
_TAKEN = 0.35  # of that distance: a column so near, fitting no site, may be the missing one displaced
_BORDER = 0.35  # of that distance: a column nearer to the border is cut off and was rightly not found
_AROUND = np.array([(one, two) for one in (-1, 0, 1) for two in (-1, 0, 1) if (one, two) != (0, 0)])


def missing_sites(lattice: Lattice, columns: Columns, image_shape: tuple[int, ...], image: Any = None) -> Columns:
    """Places where a column is to be expected and none was found.

    Parameters
    ----------
    lattice : Lattice
        Of these columns.
    columns : Columns
        Of one image or one frame.
    image_shape : tuple of int
        (..., Y, X).
    image : array, shape (Y, X), optional
        If given, tells a vacancy from a column that was overlooked.

    Returns
    -------
    Columns
        Position as the occupied equivalent sites around predict it. Features: `confidence`, the share of those sites,
        within the image, that are occupied; `around`, how many that are; `sublattice`, the row of the motif; `site_u` and
        `site_v`, the cell; `response`, the height of the image there in units of the equivalent columns around, about 1 for a
        column that was overlooked and 0 or less for a vacancy (NaN without an image).

    Notes
    -----
    Nothing is suggested outside the image, more than half a spacing outside the hull of the columns on sites, where fewer
    than three fifths of the equivalent sites around are occupied (the edge of a particle, a hole), or where a column stands
    already, on a site or off it.
    """
    on = np.flatnonzero(lattice.site >= 0)
    places, cells, sites, pairs = _expected(lattice, columns.positions, on)
    shape = np.array(image_shape[-2:])
    around = lattice.predicted(cells[:, None] + _AROUND, sites[:, None], (places - lattice.predicted(cells, sites))[:, None])
    inside = np.count_nonzero(np.all((around >= 0) & (around <= shape - 1), axis=-1), axis=1)
    occupied = np.bincount(pairs[0], minlength=len(places))
    confidence = occupied / np.maximum(inside, np.maximum(occupied, 1))
    good = (occupied >= _FEWEST_AROUND) & (confidence >= ENOUGH)
    margin = _BORDER * lattice.site_distance
    good &= np.all((places >= margin) & (places <= shape - 1 - margin), axis=1)
    if len(places):
        good &= _within_hull(places, columns.positions[on], 0.5 * lattice.site_distance)
        taken = max(_TAKEN * lattice.site_distance, min(1.25 * lattice.tolerance, 0.5 * lattice.site_distance))
        known = np.isfinite(columns.positions).all(axis=1)
        good &= cKDTree(columns.positions[known]).query(places)[0] > taken
    response = np.full(len(places), np.nan)
    if image is not None and good.any():
        response = _response(image, places, columns.positions, pairs, 0.2 * lattice.site_distance)
    frame = int(columns.frame[0]) if len(columns) else 0
    found = Columns(
        positions=places,
        frame=np.full(len(places), frame),
        pixel_size=columns.pixel_size,
        image_shape=columns.image_shape or tuple(image_shape),
        provenance=columns.provenance,
    )
    names = {AROUND: occupied, SUBLATTICE: sites, RESPONSE: response, SITE[0]: cells[:, 0], SITE[1]: cells[:, 1]}
    found = found.with_features(confidence=confidence, origin="model", **names)
    return found.select(good)


def _expected(
    lattice: Lattice, positions: np.ndarray, on: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Empty sites beside occupied ones: places (M, 2), cells (M, 2), sites (M,), and the pairs (site, column) around.

    Each column predicts the equivalent sites around it; the mean of the predictions that agree cancels a slow distortion.
    """
    held = np.column_stack([lattice.indices[on], lattice.site[on]])
    near = np.concatenate([held + np.append(step, 0) for step in _AROUND])
    predicted = np.concatenate([positions[on] + step @ lattice.basis for step in _AROUND])
    columns = np.tile(on, len(_AROUND))
    empty = ~_among(near, held)
    near, predicted, columns = near[empty], predicted[empty], columns[empty]
    keys, group = np.unique(near, axis=0, return_inverse=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    parts = np.split(predicted[order], np.cumsum(np.bincount(group))[:-1]) if len(keys) else []
    middle = np.array([np.median(part, axis=0) for part in parts]).reshape(-1, 2)
    agree = np.linalg.norm(predicted - middle[group], axis=1) <= max(_AGREE * lattice.site_distance, 1.5 * lattice.tolerance)
    group, predicted, columns = group[agree], predicted[agree], columns[agree]
    count = np.bincount(group, minlength=len(keys))
    places = np.stack([np.bincount(group, along, minlength=len(keys)) for along in predicted.T], axis=1).astype(float)
    return np.asarray(places / np.maximum(count, 1)[:, None]), keys[:, :2], keys[:, 2], (group, columns)


def _among(rows: np.ndarray, held: np.ndarray) -> np.ndarray:
    """True for rows of integers (N, 3) that are among others."""
    everything = np.concatenate([rows, held])
    low = everything.min(axis=0)
    sizes = everything.max(axis=0) - low + 1
    code = np.ravel_multi_index(tuple((everything - low).T), tuple(sizes))
    return np.asarray(np.isin(code[: len(rows)], code[len(rows) :]))


def _within_hull(places: np.ndarray, positions: np.ndarray, grown: float) -> np.ndarray:
    """True for places no farther than `grown` px outside the convex hull of positions."""
    sides = ConvexHull(positions).equations
    return np.asarray(np.max(places @ sides[:, :2].T + sides[:, 2], axis=1) <= grown)


def _response(
    image: Any, places: np.ndarray, positions: np.ndarray, pairs: tuple[np.ndarray, np.ndarray], sigma: float
) -> np.ndarray:
    """Difference of Gaussians of the image at places (M,), in units of its mean at the equivalent columns around."""
    plane = np.asarray(image, dtype=np.float32)
    finite = np.isfinite(plane)
    plane = np.where(finite, plane, plane[finite].mean() if finite.any() else 0.0)
    sharp = ndimage.gaussian_filter(plane, sigma) - ndimage.gaussian_filter(plane, 2.5 * sigma)
    here = ndimage.map_coordinates(sharp, places.T, order=1, mode="nearest")
    there = ndimage.map_coordinates(sharp, positions.T, order=1, mode="nearest")
    mean = np.bincount(pairs[0], there[pairs[1]], minlength=len(places)) / np.maximum(
        np.bincount(pairs[0], minlength=len(places)), 1
    )
    return np.asarray(np.where(mean != 0, here / np.where(mean != 0, mean, 1.0), np.nan))
