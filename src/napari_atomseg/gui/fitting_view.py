"""The view that shows one layer whole: napari's own takes hidden layers into account as well."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer

MARGIN = 0.05


def fit_view(viewer: Any, layer: Layer) -> None:
    """Centre the camera on a layer and zoom so that all of it is seen."""
    low, high = (np.asarray(end[-2:], dtype=float) for end in layer.extent.world)
    size = np.maximum(high - low, 1e-12)
    canvas = np.asarray(viewer.canvas.size, dtype=float)
    camera = viewer.scene.camera
    centre = list(camera.center)
    centre[-2:] = [float(one) for one in (low + high) / 2]
    camera.center = tuple(centre)
    camera.zoom = float((canvas / size).min() * (1 - MARGIN))
