"""What the colours of the rings mean: a bar with the numbers at its ends and their unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_atomseg.gui.widgets.painted import Painted
from napari_atomseg.plots.picture import FONT_PX

HEIGHT_PX, BAR_PX, STOPS = 30, 10, 16


class ColourBar(Painted):
    """Viridis from a low number to a high one; hidden while colours mean no number."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.low, self.high, self.title = 0.0, 1.0, ""
        self.setObjectName("colour_bar")
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Numbers at the ends of the colours; grey rings have none. What lies beyond has the colour of the end.")
        self.hide()

    def sizeHint(self) -> QSize:  # Qt's name
        """As wide as it gets."""
        return QSize(200, HEIGHT_PX)

    def show_range(self, title: str, unit: str, ends: tuple[float, float] | None) -> None:
        """Show other numbers; None for none.

        Parameters
        ----------
        title, unit : str
        ends : tuple of float, or None
            Numbers at the ends of the colours.
        """
        self.setVisible(ends is not None)
        if ends is not None:
            self.low, self.high = ends
            self.title = f"{title}, {unit}" if unit else title
            self.setAccessibleName(f"{self.title}: {self.low:.4g} to {self.high:.4g}")
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """The colours, and below them the numbers."""
        painter = QPainter(self)
        bar = QRectF(0, 1, self.width(), BAR_PX)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        places = np.linspace(0, 1, STOPS)
        for place, colour in zip(places, ensure_colormap("viridis").map(places), strict=True):
            gradient.setColorAt(float(place), QColor.fromRgbF(*(float(one) for one in colour)))
        painter.fillRect(bar, gradient)
        font = painter.font()
        font.setPixelSize(FONT_PX)
        painter.setFont(font)
        painter.setPen(QColor(self.inks.text))
        below = QRectF(0, BAR_PX + 3, self.width(), HEIGHT_PX - BAR_PX - 3)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{self.low:.4g}")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self.title)
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{self.high:.4g}")
