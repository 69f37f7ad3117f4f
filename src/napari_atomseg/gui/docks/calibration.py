"""Give an image a pixel size: typed, from a line of known length, or from a lattice spacing."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDialog, QGridLayout, QGroupBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.analysis.calibrate import pixel_size_from_line
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import format_length, format_pixel_size, parse_length
from napari_atomseg.gui.layers import pixel_size_of, spatial_options
from napari_atomseg.workflows import calibrate_by_lattice

if TYPE_CHECKING:
    from napari_atomseg.gui.panel import AtomSegPanel

LINE_SUFFIX = " | known length"


class CalibrationDialog(QDialog):
    """Stays open beside the canvas, since two of its ways need a click there.

    Parameters
    ----------
    panel : AtomSegPanel
    """

    diffractogram_wanted = Signal()

    def __init__(self, panel: AtomSegPanel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._panel = panel
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
        self.setMinimumWidth(360)
        self.refresh()

    def _typed(self) -> QGroupBox:
        box = QGroupBox("Type it")
        self.size = QLineEdit()
        self.size.setObjectName("pixel_size")
        self.size.setPlaceholderText("for example 9.77 pm, 0.0977 A or 0.01 nm")
        self.size.returnPressed.connect(self.apply_typed)
        button = QPushButton("Use")
        button.clicked.connect(self.apply_typed)
        layout = QHBoxLayout(box)
        layout.addWidget(self.size, 1)
        layout.addWidget(QLabel("per px"))
        layout.addWidget(button)
        return box

    def _line(self) -> QGroupBox:
        box = QGroupBox("A line of known length")
        self.draw = QPushButton("Draw the line")
        self.draw.setToolTip("Adds a layer with the line tool: draw along a scale bar or between two known points.")
        self.draw.clicked.connect(self.draw_line)
        self.length = QLineEdit()
        self.length.setObjectName("line_length")
        self.length.setPlaceholderText("its length, for example 2 nm")
        self.length.returnPressed.connect(self.apply_line)
        button = QPushButton("Use")
        button.clicked.connect(self.apply_line)
        layout = QGridLayout(box)
        layout.addWidget(self.draw, 0, 0, 1, 2)
        layout.addWidget(self.length, 1, 0)
        layout.addWidget(button, 1, 1)
        return box

    def _spacing(self) -> QGroupBox:
        box = QGroupBox("A known lattice spacing")
        self.spacing = QLineEdit()
        self.spacing.setObjectName("lattice_spacing")
        self.spacing.setPlaceholderText("for example 2.761 A")
        self.spacing.setToolTip("Spacing of the lattice planes with the strongest contrast in the image.")
        self.spacing.returnPressed.connect(self.apply_lattice)
        button = QPushButton("Strongest planes")
        button.setToolTip("The strongest spots of the image's diffractogram are these planes.")
        button.clicked.connect(self.apply_lattice)
        choose = QPushButton("Choose a spot …")
        choose.setToolTip("Opens the diffractogram: click the spot that the spacing belongs to.")
        choose.clicked.connect(self.diffractogram_wanted)
        layout = QGridLayout(box)
        layout.addWidget(self.spacing, 0, 0, 1, 2)
        layout.addWidget(button, 1, 0)
        layout.addWidget(choose, 1, 1)
        return box

    def _foot(self) -> QHBoxLayout:
        self.remove = QPushButton("No pixel size")
        self.remove.setToolTip("Forget the pixel size; the image is shown in pixels.")
        self.remove.clicked.connect(lambda: self._apply(None, ""))
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        layout = QHBoxLayout()
        layout.addWidget(self.remove)
        layout.addStretch(1)
        layout.addWidget(close)
        return layout

    def refresh(self) -> None:
        """Say what the pixel size is now."""
        image = self._panel.image
        if image is None:
            self._now.setText("No image is open.")
            return
        pixel_size = pixel_size_of(image)
        self._now.setText(f"<b>{html.escape(image.name)}</b>: {format_pixel_size(pixel_size)}")
        self.remove.setEnabled(pixel_size is not None)

    def apply_typed(self) -> None:
        """Use the typed pixel size."""
        try:
            size = parse_length(self.size.text())
            if size <= 0:
                raise AtomsegError(f'"{self.size.text()}": a pixel size is larger than zero')
        except AtomsegError as error:
            self.message.setText(str(error))
            return
        self._apply((size, size), "you")

    def draw_line(self) -> None:
        """Add the layer for the line, ready to draw."""
        image = self._panel.image
        if image is None:
            return
        layer = self._panel.viewer.add_shapes(
            name=image.name + LINE_SUFFIX,
            edge_color="#f0e442",
            edge_width=max(1, max(image.data.shape[-2:]) / 300),
            **spatial_options(image, 2),
        )
        layer.mode = "add_line"
        self.message.setText("Draw along something of known length, type that length, and press Use.")

    def apply_line(self) -> None:
        """Use the line drawn last and the typed length."""
        image = self._panel.image
        try:
            ends = self._line_ends(image)
            pixel_size = pixel_size_from_line(ends[0], ends[1], parse_length(self.length.text()))
        except AtomsegError as error:
            self.message.setText(str(error))
            return
        for layer in [layer for layer in self._panel.viewer.layers if layer.name == f"{image.name}{LINE_SUFFIX}"]:
            self._panel.viewer.layers.remove(layer)
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
            layer for layer in self._panel.viewer.layers if isinstance(layer, Shapes) and layer.name == name and len(layer.data)
        ]
        if image is None or not layers:
            raise AtomsegError("no line has been drawn yet: press Draw the line, then draw it on the image")
        corners = np.asarray(layers[-1].data[-1])[[0, -1]]
        return [image.world_to_data(layers[-1].data_to_world(corner))[-2:] for corner in corners]

    def apply_lattice(self) -> None:
        """Use the strongest spots of the image and the typed spacing."""
        image = self._panel.image
        if image is None:
            return
        try:
            spacing = parse_length(self.spacing.text())
        except AtomsegError as error:
            self.message.setText(str(error))
            return
        steps = calibrate_by_lattice.steps(self._panel.current_plane(), spacing)
        self._panel.start(steps, lambda found: self._lattice_found(image, found, spacing), "Measuring the lattice")

    def _lattice_found(self, image: Image, pixel_size: tuple[float, float], spacing: float) -> None:
        if image is self._panel.image:
            self._apply(pixel_size, "a lattice spacing")
            count = spacing / pixel_size[0]
            self.message.setText(f"The strongest planes are {count:.2f} px apart, taken for {format_length(spacing)}.")
            self._panel.say(self.message.text())

    def _apply(self, pixel_size: tuple[float, float] | None, source: str) -> None:
        self._panel.head.set_pixel_size(pixel_size, source)
        self.message.setText(f"Now {format_pixel_size(pixel_size)}.")
        self.refresh()
