"""Sites of a sequence as rings on the average, coloured by what happens there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image, Points
from scipy.spatial import cKDTree

from napari_atomseg.gui.layers.conversion import KEY, RING_WIDTH, SPACING_SHARE, spatial_options

if TYPE_CHECKING:
    import pandas as pd

    from napari_atomseg.workflows import Sequence

COLOURS = ("occupancy", "appearances", "disappearances", "hops")
"""Features that the rings can show."""
LONE_PX = 10.0
"""Diameter of the ring of a lone site, px."""
_sequences: WeakKeyDictionary[Points, Sequence] = WeakKeyDictionary()
_sites: WeakKeyDictionary[Image, Points] = WeakKeyDictionary()


def sites_layer(viewer: Any, image: Image | None) -> Points | None:
    """The newest sites of a stack that are still in the viewer."""
    layer = _sites.get(image) if image is not None else None
    return layer if layer is not None and layer in viewer.layers else None


def sequence_of(layer: Points | None) -> Sequence | None:
    """What happens at the sites of a layer."""
    return _sequences.get(layer) if layer is not None else None


def show_sites(viewer: Any, image: Image, found: Sequence, colour_by: str) -> Points:
    """Sites as rings, in place of our own last ones unless a hand has changed them.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        The stack.
    found : Sequence
    colour_by : str
        One of :data:`COLOURS`.
    """
    earlier = sites_layer(viewer, image)
    if earlier is not None and not earlier.locked and untouched(earlier):
        viewer.layers.remove(earlier)
    places = found.sites[["y_px", "x_px"]].to_numpy(float)
    layer: Points = viewer.add_points(
        places,
        name=f"{image.name} | sites",
        features=found.sites.drop(columns=["y_px", "x_px"]),
        size=_diameter(places),
        face_color="transparent",
        border_width=RING_WIDTH,
        border_width_is_relative=True,
        canvas_size_limits=(0, 10000),
        metadata={KEY: {"sites": places.copy()}},
        **spatial_options(image, 2),
    )
    _sites[image], _sequences[layer] = layer, found
    colour_sites(layer, colour_by)
    layer.mode = "select"
    return layer


def untouched(layer: Points) -> bool:
    """Whether the sites are still where they were put."""
    ours = layer.metadata.get(KEY, {}).get("sites")
    return ours is not None and np.shape(ours) == np.shape(layer.data) and np.allclose(ours, layer.data)


def colour_sites(layer: Points, name: str) -> None:
    """Colour the rings by a feature: occupancy from 0 to 1, events from 0 to the most at a site."""
    layer.border_colormap = "viridis"
    layer.border_color = name
    # napari takes the limits of the values when the feature changes.
    layer.border_contrast_limits = colour_ends(layer, name)
    layer.refresh_colors(update_color_mapping=False)


def colour_ends(layer: Points, name: str) -> tuple[float, float]:
    """Numbers at the ends of the colours of a feature."""
    return 0.0, 1.0 if name == "occupancy" else max(1.0, float(np.nanmax(layer.features[name], initial=0.0)))


def chosen_sites(layer: Points) -> pd.Series:
    """Numbers of the selected sites, in order."""
    rows = sorted(int(row) for row in layer.selected_data)
    return layer.features["site"].iloc[rows]


def _diameter(places: np.ndarray) -> float:
    if len(places) < 2:
        return LONE_PX
    return max(2.0, SPACING_SHARE * float(np.median(cKDTree(places).query(places, k=2)[0][:, 1])))
