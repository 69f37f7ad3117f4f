"""An image and one of the maps that networks have made of it, seen against each other."""

from __future__ import annotations

import weakref
from typing import Any

from napari.layers import Image, Layer

from napari_atomseg.gui.layers.conversion import source_of
from napari_atomseg.gui.layers.maps import maps_of, task_of, title_of
from napari_atomseg.gui.widgets.elided import ElidedComboBox
from napari_atomseg.gui.widgets.image_pair import BESIDE, BLINK, OFF
from napari_atomseg.gui.widgets.mixed_pair import SPLIT, MixedPairRow

TIPS = {
    OFF: ("Off", "Show the layers as they were before the comparison."),
    BESIDE: ("Side by side", "The image and the map in two halves of the window; both move and zoom together."),
    BLINK: ("Blink", "The image and the map in turns, twice a second; by the space bar at your own pace."),
    SPLIT: ("Split", "The image on the left of a line, the map on the right; the slider moves the line."),
}


class CompareRow(MixedPairRow):
    """Which map of an image, and how it is compared with it; hidden while there is none.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer, TIPS, "Where the image ends and the map begins.")
        self._image: weakref.ref[Image] | None = None
        self.map = ElidedComboBox()
        self.map.setObjectName("compared_map")
        self.map.setToolTip("The map that is compared with its image.")
        self.map.setSizeAdjustPolicy(ElidedComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.map.activated.connect(lambda _: self.show_as(self.mode))
        self.form.insertRow(0, "Compare", self.map)

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
            self.map.addItem(title_of(task_of(layer)), task_of(layer))
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
        self.map.setCurrentIndex(max(0, self.map.findData(task)))

    def pair(self) -> tuple[Image, Image] | None:
        """The image and the chosen map."""
        image, chosen = self._of(), self.chosen
        return (image, chosen) if image is not None and chosen is not None else None

    def belongs(self, layer: Layer) -> bool:
        """True for the image, its maps, and what is mixed of them."""
        mixed = self.mixed is not None and layer is self.mixed
        return mixed or layer is self._of() or (source_of(layer) is self._of() and bool(task_of(layer)))

    def title(self, image: Image, other: Image) -> str:
        """The image and what its map shows."""
        return f"{image.name}  ·  {title_of(task_of(other))}"

    def _of(self) -> Image | None:
        return self._image() if self._image is not None else None

    def _on_removed(self, event: Any) -> None:
        super()._on_removed(event)
        self.refresh()
