"""Layers of measured features: arrows whose colour is their direction, and maps between the columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Points, Vectors

from napari_atomseg.core.columns import ATOM_COUNT, SUBLATTICE, Columns
from napari_atomseg.gui.layers.conversion import DIFFERENCE, KEY, derive, ring_diameter, spatial_options
from napari_atomseg.plots.colour_wheel import direction_colours

BRIGHT = 0.6
"""Of the shown range of intensities: numbers on brighter columns are dark."""
MOST_NUMBERS = 5000
"""More numbers on one image cannot be read."""
ARROW_SHARE = 1.5
"""Usual length of an arrow in units of the diameter of a ring."""


def show_arrows(
    viewer: Any,
    image: Image,
    title: str,
    columns: Columns,
    names: tuple[str, str],
    pixel_size: tuple[float, float],
    without: int | None = None,
) -> tuple[Vectors, float] | None:
    """Arrows from the columns, in place of earlier ones of the title; None if no column has such a vector.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    title : str
        Of the layer, after the name of the image.
    columns : Columns
    names : tuple of str
        Features with the (y, x) components, Angstrom.
    pixel_size : tuple of float, Angstrom, (y, x)
    without : int, optional
        A sublattice whose columns get no arrow.

    Returns
    -------
    layer : Vectors
        Coloured by direction: red to the right, then through yellow, green, blue and violet clockwise on the screen.
    factor : float
        By which arrows are longer than the vectors.
    """
    vectors = columns.features[list(names)].to_numpy(float) / np.asarray(pixel_size)
    known = np.isfinite(vectors).all(axis=1) & np.isfinite(columns.positions).all(axis=1)
    if without is not None:
        known &= columns.features[SUBLATTICE].to_numpy() != without
    if not known.any():
        return None
    usual = float(np.sqrt(np.mean(np.sum(vectors[known] ** 2, axis=1))))
    factor = _round(ARROW_SHARE * ring_diameter(columns) / max(usual, 1e-9))
    arrows = np.stack([columns.positions[known], factor * vectors[known]], axis=1)
    if image.ndim == 3:
        frame = columns.frame[known]
        arrows = np.concatenate([np.stack([frame, 0 * frame], axis=1)[..., None], arrows], axis=2)
    _remove(viewer, f"{image.name} | {title}", "arrows")
    colours = direction_colours(vectors[known])
    active = viewer.layers.selection.active
    layer: Vectors = viewer.add_vectors(
        arrows,
        name=f"{image.name} | {title}",
        edge_color=colours,
        edge_width=0.25 * ring_diameter(columns),
        vector_style="arrow",
        metadata={KEY: {"arrows": factor}},
        **spatial_options(image, arrows.shape[2]),
    )
    derive(layer, image)
    viewer.layers.selection.active = active
    return layer, factor


def show_feature_map(viewer: Any, image: Image, name: str, plane: np.ndarray, frame: int) -> Image:
    """A map of a feature above its image, in place of an earlier one; colours from low to high, of signed ones about zero.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    name : str
        Of the feature.
    plane : ndarray, shape (Y, X)
    frame : int
        Of a stack.
    """
    title = f"{image.name} | {name.replace('_', ' ')}"
    _remove(viewer, title, "feature")
    known = plane[np.isfinite(plane)]
    low, high = (float(one) for one in np.percentile(known, (1, 99))) if known.size else (0.0, 1.0)
    signed = low < 0 < high
    end = max(-low, high)
    limits = (-end, end) if signed else (low, high if high > low else low + 1e-12)
    look = {"colormap": DIFFERENCE if signed else "viridis", "contrast_limits": limits}
    return _insert(viewer, image, plane, frame, title, name, **look)


def show_direction_map(viewer: Any, image: Image, title: str, planes: np.ndarray, largest: float, frame: int) -> Image:
    """Vectors between the columns as an image: the colour is the direction, the brightness the length.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    title : str
        Of the layer, after the name of the image.
    planes : ndarray, shape (Y, X, 2), (y, x)
        NaN away from columns.
    largest : float
        Length of the full colour, in the unit of the vectors.
    frame : int
        Of a stack.
    """
    name = f"{image.name} | {title}, direction"
    _remove(viewer, name, "feature")
    return _insert(viewer, image, direction_colours(planes, largest).astype(np.float32), frame, name, title, rgb=True)


def _insert(viewer: Any, image: Image, plane: np.ndarray, frame: int, name: str, feature: str, **look: Any) -> Image:
    """A layer above its image, in its place; what is chosen stays chosen."""
    geometry = spatial_options(image, image.ndim)
    if image.ndim == 3:
        plane = plane[None]
        geometry["translate"] = (geometry["translate"][0] + frame * geometry["scale"][0], *geometry["translate"][1:])
    active = viewer.layers.selection.active
    layer = Image(plane, name=name, opacity=0.7, metadata={KEY: {"feature": feature}}, **look, **geometry)
    derive(layer, image)
    viewer.layers.insert(viewer.layers.index(image) + 1, layer)
    viewer.layers.selection.active = active
    return layer


def show_counts(viewer: Any, image: Image, columns: Columns) -> Points | None:
    """Numbers of atoms on the image, in place of earlier ones; None if there are none, or too many to be read.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    columns : Columns
        With `atom_count`.
    """
    counts = columns.features[ATOM_COUNT].to_numpy(float)
    known = np.isfinite(counts) & np.isfinite(columns.positions).all(axis=1)
    title = f"{image.name} | counts"
    _remove(viewer, title, "counts")
    if not 0 < np.count_nonzero(known) <= MOST_NUMBERS:
        return None
    places = columns.positions[known]
    # Dark on columns that are shown bright, else bright.
    low, high = image.contrast_limits
    top = columns.features[["intensity", "background"]].sum(axis=1).to_numpy(float)[known]
    colours = np.where((top > low + BRIGHT * (high - low))[:, None], np.array([0, 0, 0, 1.0]), np.ones(4))
    if image.ndim == 3:
        places = np.column_stack([columns.frame[known], places])
    active = viewer.layers.selection.active
    layer: Points = viewer.add_points(
        places,
        name=title,
        size=0.01,
        face_color="transparent",
        border_color="transparent",
        text={"string": [f"{one:.0f}" for one in counts[known]], "color": colours, "size": 9, "anchor": "center"},
        metadata={KEY: {"counts": True}},
        **spatial_options(image, places.shape[1]),
    )
    derive(layer, image)
    layer.editable = False
    viewer.layers.selection.active = active
    return layer


def _round(factor: float) -> float:
    """A factor to one or two digits, as 5, 20 or 25."""
    power = 10.0 ** np.floor(np.log10(factor))
    return float(max(step for step in (1, 2, 2.5, 5) if step * power <= factor * 1.001) * power)


def _remove(viewer: Any, name: str, kind: str) -> None:
    for layer in [one for one in viewer.layers if one.name == name and kind in (one.metadata.get(KEY) or {})]:
        viewer.layers.remove(layer)
