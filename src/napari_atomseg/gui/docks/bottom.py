"""Docks below the image: opened when asked for, found again after their cross was clicked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_atomseg.gui.widgets.controls import teach


def bring_up(viewer: Any, widget: QWidget, name: str) -> None:
    """Dock a widget below the image, beside what is docked there already, or bring its dock to the front.

    napari's cross deletes a dock and leaves the widget in it without a parent; then it is docked anew. The left docks of
    napari keep the window's whole height: above another dock they would not fit into 600 px.
    """
    dock: Any = widget.parent()
    if not isinstance(dock, QDockWidget):
        teach(widget)
        with drawn_once(viewer.window._qt_window):
            dock = viewer.window.add_dock_widget(widget, name=name, area="bottom", tabify=True)
            window = dock.window()
            if isinstance(window, QMainWindow):
                window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
    dock.show()
    dock.raise_()


@contextmanager
def drawn_once(window: QWidget) -> Iterator[None]:
    """Hold the drawing back while a window is divided anew: the canvas would draw all points at each step of it."""
    window.setUpdatesEnabled(False)
    try:
        yield
    finally:
        window.setUpdatesEnabled(True)
