"""Give an image a pixel size: typed, from a line of known length, or from a lattice spacing."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDialog, QGridLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import believable_pixel_size, format_length, format_pixel_size
from napari_atomseg.gui.layers.conversion import pixel_size_of, spatial_options
from napari_atomseg.gui.widgets.controls import teach
from napari_atomseg.gui.widgets.lengths import LengthField
from napari_atomseg.workflows import calibrate_by_lattice, pixel_size_from_line

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

LINE_SUFFIX = " | known length"
NO_LINE = "no line yet"


class CalibrationDialog(QDialog):
    """Stays open beside the canvas, since two of its ways need a click there.

    Parameters
    ----------
    host : Host
        The panel.
    """

    diffractogram_wanted = Signal()

    def __init__(self, host: Host, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self.setWindowTitle("Pixel size")
        self.setObjectName("CalibrationDialog")
        self._now = QLabel()
        self._now.setWordWrap(True)
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        layout = QVBoxLayout(self)
        layout.addWidget(self._now)
        layout.addWidget(self._typed())
        layout.addWidget(self._line())
        layout.addWidget(self._spacing())
        layout.addWidget(self.message)
        layout.addLayout(self._foot())
        teach(self)
        self.refresh()

    def show_beside_the_image(self) -> None:
        """Open over the panel: two of the ways need a click or a line on the image."""
        self.refresh()
        self.show()
        self.raise_()
        # The shortest window, so that all of it lies over the panel.
        self.resize(self._host.width(), self.sizeHint().height())
        corner = self._host.image_bar.mapToGlobal(self._host.image_bar.rect().bottomLeft())
        self.move(corner)

    def _typed(self) -> QGroupBox:
        box = QGroupBox("Type it")
        self.size = LengthField("pixel_size", "pm", "for example 9.77", "Side of one pixel on the specimen.")
        self.size.entered.connect(self.apply_typed)
        layout = QHBoxLayout(box)
        layout.addWidget(self.size, 1)
        layout.addWidget(QLabel("per px"))
        layout.addWidget(_button("Use", "Give the image the typed pixel size.", self.apply_typed))
        return box

    def _line(self) -> QGroupBox:
        box = QGroupBox("A line of known length")
        tip = "Adds a layer with the line tool: draw along a scale bar or between two known points."
        self.draw = _button("Draw the line", tip, self.draw_line)
        self.drawn = QLabel(NO_LINE)
        self.drawn.setObjectName("line_in_px")
        self.length = LengthField(
            "line_length", "nm", "its length, for example 2", "What the drawn line measures on the specimen."
        )
        self.length.entered.connect(self.apply_line)
        layout = QGridLayout(box)
        layout.addWidget(self.draw, 0, 0)
        layout.addWidget(self.drawn, 0, 1)
        layout.addWidget(self.length, 1, 0)
        layout.addWidget(_button("Use", "Divide the typed length by that of the line.", self.apply_line), 1, 1)
        return box

    def _spacing(self) -> QGroupBox:
        box = QGroupBox("A known lattice spacing")
        tip = "Spacing of the lattice planes with the strongest contrast in the image."
        self.spacing = LengthField("lattice_spacing", "Å", "for example 2.761", tip)
        self.spacing.entered.connect(self.apply_lattice)
        strongest = "The strongest spots of the image's diffractogram are these planes."
        choose = "Opens the diffractogram: click the spot that the spacing belongs to."
        layout = QGridLayout(box)
        layout.addWidget(self.spacing, 0, 0, 1, 2)
        layout.addWidget(_button("Strongest planes", strongest, self.apply_lattice), 1, 0)
        layout.addWidget(_button("Choose a spot …", choose, self.diffractogram_wanted.emit), 1, 1)
        return box

    def _foot(self) -> QHBoxLayout:
        tip = "Forget the pixel size; the image is shown in pixels."
        self.remove = _button("No pixel size", tip, lambda: self._apply(None, ""))
        close = _button("Close", "Close this window; the pixel size stays as it is.", self.close)
        layout = QHBoxLayout()
        layout.addWidget(self.remove)
        layout.addStretch(1)
        layout.addWidget(close)
        return layout

    def refresh(self) -> None:
        """Say what the pixel size is now."""
        image = self._host.image
        if image is None:
            self._now.setText("No image is open.")
            return
        pixel_size = pixel_size_of(image)
        self._now.setText(f"<b>{html.escape(image.name)}</b>: {format_pixel_size(pixel_size)}")
        self.remove.setEnabled(pixel_size is not None)

    def apply_typed(self) -> None:
        """Use the typed pixel size."""
        try:
            size = believable_pixel_size(self.size.value())
        except AtomsegError as error:
            self.message.setText(str(error))
            return
        self._apply((size, size), "you")

    def draw_line(self) -> None:
        """Add the layer for the line, ready to draw."""
        image = self._host.image
        if image is None:
            return
        layer = self._host.viewer.add_shapes(
            name=image.name + LINE_SUFFIX,
            edge_color="#f0e442",
            edge_width=max(1, max(image.data.shape[-2:]) / 300),
            **spatial_options(image, 2),
        )
        layer.mode = "add_line"
        # While the hand draws, only `set_data` is heard.
        layer.events.set_data.connect(self._show_drawn)
        layer.events.data.connect(self._show_drawn)
        self.message.setText("Draw along something of known length, type that length, and press Use.")

    def _show_drawn(self, event: Any = None) -> None:
        """Say how long the line is in pixels."""
        try:
            ends = self._line_ends(self._host.image)
        except AtomsegError:
            self.drawn.setText(NO_LINE)
            return
        self.drawn.setText(f"{math.dist(*ends):.1f} px")

    def apply_line(self) -> None:
        """Use the line drawn last and the typed length."""
        image = self._host.image
        try:
            ends = self._line_ends(image)
            pixel_size = pixel_size_from_line(ends[0], ends[1], self.length.value())
        except AtomsegError as error:
            self.message.setText(str(error))
            return
        for layer in [layer for layer in self._host.viewer.layers if image and layer.name == f"{image.name}{LINE_SUFFIX}"]:
            self._host.viewer.layers.remove(layer)
        self._show_drawn()
        self._apply(pixel_size, "a line")

    def _line_ends(self, image: Image | None) -> Any:
        """Both ends of the line drawn last, in pixels of the image.

        Raises
        ------
        AtomsegError
            If no line has been drawn.
        """
        name = f"{image.name}{LINE_SUFFIX}" if image is not None else ""
        layers = [
            layer for layer in self._host.viewer.layers if isinstance(layer, Shapes) and layer.name == name and len(layer.data)
        ]
        if image is None or not layers:
            raise AtomsegError("no line has been drawn yet: press Draw the line, then draw it on the image")
        corners = np.asarray(layers[-1].data[-1])[[0, -1]]
        return [image.world_to_data(layers[-1].data_to_world(corner))[-2:] for corner in corners]

    def apply_lattice(self) -> None:
        """Use the strongest spots of the image and the typed spacing."""
        image = self._host.image
        if image is None:
            return
        try:
            spacing = self.spacing.value()
        except AtomsegError as error:
            self.message.setText(str(error))
            return
        steps = calibrate_by_lattice.steps(self._host.current_plane(), spacing)
        self._host.start(steps, lambda found: self._lattice_found(image, found, spacing), "Measuring the lattice")

    def _lattice_found(self, image: Image, pixel_size: tuple[float, float], spacing: float) -> None:
        if image is self._host.image:
            self._apply(pixel_size, "a lattice spacing")
            count = spacing / pixel_size[0]
            self.message.setText(f"The strongest planes are {count:.2f} px apart, taken for {format_length(spacing)}.")
            self._host.say(self.message.text())

    def _apply(self, pixel_size: tuple[float, float] | None, source: str) -> None:
        self._host.set_pixel_size(pixel_size, source)
        self.message.setText(f"Now {format_pixel_size(pixel_size)}.")
        self.refresh()


def _button(text: str, tip: str, action: Callable[[], Any]) -> QPushButton:
    """A button that only its own click presses: Return in a field belongs to the field."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.clicked.connect(lambda _=False: action())
    return button
