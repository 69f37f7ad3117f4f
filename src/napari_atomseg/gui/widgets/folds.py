"""A part of a page that folds away under its title, as wide as the page and without a gap while it is closed."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QPointF, Qt
from qtpy.QtGui import QIcon, QPainter, QPalette, QPixmap, QPolygonF
from qtpy.QtWidgets import QVBoxLayout, QWidget
from superqt import QCollapsible

OPEN, CLOSED = ((0.15, 0.3), (0.85, 0.3), (0.5, 0.8)), ((0.3, 0.15), (0.8, 0.5), (0.3, 0.85))
"""Corners of the arrows, in parts of their square: down where a fold is open, to the right where it is closed."""
LOOKS = (QEvent.Type.Polish, QEvent.Type.StyleChange, QEvent.Type.PaletteChange, QEvent.Type.FontChange)
"""Events after which colours may be others."""


def fold(title: str, *inside: QWidget) -> QCollapsible:
    """A closed fold around some widgets, one below the other."""
    content = QWidget()
    layout = QVBoxLayout(content)
    layout.setContentsMargins(0, 4, 0, 4)
    for widget in inside:
        layout.addWidget(widget)
    found = QCollapsible(title)
    found.setDuration(0)
    around = found.layout()
    assert around is not None
    around.setContentsMargins(0, 0, 0, 0)
    around.setSpacing(0)
    found.addWidget(content)
    _Arrows(found)
    return found


class _Arrows(QObject):
    """Draws the arrows of a fold in the colour of its title, whatever the theme."""

    def __init__(self, of: QCollapsible) -> None:
        super().__init__(of)
        self._fold = of
        of.toggleButton().installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # Qt's name
        if event is not None and event.type() in LOOKS:
            self._fold.setExpandedIcon(self._arrow(OPEN))
            self._fold.setCollapsedIcon(self._arrow(CLOSED))
        return False

    def _arrow(self, corners: tuple[tuple[float, float], ...]) -> QIcon:
        button = self._fold.toggleButton()
        ratio = button.devicePixelRatioF()
        side = max(8, round(0.7 * button.fontMetrics().height()))
        drawn = QPixmap(round(side * ratio), round(side * ratio))
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(button.palette().color(QPalette.ColorRole.ButtonText))
        painter.drawPolygon(QPolygonF([QPointF(side * x, side * y) for x, y in corners]))
        painter.end()
        return QIcon(drawn)
