"""A recorded and a simulated image against each other: also in squares, split by a line, and their difference."""

from __future__ import annotations

import weakref
from typing import Any

from napari.layers import Image, Layer

from napari_atomseg.gui.documents.editing import has_session
from napari_atomseg.gui.layers.comparison import Shown
from napari_atomseg.gui.layers.structures import is_structure
from napari_atomseg.gui.widgets.image_pair import BESIDE, BLINK, OFF
from napari_atomseg.gui.widgets.mixed_pair import CHECKERBOARD, SPLIT, MixedPairRow

DIFFERENCE = "difference"
TIPS = {
    OFF: ("Off", "Show the layers as they were before the comparison."),
    BESIDE: ("Side by side", "The image and its simulation in two halves of the window; both move and zoom together."),
    BLINK: ("Blink", "The image and its simulation in turns, twice a second; by the space bar at your own pace."),
    CHECKERBOARD: ("Checkers", "Squares of the image and of its simulation: edges that do not meet are seen at once."),
    SPLIT: ("Split", "The image on the left of a line, its simulation on the right; the slider moves the line."),
    DIFFERENCE: ("Difference", "Image minus simulation: blue where the image is darker, orange where brighter, grey for none."),
}


class ResultRow(MixedPairRow):
    """How a comparison is shown.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer, TIPS, "Where the image ends and its simulation begins.")
        self._image: weakref.ref[Image] | None = None
        self._shown: Shown | None = None

    def watch(self, image: Image | None, shown: Shown | None) -> None:
        """Show another comparison from now on; the one before ends."""
        before = (self._image() if self._image is not None else None, self._shown)
        if before != (image, shown):
            self.show_as(OFF)
        self._image = weakref.ref(image) if image is not None else None
        self._shown = shown
        self.setVisible(self.pair() is not None)

    def pair(self) -> tuple[Image, Image] | None:
        """The recorded and the simulated image."""
        image = self._image() if self._image is not None else None
        if image is None or self._shown is None or self._shown.simulated not in self._viewer.layers:
            return None
        return image, self._shown.simulated

    def belongs(self, layer: Layer) -> bool:
        """True for the image, its simulation, their difference and what is mixed of them."""
        image = self._image() if self._image is not None else None
        ours = (self._shown.simulated, self._shown.difference) if self._shown is not None else ()
        return any(layer is one for one in (image, self.mixed, *ours) if one is not None)

    def rivals(self, layer: Layer, mode: str) -> bool:
        """Other images; structures, which lie where they were simulated; rings and coloured columns, which hide their edges."""
        coloured = self._shown is not None and layer is self._shown.columns
        return super().rivals(layer, mode) or is_structure(layer) or has_session(layer) or coloured

    def show_as(self, mode: str) -> None:
        """Begin a comparison, or end it."""
        if mode == DIFFERENCE and (self._shown is None or self._shown.difference not in self._viewer.layers):
            mode = OFF
        super().show_as(mode)

    def shown(self, image: Image, other: Image, mode: str) -> tuple[Layer, ...]:
        """The layers that show a comparison.

        Parameters
        ----------
        image, other : Image
            The experiment, and the simulation on its pixels.
        mode : str
            How they are compared.
        """
        if mode == DIFFERENCE and self._shown is not None:
            columns = self._shown.columns
            return (self._shown.difference,) if columns is None else (self._shown.difference, columns)
        return super().shown(image, other, mode)
