"""A plot in a page or a dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from napari_atomseg.gui.widgets.painted import Painted
from napari_atomseg.plots.picture import Inks, Plot, pixels_of

REST_MS = 120
"""A plot is drawn anew when nothing has changed for so long, so that no edit of the columns has to wait for it."""


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
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.update)

    def show_plot(self, plot: Plot | None, at_once: bool = False) -> None:
        """Show another plot.

        Parameters
        ----------
        plot : Plot or None
            None for none.
        at_once : bool
            As an answer to the hand, instead of the plot before until changes come to rest.
        """
        if plot is self.plot:
            return
        if at_once or plot is None or self.plot is None:
            self._rest.stop()
        else:
            self._rest.start()
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
        same_place = self._drawn is not None and wanted[1:] == self._drawn[1:]
        if wanted != self._drawn and not (same_place and self._rest.isActive()):
            pixels = pixels_of(*wanted)
            height, width = pixels.shape[:2]
            self._picture = QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
            self._drawn = wanted
        painter.drawImage(self.rect(), self._picture)
