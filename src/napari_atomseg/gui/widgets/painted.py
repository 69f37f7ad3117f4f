"""Widgets that Qt paints itself, in the colours of napari's theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QWidget

from napari_atomseg.writers.overlay import RING

FONT_PX = 11


@dataclass(frozen=True)
class Inks:
    """Colours of numbers, of what stands behind, and of what is to be seen first."""

    text: QColor
    faint: QColor
    bright: QColor


ON_WHITE = Inks(QColor("black"), QColor("#bbbbbb"), QColor(RING).darker(150))


class Painted(QWidget):
    """Base of painted widgets: follows the theme.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        viewer.events.theme.connect(self._repaint)

    @property
    def inks(self) -> Inks:
        """Colours that can be seen on the theme in use."""
        theme = get_theme(self._viewer.theme)
        bright = QColor(RING).darker(150) if theme.type == "light" else QColor(RING)
        return Inks(QColor(theme.text.as_hex()), QColor(theme.highlight.as_hex()), bright)

    def _repaint(self, event: Any = None) -> None:
        try:
            self.update()
        except RuntimeError:  # napari keeps the callback longer than Qt the widget
            return


def with_small_font(painter: QPainter) -> QPainter:
    """The painter, for numbers in the size of all plots."""
    font = painter.font()
    font.setPixelSize(FONT_PX)
    painter.setFont(font)
    return painter
