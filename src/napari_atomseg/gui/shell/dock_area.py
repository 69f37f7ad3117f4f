"""Docks below the image: opened when asked for, found again after their cross was clicked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_atomseg.gui.widgets.controls import teach

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Widget


class DockArea:
    """One dock of each kind, for as long as it is open.

    Parameters
    ----------
    host : Host
        The panel.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open: dict[type[QWidget], QWidget] = {}

    def open(self, kind: type[Widget]) -> Widget:
        """Bring a dock to the front; it is made where it is not open."""
        widget = self.get(kind)
        if widget is None:
            widget = kind(self._host)
            self._open[kind] = widget
            widget.destroyed.connect(lambda: self._open.pop(kind, None))
        show_dock(self._host.viewer, widget, kind.title)
        return widget

    def get(self, kind: type[Widget]) -> Widget | None:
        """A dock that was opened and not closed since."""
        return self._open.get(kind)


def show_dock(viewer: Any, widget: QWidget, name: str) -> None:
    """Dock a widget below the image, beside what is docked there already, or bring its dock to the front.

    napari's cross deletes a dock and leaves the widget in it without a parent; then it is docked anew. The left docks of
    napari keep the window's whole height: above another dock they would not fit into 600 px.

    Parameters
    ----------
    viewer : napari viewer
    widget : QWidget
    name : str
        Title of the dock.
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
