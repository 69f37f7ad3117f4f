"""A part of a page that folds away under its title, as wide as the page and without a gap while it is closed."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget
from superqt import QCollapsible


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
    return found
