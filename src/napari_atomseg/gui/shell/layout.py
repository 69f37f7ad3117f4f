"""How the window is divided: the panel's width, page and folds come back, and the view stays fitted to the canvas."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow
from superqt import QCollapsible

from napari_atomseg.gui.layers.fitting_view import fit_view
from napari_atomseg.gui.settings import recall, remember

if TYPE_CHECKING:
    from napari_atomseg.gui.shell.frame import Frame

WIDTH = 340
"""Pixels that leave the image room, also in a window of 1000."""
WIDEST = 900
REST_MS = 400


class Layout(QObject):
    """Restores the panel's width, page and folds, and remembers them.

    Parameters
    ----------
    panel : Frame
    """

    def __init__(self, panel: Frame) -> None:
        super().__init__(panel)
        self._panel = panel
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._remember_width)
        self._fitted = KeepFitted(panel.viewer)

    def take_as_fitted(self, *layers: Layer) -> None:
        """The view has just been fitted to layers."""
        self._fitted.note(*layers)

    def restore(self) -> None:
        """Give the panel its width once it is docked, and open what was open."""
        panel = self._panel
        dock, window = _dock_of(panel), panel.window()
        if dock is not None and isinstance(window, QMainWindow):
            window.resizeDocks([dock], [_recalled_width()], Qt.Orientation.Horizontal)
        # Who has clicked on a page while the window was opening wants that one.
        if panel.pages.currentIndex() == 0:
            panel.pages.turn_to_title(str(recall("page", "")))
        panel.pages.currentChanged.connect(lambda row: remember("page", panel.pages.name(row)))
        unfolded = recall("unfolded", [])
        for name, fold in self._folds().items():
            if isinstance(unfolded, list) and name in unfolded:
                fold.expand(animate=False)
            fold.toggled.connect(self._remember_folds)
        panel.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # Qt's name
        """Remember a width that a hand has given to the panel."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._rest.start()
        return False

    def _remember_width(self) -> None:
        dock = _dock_of(self._panel)
        if dock is not None and not dock.isFloating() and self._panel.isVisible():
            remember("panel_width", dock.width())

    def _folds(self) -> dict[str, QCollapsible]:
        """Every fold of the pages, by page and title."""
        pages = self._panel.pages
        found = {}
        for row in range(pages.count()):
            for fold in pages.widget(row).findChildren(QCollapsible):
                found[f"{pages.name(row)}/{fold.text()}"] = fold
        return found

    def _remember_folds(self, _: bool = False) -> None:
        remember("unfolded", [name for name, fold in self._folds().items() if fold.isExpanded()])


class KeepFitted:
    """Fits the view again when the canvas changes its size, as long as nobody has moved or zoomed it.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._fitted: tuple[float, ...] | None = None
        self._layers: list[weakref.ref[Layer]] = []
        viewer.layers.events.inserted.connect(self._after_insertion)
        viewer.canvas.events.size.connect(self._on_size)

    def note(self, *layers: Layer) -> None:
        """Take the view as it is for fitted to layers."""
        viewer = self._viewer()
        if viewer is not None:
            self._layers, self._fitted = [weakref.ref(layer) for layer in layers], _view_of(viewer)

    def _after_insertion(self, event: Any = None) -> None:
        viewer = self._viewer()
        if viewer is not None and len(viewer.layers) == 1:
            self.note(viewer.layers[0])

    def _on_size(self, event: Any = None) -> None:
        viewer = self._viewer()
        if viewer is not None and viewer.layers and _view_of(viewer) == self._fitted:
            layers = [layer for layer in (known() for known in self._layers) if layer in viewer.layers]
            fit_view(viewer, *layers) if layers else viewer.reset_view()
            self._fitted = _view_of(viewer)


def _view_of(viewer: Any) -> tuple[float, ...]:
    camera = viewer.scene.camera
    return (float(camera.zoom), *(float(one) for one in camera.center))


def _recalled_width() -> int:
    width = _number(recall("panel_width", WIDTH))
    return int(width) if 0 < width <= WIDEST else WIDTH


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _dock_of(panel: Frame) -> QDockWidget | None:
    widget = panel.parentWidget()
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
