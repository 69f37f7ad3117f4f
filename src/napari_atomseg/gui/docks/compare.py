"""A map beside or in place of its image: side by side under one camera, or in turns."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QButtonGroup, QFormLayout, QHBoxLayout, QPushButton, QWidget

from napari_atomseg.gui.head import ElidedComboBox
from napari_atomseg.gui.layers import source_of
from napari_atomseg.gui.maps import maps_of, task_of

BLINK_MS = 500
OFF, BESIDE, BLINK = "off", "beside", "blink"
TIPS = {
    OFF: ("Off", "Show the layers as they were before the comparison."),
    BESIDE: ("Side by side", "The image and the map in two halves of the window; both move and zoom together."),
    BLINK: ("Blink", "The image and the map in turns, twice a second."),
}


@dataclass
class _Before:
    """What the viewer looked like before a comparison."""

    grid: dict[str, Any]
    visible: weakref.WeakKeyDictionary[Layer, bool] = field(default_factory=weakref.WeakKeyDictionary)


class CompareRow(QWidget):
    """Which map, and how it is compared; hidden while there is none.

    Parameters
    ----------
    viewer : napari viewer
    """

    changed = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._image: weakref.ref[Image] | None = None
        self._before: _Before | None = None
        self.mode = OFF
        self.timer = QTimer(self)
        self.timer.setInterval(BLINK_MS)
        self.timer.timeout.connect(self._blink)
        self._build()
        viewer.layers.events.removed.connect(self._on_removed)

    def _build(self) -> None:
        self.map = ElidedComboBox()
        self.map.setObjectName("compared_map")
        self.map.setToolTip("The map that is compared with its image.")
        self.map.setSizeAdjustPolicy(ElidedComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.map.activated.connect(lambda _: self.show_as(self.mode))
        self.buttons: dict[str, QPushButton] = {}
        group, row = QButtonGroup(self), QHBoxLayout()
        row.setSpacing(4)
        for mode, (text, tip) in TIPS.items():
            button = QPushButton(text)
            button.setObjectName(f"compare_{mode}")
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setChecked(mode == OFF)
            button.clicked.connect(lambda _=False, chosen=mode: self.show_as(chosen))
            group.addButton(button)
            row.addWidget(button, 2 if mode == BESIDE else 1)
            self.buttons[mode] = button
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.addRow("Compare", self.map)
        self.form.addRow(row)

    def watch(self, image: Image | None) -> None:
        """Offer the maps of an image; another image ends the comparison."""
        if image is not self._of():
            self.show_as(OFF)
        self._image = weakref.ref(image) if image is not None else None
        self.refresh()

    def refresh(self) -> None:
        """Offer the maps that there are now."""
        maps = maps_of(self._viewer, self._of())
        current = self.map.currentText()
        self.map.clear()
        for layer in maps:
            self.map.addItem(task_of(layer))
        self.map.setCurrentIndex(max(0, self.map.findText(current)) if maps else -1)
        self.setVisible(bool(maps))

    @property
    def chosen(self) -> Image | None:
        """The map that is compared."""
        maps = maps_of(self._viewer, self._of())
        row = self.map.currentIndex()
        return maps[row] if 0 <= row < len(maps) else None

    def choose(self, task: str) -> None:
        """Compare the map of a task from now on."""
        self.map.setCurrentIndex(max(0, self.map.findText(task)))

    def show_as(self, mode: str) -> None:
        """Begin a comparison, or end it."""
        self._restore()
        image, chosen = self._of(), self.chosen
        if image is None or chosen is None or image not in self._viewer.layers:
            mode = OFF
        self.mode = mode
        self.buttons[mode].setChecked(True)
        if mode != OFF and image is not None and chosen is not None:
            self._remember()
            self._show_pair(image, chosen, mode)
            self.changed.emit(f"{image.name}  ·  {task_of(chosen)}")

    def _show_pair(self, image: Image, chosen: Image, mode: str) -> None:
        for layer in self._viewer.layers:
            rivals = isinstance(layer, Image) or mode == BESIDE
            layer.visible = layer in (image, chosen) or (layer.visible and not rivals)
        if mode == BLINK:
            self.timer.start()
            return
        grid = self._viewer.canvas.grid
        # Two layers are seen, each in a half of its own; the one further up in the list would come first.
        order = self._viewer.layers.index(image) < self._viewer.layers.index(chosen)
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
        chosen = self.chosen
        # A panel that was closed lives on without a parent; nobody could stop it there.
        closed = self.window().objectName() == "AtomSegPanel"
        if chosen is None or closed:
            self.show_as(OFF)
            return
        chosen.visible = not chosen.visible

    def _remember(self) -> None:
        grid = self._viewer.canvas.grid
        self._before = _Before({name: getattr(grid, name) for name in ("stride", "shape", "enabled")})
        for layer in self._viewer.layers:
            self._before.visible[layer] = layer.visible

    def _restore(self) -> None:
        self.timer.stop()
        before, self._before = self._before, None
        if before is None:
            return
        grid = self._viewer.canvas.grid
        was_on = grid.enabled
        for name, value in before.grid.items():
            setattr(grid, name, value)
        for layer, visible in before.visible.items():
            if layer in self._viewer.layers:
                layer.visible = visible
        if was_on and not before.grid["enabled"]:
            self._zoom_by(1 / self._narrower())

    def _of(self) -> Image | None:
        return self._image() if self._image is not None else None

    def _on_removed(self, event: Any) -> None:
        gone = event.value
        if self.mode != OFF and (gone is self._of() or (source_of(gone) is self._of() and task_of(gone))):
            self.show_as(OFF)
        self.refresh()
