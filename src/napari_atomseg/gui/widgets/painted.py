"""Widgets that are drawn in the colours of napari's theme."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from napari_atomseg.plots.picture import ON_WHITE, Inks
from napari_atomseg.writers.overlay import RING


class Painted(QWidget):
    """Base of what is drawn: follows the theme.

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
        bright = ON_WHITE.bright if theme.type == "light" else RING
        return Inks(*(QColor(colour).name() for colour in (theme.text.as_hex(), theme.highlight.as_hex(), bright)))

    def _repaint(self, event: Any = None) -> None:
        try:
            self.update()
        except RuntimeError:  # napari keeps the callback longer than Qt the widget
            return
