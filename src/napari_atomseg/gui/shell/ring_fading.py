"""Rings that become small on the screen become faint: many of them would hide the image like a tile."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from napari.layers import Points
from qtpy.QtCore import QObject, QTimer

from napari_atomseg.gui.documents.editing import has_session

FULL_PX, LEAST = 7.0, 0.25
"""Diameter on the screen from which on rings are drawn in full, and the opacity of the smallest ones."""
REST_MS = 40


class RingFading(QObject):
    """Follows the zoom; a layer whose opacity a hand has set is left alone.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._set: weakref.WeakKeyDictionary[Points, float] = weakref.WeakKeyDictionary()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(REST_MS)
        self._soon.timeout.connect(self.fade)
        viewer.scene.camera.events.zoom.connect(self._later)
        viewer.layers.events.inserted.connect(self._later)

    def _later(self, event: Any = None) -> None:
        try:
            if not self._soon.isActive():
                self._soon.start()
        except RuntimeError:  # napari keeps the callback longer than Qt this object
            return

    def fade(self) -> None:
        """Give every document the opacity that belongs to the zoom."""
        for layer in self._viewer.layers:
            if not has_session(layer) or len(layer.size) == 0:
                continue
            if abs(layer.opacity - self._set.get(layer, 1.0)) > 1e-6:
                continue
            on_screen = float(np.max(layer.size[:1]) * layer.scale[-1] * self._viewer.scene.camera.zoom)
            opacity = float(np.clip(on_screen / FULL_PX, LEAST, 1.0))
            if abs(opacity - layer.opacity) > 0.02 or opacity in (LEAST, 1.0):
                self._set[layer] = layer.opacity = opacity
