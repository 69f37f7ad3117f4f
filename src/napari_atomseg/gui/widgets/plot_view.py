"""A plot in a page or a dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from napari_atomseg.gui.widgets.painted import Painted
from napari_atomseg.plots.picture import Inks, Plot, pixels_of


class PlotView(Painted):
    """Shows a plot, or a sentence where there is none; drawn when it is looked at, and again only when something has changed.

    Parameters
    ----------
    viewer : napari viewer
    empty : str
        What is said while there is no plot.
    """

    def __init__(self, viewer: Any, empty: str = "", parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.empty = empty
        self.plot: Plot | None = None
        self._drawn: tuple[Plot, tuple[int, int], Inks, float] | None = None
        self._picture = QImage()

    def show_plot(self, plot: Plot | None) -> None:
        """Show another plot; None for none."""
        self.plot = plot
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """The picture, drawn anew if the plot, the size or the theme is another one."""
        painter = QPainter(self)
        if self.plot is None:
            painter.setPen(QColor(self.inks.text))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty)
            return
        wanted = (self.plot, (self.width(), self.height()), self.inks, float(self.devicePixelRatioF()))
        if wanted != self._drawn:
            pixels = pixels_of(*wanted)
            height, width = pixels.shape[:2]
            self._picture = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
            self._drawn = wanted
        painter.drawImage(self.rect(), self._picture)
