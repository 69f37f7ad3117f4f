"""Rings of a sheet of carbon as polygons, coloured by how many atoms they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Shapes

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.layers.conversion import KEY, derive, spatial_options

if TYPE_CHECKING:
    import pandas as pd

COLOURS = {5: "#0072B2", 6: "#999999", 7: "#E69F00", 8: "#009E73"}
"""By the number of atoms, told apart by the colour-blind too (Okabe & Ito)."""
LARGER = "#CC79A7"
NAMES = {5: "blue", 6: "grey", 7: "orange", 8: "green"}
IN_WORDS = ", ".join(f"{size} {name}" for size, name in NAMES.items()) + ", larger ones pink"
OPACITY = 0.45
KIND = "rings of atoms"


def show_rings(viewer: Any, image: Image, columns: Columns, table: pd.DataFrame) -> Shapes | None:
    """Polygons of an image right above it, in place of earlier ones; None if there are none.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    columns : Columns
        That were measured.
    table : DataFrame
        One row for each ring: ``size``, ``atoms`` (rows of the table of columns), ``frame``.
    """
    name = f"{image.name} | rings"
    for layer in [one for one in viewer.layers if (one.metadata.get(KEY) or {}).get("kind") == KIND and one.name == name]:
        viewer.layers.remove(layer)
    corners = [np.array([int(one) for one in str(atoms).split()]) for atoms in table["atoms"]]
    kept = [row for row, atoms in enumerate(corners) if len(atoms) > 2]
    if not kept:
        return None
    frames = table["frame"].to_numpy()
    polygons = []
    for row in kept:
        polygon = columns.positions[corners[row]]
        if image.ndim == 3:
            polygon = np.column_stack([np.full(len(polygon), frames[row]), polygon])
        polygons.append(polygon)
    colours = [COLOURS.get(int(table["size"].iloc[row]), LARGER) for row in kept]
    active = viewer.layers.selection.active
    layer = Shapes(
        polygons,
        shape_type="polygon",
        name=name,
        face_color=colours,
        edge_color=colours,
        edge_width=0,
        opacity=OPACITY,
        features=table.iloc[kept][["ring", "size"]].reset_index(drop=True),
        metadata={KEY: {"kind": KIND}},
        **spatial_options(image, image.ndim),
    )
    derive(layer, image)
    layer.editable = False
    viewer.layers.insert(viewer.layers.index(image) + 1, layer)
    viewer.layers.selection.active = active
    return layer
