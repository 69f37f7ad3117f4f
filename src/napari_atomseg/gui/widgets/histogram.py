"""A small histogram painted by Qt itself, in the colours of napari's theme; its bars can be clicked."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_atomseg.gui.widgets.painted import Painted, with_small_font

HEIGHT_PX = 84
LABEL_PX = 15
LOWEST_BAR_PX = 2.0
"""A bar that holds anything can be seen, and clicked."""
FEWEST_BINS, MOST_BINS = 8, 32
MIDDLE_PERCENT = 98.0
"""The axis ends here; the last bar holds everything beyond, so that one bad fit does not squeeze all others together."""


class Histogram(Painted):
    """How often which value occurs (`counts`, one a bar); `picked` gives the rows of a clicked bar."""

    picked = Signal(object, str)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.empty = ""
        self.unit = ""
        self.hovered: int | None = None
        self.edges = np.zeros(0)
        self.marks: tuple[float, float] | None = None
        self.bin_of = np.zeros(0, int)
        self.counts = np.zeros(0, int)
        self.setFixedHeight(HEIGHT_PX)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # Qt's name
        """As wide as it gets."""
        return QSize(200, HEIGHT_PX)

    def show_values(self, values: np.ndarray, unit: str) -> None:
        """Show other values (N,); NaN counts nowhere."""
        self.unit, self.hovered = unit, None
        known = values[np.isfinite(values)]
        self.edges = edges_of(known)
        self.marks = tuple(np.percentile(known, (50, 95))) if len(known) else None
        place = np.searchsorted(self.edges, np.nan_to_num(values), side="right") - 1
        self.bin_of = np.where(np.isfinite(values), np.clip(place, 0, max(0, len(self.edges) - 2)), -1)
        self.counts = np.bincount(self.bin_of[self.bin_of >= 0], minlength=max(0, len(self.edges) - 1))
        self.update()

    def bar(self, number: int) -> QRectF:
        """Where a bar is, in px of the widget."""
        counts = self.counts
        room = self.height() - LABEL_PX - 2
        width = self.width() / len(counts)
        tall = max(LOWEST_BAR_PX, room * counts[number] / counts.max()) if counts[number] else 0.0
        return QRectF(number * width + 0.5, room + 1 - tall, max(1.0, width - 1), tall)

    def describe(self, number: int) -> str:
        """What a bar holds, in words."""
        low, high = self.edges[number], self.edges[number + 1]
        last = number == len(self.edges) - 2
        span = f"{low:.3g} {self.unit} and more" if last else f"{low:.3g} to {high:.3g} {self.unit}"
        count = self.counts[number]
        return f"{count:,} {'column' if count == 1 else 'columns'} of {span}"

    def _at(self, x: float) -> int | None:
        """The bar under a place along the axis, if it holds anything."""
        counts = self.counts
        if len(counts) == 0:
            return None
        number = int(np.clip(x / self.width() * len(counts), 0, len(counts) - 1))
        return number if counts[number] else None

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """Bars, the median, the 95th percentile, and the ends of the axis."""
        inks = self.inks
        painter = with_small_font(QPainter(self))
        if self.marks is None:
            painter.setPen(inks.text)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty)
            return
        room = self.height() - LABEL_PX
        painter.setPen(inks.faint)
        painter.drawLine(QPointF(0, room), QPointF(self.width(), room))
        for number in np.flatnonzero(self.counts):
            painter.fillRect(self.bar(int(number)), inks.text if number == self.hovered else inks.bright)
        for value, style in zip(self.marks, (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine), strict=True):
            x = min(1.0, (value - self.edges[0]) / (self.edges[-1] - self.edges[0])) * (self.width() - 1)
            painter.setPen(QPen(inks.text, 1, style))
            painter.drawLine(QPointF(x, 0), QPointF(x, room))
        below = QRectF(0, room + 1, self.width(), LABEL_PX - 1)
        painter.setPen(inks.text)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{self.edges[0]:.3g}")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, f"position σ, {self.unit}")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{self.edges[-1]:.3g} +")

    def mousePressEvent(self, event: Any) -> None:  # Qt's name
        """Pick the rows of the bar under the mouse."""
        number = self._at(event.position().x())
        if number is not None and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(np.flatnonzero(self.bin_of == number), self.describe(number))

    def mouseMoveEvent(self, event: Any) -> None:  # Qt's name
        """Brighten the bar under the mouse."""
        self.hovered = self._at(event.position().x())
        shape = Qt.CursorShape.ArrowCursor if self.hovered is None else Qt.CursorShape.PointingHandCursor
        self.setCursor(shape)
        self.update()

    def leaveEvent(self, event: QEvent | None) -> None:  # Qt's name
        """Forget the bar that was under the mouse."""
        self.hovered = None
        self.update()

    def event(self, event: QEvent | None) -> bool:  # Qt's name
        """Say what the bar under the mouse holds."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            number = self._at(event.pos().x())
            said = "" if number is None else f"{self.describe(number)}. Click to select them."
            QToolTip.showText(event.globalPos(), said, self)
            return True
        return super().event(event)


def edges_of(values: np.ndarray) -> np.ndarray:
    """Edges of the bars for values (N,): even steps up to the 98th percentile; none for no values."""
    if len(values) == 0:
        return np.zeros(0)
    low, high = float(values.min()), float(np.percentile(values, MIDDLE_PERCENT))
    if high - low < 1e-6 * max(abs(high), 1e-12):
        low, high = 0.9 * low, 1.1 * high + 1e-12
    bins = int(np.clip(2 * len(values) ** (1 / 3), FEWEST_BINS, MOST_BINS))
    return np.linspace(low, high, bins + 1)
