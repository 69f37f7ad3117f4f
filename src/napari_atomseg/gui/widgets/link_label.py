"""Colours that can be read on napari's themes."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

AMBER = "#e6a100"
"""Of what is missing and can be mended."""
LINKS = {"light": "#0b57b0", "dark": "#5aa9ff"}
"""Qt's own blue cannot be read on the dark theme, and what can be read there is too pale on the light one."""


class LinkLabel(QLabel):
    """Rich text, in as many lines as it takes, whose links have a colour of the theme, also after that has been changed.

    Parameters
    ----------
    viewer : napari viewer
    text : str
    name : str
        By which the label is found.
    """

    def __init__(self, viewer: Any, text: str = "", name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self._viewer, self._plain = viewer, ""
        viewer.events.theme.connect(self._repaint)
        self.setText(text)

    def setText(self, text: str | None) -> None:  # Qt's name
        """Show another text."""
        self._plain = text or ""
        super().setText(self._plain.replace("<a ", f'<a style="color: {self.link_colour}" '))

    @property
    def link_colour(self) -> str:
        """Colour of links on the theme in use."""
        return LINKS["light" if get_theme(self._viewer.theme).type == "light" else "dark"]

    def _repaint(self, event: Any = None) -> None:
        try:
            self.setText(self._plain)
        except RuntimeError:  # napari keeps the callback longer than Qt the widget
            return
