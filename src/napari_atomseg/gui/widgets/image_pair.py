"""Two images of the same field, seen against each other: side by side under one camera, or in turns."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QShortcut, QVBoxLayout, QWidget

from napari_atomseg.gui.widgets.forms import form_layout

BLINK_MS = 500
OFF, BESIDE, BLINK = "off", "beside", "blink"
MOST_IN_A_ROW, PER_ROW = 4, 3
"""Buttons that still fit beside each other, and how many stand in a row where they are more."""


@dataclass
class _Before:
    """What the viewer looked like before a comparison."""

    grid: dict[str, Any]
    visible: weakref.WeakKeyDictionary[Layer, bool] = field(default_factory=weakref.WeakKeyDictionary)


_showing: weakref.WeakKeyDictionary[Any, weakref.ref[PairRow]] = weakref.WeakKeyDictionary()
"""Who compares in each viewer: two at once would not find back to what was there before."""


class PairRow(QWidget):
    """Buttons for how two images are compared; what the viewer showed before comes back with Off.

    Parameters
    ----------
    viewer : napari viewer
    tips : mapping of str to (str, str)
        The ways, each with the text and the tooltip of its button.
    """

    changed = Signal(str)

    def __init__(self, viewer: Any, tips: Mapping[str, tuple[str, str]]) -> None:
        super().__init__()
        self._viewer = viewer
        self._before: _Before | None = None
        self.mode = OFF
        self.timer = QTimer(self)
        self.timer.setInterval(BLINK_MS)
        self.timer.timeout.connect(self._blink)
        # A shortcut of the window: the space bar reaches neither napari nor the button that was clicked last.
        self.space = QShortcut(QKeySequence(Qt.Key.Key_Space), self)
        self.space.setEnabled(False)
        self.space.activated.connect(self.turn)
        self.form = form_layout(self)
        self.buttons: dict[str, QPushButton] = {}
        self._build_buttons(tips)
        viewer.layers.events.removed.connect(self._on_removed)

    def _build_buttons(self, tips: Mapping[str, tuple[str, str]]) -> None:
        group, rows = QButtonGroup(self), QVBoxLayout()
        rows.setSpacing(4)
        per_row = len(tips) if len(tips) <= MOST_IN_A_ROW else PER_ROW
        for place, (mode, (text, tip)) in enumerate(tips.items()):
            if place % per_row == 0:
                row = QHBoxLayout()
                row.setSpacing(4)
                rows.addLayout(row)
            button = QPushButton(text)
            button.setObjectName(f"compare_{mode}")
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setChecked(mode == OFF)
            button.clicked.connect(lambda _=False, chosen=mode: self.show_as(chosen))
            group.addButton(button)
            row.addWidget(button, 2 if mode == BESIDE else 1)
            self.buttons[mode] = button
        self.form.addRow(rows)

    # -- what a kind of comparison says ------------------------------------------------------------------------------

    def pair(self) -> tuple[Image, Image] | None:
        """The image and what it is compared with, which lies above it; None if there is nothing to compare."""
        raise NotImplementedError

    def belongs(self, layer: Layer) -> bool:
        """True for layers whose removal ends the comparison."""
        raise NotImplementedError

    def title(self, image: Image, other: Image) -> str:
        """What is compared, in words."""
        return f"{image.name}  ·  {other.name}"

    def rivals(self, layer: Layer, mode: str) -> bool:
        """True for layers that would hide what is compared."""
        return isinstance(layer, Image) or mode == BESIDE

    def shown(self, image: Image, other: Image, mode: str) -> tuple[Layer, ...]:
        """The layers that show a comparison.

        Parameters
        ----------
        image, other : Image
        mode : str
            How they are compared.
        """
        return image, other

    def clean(self) -> None:
        """Put away what a comparison has added."""

    # -- how it is shown ---------------------------------------------------------------------------------------------

    def show_as(self, mode: str) -> None:
        """Begin a comparison, go on to another way of seeing it, or end it."""
        pair = self.pair()
        if pair is None or pair[0] not in self._viewer.layers:
            mode = OFF
        self.timer.stop()
        self._restore_grid()
        self.mode = mode
        self.buttons[mode].setChecked(True)
        self.space.setEnabled(mode == BLINK)
        if pair is None or mode == OFF:
            self._restore()
            return
        self._end_others()
        if self._before is None:
            self._remember()
        self._show_pair(*pair, mode)
        self.changed.emit(self.title(*pair))

    def turn(self) -> None:
        """Show the other image of the two, and blink no more by itself."""
        self.timer.stop()
        self._blink()

    def _end_others(self) -> None:
        known = _showing.get(self._viewer)
        other = known() if known is not None else None
        _showing[self._viewer] = weakref.ref(self)
        if other is None or other is self:
            return
        try:
            other.show_as(OFF)
        except RuntimeError:  # its window has been closed
            return

    def _show_pair(self, image: Image, other: Image, mode: str) -> None:
        shown = self.shown(image, other, mode)
        before = self._before.visible if self._before is not None else {}
        for layer in self._viewer.layers:
            was = before.get(layer, layer.visible)
            _set_visible(layer, layer in shown or (was and not self.rivals(layer, mode)))
        if mode == BLINK:
            self.timer.start()
        elif mode == BESIDE:
            self._show_beside(image, other)

    def _show_beside(self, image: Image, other: Image) -> None:
        grid = self._viewer.canvas.grid
        # Two layers are seen, each in a half of its own; the one further up in the list would come first.
        order = self._viewer.layers.index(image) < self._viewer.layers.index(other)
        grid.stride, grid.shape = (1 if order else -1), (1, 2)
        grid.enabled = True
        self._zoom_by(self._narrower())

    def _narrower(self) -> float:
        """How much smaller what fits into the canvas has to be to fit into half of it."""
        height, width = self._viewer.canvas.size
        return min(width / 2, height) / min(width, height)

    def _zoom_by(self, factor: float) -> None:
        self._viewer.scene.camera.zoom *= factor

    def _blink(self) -> None:
        pair = self.pair()
        # A panel that was closed lives on without a parent; nobody could stop it there.
        closed = self.window().objectName() == "AtomSegPanel"
        if pair is None or closed:
            self.show_as(OFF)
            return
        pair[1].visible = not pair[1].visible

    def _remember(self) -> None:
        grid = self._viewer.canvas.grid
        self._before = _Before({name: getattr(grid, name) for name in ("stride", "shape", "enabled")})
        for layer in self._viewer.layers:
            self._before.visible[layer] = layer.visible

    def _restore(self) -> None:
        self.clean()
        before, self._before = self._before, None
        for layer, visible in before.visible.items() if before is not None else ():
            if layer in self._viewer.layers:
                _set_visible(layer, visible)

    def _restore_grid(self) -> None:
        if self._before is None:
            return
        grid = self._viewer.canvas.grid
        was_on = grid.enabled
        for name, value in self._before.grid.items():
            setattr(grid, name, value)
        if was_on and not self._before.grid["enabled"]:
            self._zoom_by(1 / self._narrower())

    def _on_removed(self, event: Any) -> None:
        if self.mode != OFF and self.belongs(event.value):
            self.show_as(OFF)


def _set_visible(layer: Layer, visible: bool) -> None:
    """Show or hide a layer; napari gives a layer that is shown already another mouse mode."""
    if layer.visible != visible:
        layer.visible = visible
