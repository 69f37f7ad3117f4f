"""Numbered regions of an image as Labels layers above it, in place of our own last ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer

from napari_atomseg.gui.layers.conversion import KEY, derive, source_of

OPACITY = 0.5


def show_labels(
    viewer: Any, image: Image, above: Layer, numbers: np.ndarray, geometry: Mapping[str, Any], kind: str, name: str
) -> Labels:
    """Show numbered regions of an image; an earlier layer of theirs that is not locked is changed.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    above : Layer
        The layer right above which they are put.
    numbers : ndarray of int
        0 for none.
    geometry : mapping
        Where they lie: napari's options of the new layer.
    kind : str
        Of what they show, see :func:`is_kind`.
    name : str
        What the layer is called, after the image's name.
    """
    earlier = [one for one in viewer.layers if is_kind(one, kind) and source_of(one) is image and not one.locked]
    if earlier and earlier[-1].data.shape == numbers.shape:
        earlier[-1].data, earlier[-1].translate = numbers, geometry["translate"]
        return earlier[-1]
    layer = Labels(numbers, metadata={KEY: {"kind": kind}}, name=f"{image.name} | {name}", opacity=OPACITY, **geometry)
    derive(layer, image)  # what was made of an image need not be one
    active = viewer.layers.selection.active
    viewer.layers.insert(viewer.layers.index(above) + 1, layer)
    viewer.layers.selection.active = active
    return layer


def is_kind(layer: Any, kind: str) -> bool:
    """True for Labels layers that show this."""
    ours = layer.metadata.get(KEY) if isinstance(layer, Labels) else None
    return isinstance(ours, dict) and ours.get("kind") == kind
