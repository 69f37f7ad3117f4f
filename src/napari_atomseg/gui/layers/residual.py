"""What a fit leaves of an image, as a layer right above it."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_atomseg.gui.layers.conversion import DIFFERENCE, KEY, derive, source_of, spatial_options

RESIDUAL = "residual"
SHOWN_PERCENT = 99.5
"""Share of a residual's pixels that the colours tell apart."""


def show_residual(viewer: Any, image: Image, left: np.ndarray, frame: int) -> Image:
    """Put what a fit leaves of one frame, (Y, X), above its image, in place of the last one unless that is locked.

    What was active stays active: a residual is looked at, not worked on.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    left : ndarray, shape (Y, X)
        Image minus fit, in units of the image; NaN where nothing is known.
    frame : int
        Counted from 0.
    """
    finite = np.abs(left[np.isfinite(left)])
    limit = max(float(np.percentile(finite, SHOWN_PERCENT)) if finite.size else 0.0, 1e-12)
    geometry = spatial_options(image, image.ndim)
    if image.ndim == 3:
        # One frame of a stack is seen where the stack shows that frame.
        left = left[None]
        geometry["translate"] = (geometry["translate"][0] + frame * geometry["scale"][0], *geometry["translate"][1:])
    active = viewer.layers.selection.active
    earlier = [layer for layer in viewer.layers if source_of(layer) is image and is_residual(layer) and not layer.locked]
    if earlier:
        layer = earlier[-1]
        layer.data = left
        for name, value in geometry.items():
            setattr(layer, name, value)
        layer.visible = True
    else:
        options = {"name": f"{image.name} | residual", "colormap": DIFFERENCE, "metadata": {KEY: {"kind": RESIDUAL}}}
        layer = Image(left, contrast_limits=(-limit, limit), **options, **geometry)
        derive(layer, image)
        viewer.layers.insert(viewer.layers.index(image) + 1, layer)
    layer.contrast_limits_range = (-max(limit, float(finite.max(initial=0.0))), max(limit, float(finite.max(initial=0.0))))
    layer.contrast_limits = (-limit, limit)
    viewer.layers.selection.active = active
    return layer


def is_residual(layer: Any) -> bool:
    """True for what a fit has left, not for maps and the like."""
    ours = layer.metadata.get(KEY)
    return isinstance(ours, dict) and ours.get("kind") == RESIDUAL
