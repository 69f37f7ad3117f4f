"""A small histogram whose bars can be clicked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.plots.histogram import LABEL_PX, Histogram, histogram_of

HEIGHT_PX = 84


class HistogramView(PlotView):
    """How often which value occurs; `picked` gives the rows of a clicked bar, and what it holds in words."""

    picked = Signal(object, str)

    def __init__(self, viewer: Any, quantity: str, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent=parent)
        self._quantity = quantity
        self.counted: Histogram = histogram_of(np.zeros(0), quantity)
        self.setFixedHeight(HEIGHT_PX)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # Qt's name
        """As wide as it gets."""
        return QSize(200, HEIGHT_PX)

    def show_values(self, values: np.ndarray, unit: str) -> None:
        """Show other values (N,); NaN counts nowhere."""
        self._show(histogram_of(values, self._quantity, unit))

    def bar(self, number: int) -> QRectF:
        """Where a bar stands, as high as it could be, in px of the widget."""
        width = self.width() / len(self.counted.counts)
        return QRectF(number * width, 0, width, self.height() - LABEL_PX)

    def _show(self, counted: Histogram, at_once: bool = False) -> None:
        self.counted = counted
        self.show_plot(counted if counted.marks is not None else None, at_once)

    def _hover(self, number: int | None) -> None:
        if number != self.counted.hovered:
            self._show(replace(self.counted, hovered=number), at_once=True)

    def mousePressEvent(self, event: Any) -> None:  # Qt's name
        """Pick the rows of the bar under the mouse."""
        number = self.counted.bar_at(event.position().x() / self.width())
        if number is not None and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(np.flatnonzero(self.counted.bin_of == number), self.counted.describe(number))

    def mouseMoveEvent(self, event: Any) -> None:  # Qt's name
        """Brighten the bar under the mouse."""
        number = self.counted.bar_at(event.position().x() / self.width())
        self.setCursor(Qt.CursorShape.ArrowCursor if number is None else Qt.CursorShape.PointingHandCursor)
        self._hover(number)

    def leaveEvent(self, event: QEvent | None) -> None:  # Qt's name
        """Forget the bar that was under the mouse."""
        self._hover(None)

    def event(self, event: QEvent | None) -> bool:  # Qt's name
        """Say what the bar under the mouse holds."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            number = self.counted.bar_at(event.pos().x() / self.width())
            said = "" if number is None else f"{self.counted.describe(number)}. Click to select them."
            QToolTip.showText(event.globalPos(), said, self)
            return True
        return super().event(event)
