"""A plot in which columns are selected by the mouse, and what is selected is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QPolygonF

from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.plots.columns_plot import SELECTED, SelectablePlot

_POINT_PX = 5.0
_LEAST_PX = 4.0  # a shorter way of the mouse is a click


class SelectingPlot(PlotView):
    """Draw round points to select them, with Ctrl a rectangle, in a histogram or profile a span; Shift adds to what is selected.

    `chosen` gives the rows, and whether they are added; a click on nothing gives none.
    """

    chosen = Signal(object, bool)

    def __init__(self, viewer: Any, empty: str = "") -> None:
        super().__init__(viewer, empty)
        self._marks = np.zeros((0, 2))
        self._way: list[QPointF] = []
        self._boxed = False
        self.setCursor(Qt.CursorShape.CrossCursor)

    @property
    def selectable(self) -> SelectablePlot | None:
        """The plot, as one of columns."""
        return self.plot  # type: ignore[return-value]  # the docks that have this widget show no others

    def show_selected(self, rows: np.ndarray) -> None:
        """Let the columns of these rows stand out.

        Parameters
        ----------
        rows : ndarray of int
        """
        plot = self.selectable
        self._marks = plot.marks(rows) if plot is not None else np.zeros((0, 2))
        self.update()

    def _in_plot(self, places: np.ndarray) -> np.ndarray:
        """Numbers (K, 2) of (x, y) at places in px."""
        assert self.selectable is not None
        left, top, width, height = self.selectable.margins.frame((self.width(), self.height()))
        x0, x1, y0, y1 = self.selectable.limits
        return np.column_stack([x0 + (places[:, 0] - left) / width * (x1 - x0), y1 - (places[:, 1] - top) / height * (y1 - y0)])

    def _on_screen(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Places in px (K, 2) of numbers."""
        assert self.selectable is not None
        left, top, width, height = self.selectable.margins.frame((self.width(), self.height()))
        x0, x1, y0, y1 = self.selectable.limits
        return np.column_stack([left + (x - x0) / (x1 - x0) * width, top + (y1 - y) / (y1 - y0) * height])

    def mousePressEvent(self, event: Any) -> None:  # Qt's name
        """Begin an outline."""
        if self.selectable is not None and event.button() == Qt.MouseButton.LeftButton:
            self._way = [event.position()]
            self._boxed = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier) or self.selectable.span

    def mouseMoveEvent(self, event: Any) -> None:  # Qt's name
        """Go on with it."""
        if self._way:
            self._way.append(event.position())
            self.update()

    def mouseReleaseEvent(self, event: Any) -> None:  # Qt's name
        """Select what lies within."""
        if not self._way or self.selectable is None:
            return
        outline, self._way = self._outline(), []
        long = np.ptp(outline, axis=0).max() >= _LEAST_PX
        rows = self.selectable.rows_within(self._in_plot(outline)) if long else np.zeros(0, int)
        self.update()
        self.chosen.emit(rows, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def _outline(self) -> np.ndarray:
        """The way of the mouse (K, 2), px, or the rectangle between its ends."""
        way = np.array([(point.x(), point.y()) for point in self._way])
        if not self._boxed:
            return way
        (x0, y0), (x1, y1) = way[0], way[-1]
        if self.selectable is not None and self.selectable.span:
            y0, y1 = 0.0, float(self.height())
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """The plot, above it what is selected, and the outline while it is drawn."""
        super().paintEvent(event)
        if self.selectable is None:
            return
        painter = QPainter(self)
        colour = QColor(SELECTED)
        if self._marks.shape[1] == 4:
            for x0, x1, y0, y1 in self._marks:
                (left, bottom), (right, top) = self._on_screen(np.array([x0, x1]), np.array([y0, y1]))
                painter.fillRect(QRectF(left, top, right - left, bottom - top), colour)
        elif len(self._marks):
            painter.drawImage(0, 0, _dots(self._on_screen(*self._marks.T), (self.width(), self.height()), colour))
        if self._way:
            painter.setPen(QPen(colour, 1.0))
            colour.setAlpha(50)
            painter.setBrush(colour)
            painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in self._outline()]))


def _dots(places: np.ndarray, size: tuple[int, int], colour: QColor) -> QImage:
    """Round dots at places (M, 2) in px: as many as there may be cost no more than a few, as they do not one by one in Qt."""
    width, height = size
    pixels = np.zeros((height, width, 4), np.uint8)
    reach = int(_POINT_PX // 2)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if np.hypot(dx, dy) <= _POINT_PX / 2:
                x, y = np.rint(places).astype(int).T + np.array([[dx], [dy]])
                inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
                pixels[y[inside], x[inside]] = colour.getRgb()
    return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
