"""Calibrate images that napari's own reader opened without their calibration, from their file, in the background."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from pathlib import Path
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.jobs.workers import Work
from napari_atomseg.gui.layers.conversion import KEY, pixel_size_of, usable_image
from napari_atomseg.gui.preferences import PLUGIN


class CalibrationFromFile(QObject):
    """Looks into the file of each uncalibrated image that another reader opened, once."""

    calibration_found = Signal(object, object)
    """The layer, and the micrograph whose pixel size it gets."""

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._seen: weakref.WeakSet[Layer] = weakref.WeakSet()
        self._work: set[Work] = set()

    def consider(self, layer: Layer) -> None:
        """Start reading the layer's file if that can help."""
        if layer in self._seen or not usable_image(layer):
            return
        self._seen.add(layer)
        path = layer.source.path
        ours = layer.source.reader_plugin in (None, PLUGIN) or KEY in layer.metadata
        if ours or not path or pixel_size_of(layer) is not None or any(step != 1 for step in layer.scale):
            return
        work = Work(_read_quietly(Path(path)))
        self._work.add(work)
        reference = weakref.ref(layer)
        work.finished.connect(lambda found: self._take(reference, found))
        work.ended.connect(lambda: self._work.discard(work))
        work.start()

    def _take(self, reference: weakref.ref[Layer], found: list[Micrograph]) -> None:
        layer = reference()
        if layer is None or pixel_size_of(layer) is not None:
            return
        fitting = [one for one in found if one.shape == tuple(layer.data.shape) and one.pixel_size is not None]
        if len(fitting) == 1:
            self.calibration_found.emit(layer, fitting[0])


def _read_quietly(path: Path) -> Generator[Progress, None, list[Micrograph]]:
    """What our own reader says of the file; nothing if it says nothing."""
    from napari_atomseg.workflows import read

    yield Progress(0, 0, "reading the calibration")
    try:
        return read(path)
    except AtomsegError:
        return []
