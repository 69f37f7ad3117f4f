"""The mask of a network as a Labels layer, with a threshold that moves it while it is dragged."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFormLayout, QWidget
from scipy import ndimage
from superqt import QLabeledDoubleSlider

from napari_atomseg.gui.layers.conversion import spatial_options
from napari_atomseg.gui.layers.labels import show_labels
from napari_atomseg.gui.layers.maps import maps_of, task_of

KIND, USUAL = "mask labels", 0.5
LIVE_MS = 30


class MaskRow(QWidget):
    """Threshold of the mask; hidden while there is none.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._image: weakref.ref[Image] | None = None
        self.threshold = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.threshold.setObjectName("mask_threshold")
        self.threshold.setRange(0.01, 0.99)
        self.threshold.setDecimals(2)
        self.threshold.setSingleStep(0.01)
        self.threshold.setValue(USUAL)
        self.threshold.setToolTip("Pixels of the mask map above this value belong to a column. [default: 0.5]")
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(LIVE_MS)
        self._soon.timeout.connect(self.draw)
        self.threshold.valueChanged.connect(lambda _: self._soon.start())
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.addRow("Mask above", self.threshold)
        self.hide()

    def watch(self, image: Image | None) -> None:
        """Follow the mask of another image."""
        self._image = weakref.ref(image) if image is not None else None
        self.setVisible(self._map() is not None)

    def draw(self) -> None:
        """Show the mask at the threshold, in place of our own last one."""
        image, found = self._image() if self._image is not None else None, self._map()
        self.setVisible(found is not None)
        if image is None or found is None:
            return
        labels = labelled(np.asarray(found.data), self.threshold.value())
        show_labels(self._viewer, image, found, labels, spatial_options(found, found.ndim), KIND, "mask")

    def _map(self) -> Image | None:
        image = self._image() if self._image is not None else None
        return next((one for one in maps_of(self._viewer, image) if task_of(one) == "mask"), None)


def labelled(mask: np.ndarray, threshold: float) -> np.ndarray:
    """Each connected piece above a threshold with a number of its own, in (Y, X) or frame by frame in (T, Y, X)."""
    inside = np.nan_to_num(mask) > threshold
    structure = ndimage.generate_binary_structure(mask.ndim, 1)
    if mask.ndim == 3:
        structure[[0, 2]] = False
    return np.asarray(ndimage.label(inside, structure)[0], dtype=np.int32)
