"""A curve that grows while something runs, painted by Qt itself in the colours of napari's theme."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_atomseg.gui.widgets.painted import Painted, with_small_font

HEIGHT_PX = 110
LABEL_PX = 16
MARGIN_PX = 4
MEMORY = 0.9
"""Share of the old value in the smooth line."""
FEWEST = 2


class Curve(Painted):
    """Values against their step: every one as a faint line, their running mean as a bright one."""

    def __init__(self, viewer: Any, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.empty = empty
        self.steps: list[float] = []
        self.values: list[float] = []
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # Qt's name
        """As wide as it gets."""
        return QSize(200, HEIGHT_PX)

    def clear(self) -> None:
        """Begin anew."""
        self.steps.clear()
        self.values.clear()
        self.update()

    def add(self, step: float, value: float) -> None:
        """One more value; what is not a number leaves no trace."""
        if np.isfinite(value):
            self.steps.append(step)
            self.values.append(value)
            self.update()

    @property
    def smooth(self) -> np.ndarray:
        """Running mean of the values, shorter in the beginning."""
        kept, mean = [], 0.0
        for number, value in enumerate(self.values):
            share = min(MEMORY, number / (number + 1))
            mean = share * mean + (1 - share) * value
            kept.append(mean)
        return np.array(kept)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """The curve, its last value, and the first and last step."""
        inks = self.inks
        painter = with_small_font(QPainter(self))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(inks.text)
        if len(self.values) < FEWEST:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty)
            return
        smooth = self.smooth
        room = QRectF(MARGIN_PX, MARGIN_PX, self.width() - 2 * MARGIN_PX, self.height() - LABEL_PX - 2 * MARGIN_PX)
        low, high = np.percentile(self.values, (0, 98))
        for values, colour, width in ((np.array(self.values), inks.faint, 1.0), (smooth, inks.bright, 2.0)):
            painter.setPen(QPen(colour, width))
            painter.drawPolyline(self._line(values, room, float(low), float(high)))
        painter.setPen(inks.text)
        line = QRectF(MARGIN_PX, self.height() - LABEL_PX, self.width() - 2 * MARGIN_PX, LABEL_PX)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, f"loss {smooth[-1]:.3f}")
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, f"update {self.steps[-1]:.0f}")

    def _line(self, values: np.ndarray, room: QRectF, low: float, high: float) -> QPolygonF:
        along = (np.array(self.steps) - self.steps[0]) / max(1e-12, self.steps[-1] - self.steps[0])
        up = np.clip((values - low) / max(1e-12, high - low), 0, 1)
        x, y = room.left() + along * room.width(), room.bottom() - up * room.height()
        return QPolygonF([QPointF(float(a), float(b)) for a, b in zip(x, y, strict=True)])
