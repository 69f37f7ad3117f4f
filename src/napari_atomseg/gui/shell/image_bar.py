"""The head of the panel: which image is worked on, and what its pixels measure."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Points
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.gui.documents.editing import has_session, session_of
from napari_atomseg.gui.layers.conversion import (
    calibrate,
    pixel_size_of,
    source_of,
    spatial_options,
    to_micrograph,
    usable_image,
    works_alone,
)
from napari_atomseg.gui.layers.fitting_view import fit_view
from napari_atomseg.gui.layers.structures import method_of
from napari_atomseg.gui.shell.calibration_from_file import CalibrationFromFile
from napari_atomseg.gui.widgets.elided import ElidedComboBox, ElidedLabel
from napari_atomseg.gui.widgets.link_label import AMBER


class ImageBar(QWidget):
    """Choice of the image, its facts, and the calibration chip."""

    image_changed = Signal()
    calibrated = Signal()
    picked = Signal(object)
    """The image that a hand has just chosen in the list."""
    set_by_hand = Signal(object)
    """The image that a hand has just given another pixel size."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._image: weakref.ref[Image] | None = None
        self._calibrator = CalibrationFromFile(viewer, self)
        self._build()
        self._connect()

    def _build(self) -> None:
        self.chooser = ElidedComboBox()
        self.chooser.setObjectName("image")
        self.chooser.setToolTip("The image that the pages below work on.")
        self.chooser.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.chooser.setMinimumContentsLength(12)
        self.chooser.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.facts = ElidedLabel()
        self.chip = QPushButton("no pixel size")
        self.chip.setObjectName("calibration")
        self.chip.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.menu_button = QToolButton()
        self.menu_button.setText("☰")
        self.menu_button.setObjectName("tools")
        self.menu_button.setToolTip("Open, diffractogram, what the file says, export …")
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.menu_button)
        self.menu_button.setMenu(self.menu)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.chooser, 1)
        first.addWidget(self.menu_button)
        second.addWidget(self.chip, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(first)
        layout.addWidget(self.facts)
        layout.addLayout(second)

    def _connect(self) -> None:
        layers = self._viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.reordered):
            event.connect(self.refresh)
        layers.selection.events.active.connect(self._follow_selection)
        self.chooser.activated.connect(self._choose)
        self._calibrator.calibration_found.connect(self._on_adopted)
        self._viewer.dims.events.current_step.connect(self._show_facts)

    @property
    def image(self) -> Image | None:
        """The chosen image layer, if it is still in the viewer."""
        image = self._image() if self._image is not None else None
        return image if image is not None and image in self._viewer.layers else None

    def choose(self, image: Image | None) -> None:
        """Work on another image."""
        if image is self.image and image is not None:
            self._show_facts()
            return
        self._image = weakref.ref(image) if image is not None else None
        self._fill()
        self._show_facts()
        self.image_changed.emit()

    def refresh(self, event: Any = None) -> None:
        """Follow the layer list."""
        for layer in self._viewer.layers:
            layer.events.name.disconnect(self._fill)
            layer.events.name.connect(self._fill)
            self._calibrator.consider(layer)
        images = self._images()
        newest = getattr(event, "value", None) if event is not None and getattr(event, "type", "") == "inserted" else None
        if usable_image(newest) and source_of(newest) is None and not method_of(newest):
            # Simulated images lie beside the experiment, which stays the one that is worked on.
            self.choose(newest)
        elif self.image is None:
            self.choose(images[-1] if images else None)
        self._fill()
        self._show_facts()

    def set_pixel_size(self, pixel_size: tuple[float, float] | None, source: str) -> None:
        """Calibrate the chosen image and every layer that belongs to it."""
        image = self.image
        if image is None:
            return
        self.calibrate_image(image, pixel_size, source)
        self.set_by_hand.emit(image)

    def calibrate_image(self, image: Image, pixel_size: tuple[float, float] | None, source: str) -> None:
        """Give the same grid to an image and to whatever was found or drawn on it.

        Parameters
        ----------
        image : Image
        pixel_size : tuple of float, Å, (y, x), or None
        source : str
            Where it comes from, such as ``typed``.
        """
        company = [layer for layer in self._viewer.layers if lies_on(layer, image)]
        calibrate(image, pixel_size, source)
        for layer in company:
            # All but the last two axes are the layer's own.
            new = spatial_options(image, 2)
            layer.scale = (*layer.scale[:-2], *new["scale"])
            layer.units = (*(str(unit) for unit in layer.units[:-2]), *new["units"])
        fit_view(self._viewer, image)
        self._show_facts()
        self.calibrated.emit()

    def _images(self) -> list[Image]:
        return [layer for layer in self._viewer.layers if usable_image(layer)]

    def _fill(self, event: Any = None) -> None:
        images = self._images()
        self.chooser.blockSignals(True)
        self.chooser.clear()
        for image in images:
            self.chooser.addItem(image.name)
            self.chooser.setItemData(self.chooser.count() - 1, image.name, Qt.ItemDataRole.ToolTipRole)
        current = self.image
        self.chooser.setCurrentIndex(images.index(current) if current in images else -1)
        self.chooser.setEnabled(bool(images))
        self.chooser.setPlaceholderText("no image")
        self.chooser.blockSignals(False)

    def _choose(self, index: int) -> None:
        images = self._images()
        if 0 <= index < len(images):
            self.choose(images[index])
            self.picked.emit(images[index])

    def _follow_selection(self, event: Any = None) -> None:
        active = self._viewer.layers.selection.active
        if usable_image(active) and works_alone(active):
            # What was simulated becomes the image only where there is no other, or in the list above.
            if not method_of(active) or self.image is None:
                self.choose(active)
        elif isinstance(active, Points) and has_session(active):
            image = session_of(active).image
            if image is not None and image in self._viewer.layers:
                self.choose(image)

    def _on_adopted(self, image: Image, found: Micrograph) -> None:
        if image in self._viewer.layers:
            self.calibrate_image(image, found.pixel_size, found.pixel_size_source)

    def _show_facts(self, event: Any = None) -> None:
        image = self.image
        if image is None:
            self.facts.setText("")
            self._show_chip("no image", "", False)
            self.chip.setEnabled(False)
            return
        self.chip.setEnabled(True)
        shape = image.data.shape
        size = f"{shape[-1]} × {shape[-2]} px, {image.data.dtype}"
        if len(shape) == 3:
            size = f"frame {self._viewer.dims.current_step[0] + 1} of {shape[0]}, {size}"
        micrograph = to_micrograph(image)
        modality = f", {micrograph.modality.upper()}" if micrograph.modality else ""
        self.facts.setText(size + modality)
        pixel_size = pixel_size_of(image)
        if pixel_size is None:
            note = " ".join(micrograph.notes) or "The file gives no pixel size."
            self._show_chip("no pixel size – set", note, True)
        else:
            source = micrograph.pixel_size_source or "the layer"
            note = " ".join(micrograph.notes)
            self._show_chip(f"{format_pixel_size(pixel_size)} – from {source}", note, False)

    def _show_chip(self, text: str, note: str, amber: bool) -> None:
        self.chip.setText(text)
        self.chip.setToolTip(
            (note + "\n" if note else "") + "Click to type a pixel size, draw a known length, or use a known spacing."
        )
        self.chip.setStyleSheet(f"QPushButton {{ color: {AMBER}; font-weight: bold; }}" if amber else "")


def lies_on(layer: Layer, image: Image) -> bool:
    """True for an image's document, for what we made from it, and for shapes and the like of its pixels' scale and units."""
    if isinstance(layer, Image):
        return source_of(layer) is image
    if has_session(layer) and session_of(layer).image is not None:
        return session_of(layer).image is image
    same_scale = np.allclose(layer.scale[-2:], image.scale[-2:], rtol=1e-9, atol=0)
    return same_scale and tuple(layer.units[-2:]) == tuple(image.units[-2:])
