"""Docks below the image: opened when asked for, found again after their cross was clicked."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget, QWidget


def bring_up(viewer: Any, widget: QWidget, name: str) -> None:
    """Dock a widget below the image, beside what is docked there already, or bring its dock to the front.

    napari's cross deletes a dock and leaves the widget in it without a parent; then it is docked anew.
    """
    dock: Any = widget.parent()
    if not isinstance(dock, QDockWidget):
        dock = viewer.window.add_dock_widget(widget, name=name, area="bottom", tabify=True)
    dock.show()
    dock.raise_()
