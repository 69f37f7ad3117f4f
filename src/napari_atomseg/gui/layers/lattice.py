"""Layers of a lattice: the lines of its cells, and its sites that hold no column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Points, Vectors
from napari.utils.colormaps.standardize_color import transform_color

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.layers.conversion import KEY, spatial_options, to_points

if TYPE_CHECKING:
    from napari_atomseg.analysis.lattice.lattice import Lattice

LINE_COLOUR = "#56b4e9"
VACANT_COLOUR = "#cc79a7"
OVERLOOKED_COLOUR = "#f0e442"
OVERLOOKED = 0.5
"""Response, relative to the columns around, above which the image itself shows something at an empty site."""


def show_cells(viewer: Any, image: Image, lattice: Lattice, positions: np.ndarray) -> Vectors:
    """Draw the cells in a layer of the image, in place of an earlier one; what was active stays active.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    lattice : Lattice
    positions : ndarray, shape (N, 2), px, (y, x)
        Of its columns.
    """
    name = f"{image.name} | lattice"
    _remove(viewer, name, "lattice")
    active = viewer.layers.selection.active
    layer: Vectors = viewer.add_vectors(
        cell_lines(lattice, positions),
        name=name,
        edge_color=LINE_COLOUR,
        edge_width=0.04 * lattice.site_distance,
        vector_style="line",
        opacity=0.8,
        metadata={KEY: {"lattice": True}},
        **spatial_options(image, 2),
    )
    viewer.layers.selection.active = active
    return layer


def show_sites(viewer: Any, image: Image, sites: Columns, size: float) -> Points | None:
    """Mark sites that hold no column, in place of earlier marks; None if there are none, or the image is gone.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    sites : Columns
        With `confidence`, `response`, `around` and `sublattice`.
    size : float, px
        Diameter of a mark.
    """
    name = f"{image.name} | suggested"
    _remove(viewer, name, "suggested")
    if len(sites) == 0 or image not in viewer.layers:
        return None
    seen = overlooked(sites)
    colours = np.where(seen[:, None], transform_color(OVERLOOKED_COLOUR), transform_color(VACANT_COLOUR))
    data = to_points(sites, image.ndim == 3)
    layer: Points = viewer.add_points(
        data,
        name=name,
        features=sites.features[["confidence", "response", "around", "sublattice"]],
        symbol="diamond",
        size=size,
        face_color="transparent",
        border_color=colours,
        border_width=0.12,
        border_width_is_relative=True,
        metadata={KEY: {"suggested": sites}},
        **spatial_options(image, data.shape[1]),
    )
    layer.mode = "select"
    return layer


def overlooked(sites: Columns) -> np.ndarray:
    """True for sites at which the image shows something, shape (N,)."""
    return np.asarray(sites.features["response"].to_numpy(float) > OVERLOOKED)


def cell_lines(lattice: Lattice, positions: np.ndarray) -> np.ndarray:
    """Lines between neighbouring sites 0 that hold a column, shape (M, 2, 2): start and direction (y, x), px."""
    first = np.flatnonzero(lattice.site == 0)
    starts = positions[first] - lattice.residual[first]
    cells = {tuple(cell): row for row, cell in enumerate(lattice.indices[first].tolist())}
    lines = []
    for (one, two), row in cells.items():
        for neighbour in ((one + 1, two), (one, two + 1)):
            if neighbour in cells:
                lines.append((starts[row], starts[cells[neighbour]] - starts[row]))
    return np.array(lines).reshape(-1, 2, 2)


def _remove(viewer: Any, name: str, kind: str) -> None:
    """Remove our own earlier layer of that name; a layer of somebody else stays."""
    for layer in [one for one in viewer.layers if one.name == name and kind in (one.metadata.get(KEY) or {})]:
        viewer.layers.remove(layer)
