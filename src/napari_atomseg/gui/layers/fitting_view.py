"""The view that shows chosen layers whole: napari's own takes hidden layers into account as well."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer

MARGIN = 0.05


def fit_view(viewer: Any, *layers: Layer) -> None:
    """Centre the camera on one layer or several, and zoom so that all of them is seen."""
    low, high = corners_of(*layers)
    size = np.maximum(high - low, 1e-12)
    canvas = np.asarray(viewer.canvas.size, dtype=float)
    camera = viewer.scene.camera
    centre = list(camera.center)
    centre[-2:] = [float(one) for one in (low + high) / 2]
    camera.center = tuple(centre)
    camera.zoom = float((canvas / size).min() * (1 - MARGIN))


def fill_view(viewer: Any, layer: Layer) -> None:
    """Zoom in on a layer of which all is in view; where only a part of it is looked at, that stays."""
    low, high = corners_of(layer)
    camera = viewer.scene.camera
    half = np.asarray(viewer.canvas.size, dtype=float) / (2 * camera.zoom)
    centre = np.asarray(camera.center[-2:], dtype=float)
    if np.all(low >= centre - half) and np.all(high <= centre + half):
        fit_view(viewer, layer)


def corners_of(*layers: Layer) -> tuple[np.ndarray, np.ndarray]:
    """First and last corner (y, x) of what layers cover together, in the units of the canvas."""
    ends = np.array([layer.extent.world[:, -2:] for layer in layers], dtype=float)
    return ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)
