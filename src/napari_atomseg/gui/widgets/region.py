"""Where to search: the whole image, or inside or outside of drawn shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtWidgets import QComboBox

from napari_atomseg.gui.layers.conversion import spatial_options
from napari_atomseg.gui.layers.regions import chosen_mask

if TYPE_CHECKING:
    from napari_atomseg.gui.host import BasicHost

WHOLE = "whole image"


class RegionBox(QComboBox):
    """A list of the regions that can be searched; follows the viewer's Shapes layers.

    Parameters
    ----------
    host : BasicHost
        The panel.
    whole : str
        What the entry without a region is called.
    """

    def __init__(self, host: BasicHost, whole: str = WHOLE) -> None:
        super().__init__()
        self._host, self._whole = host, whole
        self.setObjectName("region")
        self.setToolTip("Search the whole image, or inside or outside of drawn shapes (More > Draw region).")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.fill()

    def fill(self) -> None:
        """Show the Shapes layers that there are; the chosen entry stays chosen."""
        current = self.currentText()
        self.clear()
        self.addItem(self._whole, None)
        for layer in self._host.viewer.layers:
            if isinstance(layer, Shapes):
                self.addItem(f"inside {layer.name}", ("inside", layer.name))
                self.addItem(f"outside {layer.name}", ("outside", layer.name))
        self.setCurrentIndex(max(0, self.findText(current)))

    def mask(self, image: Image) -> np.ndarray | None:
        """The chosen region, shape (Y, X); None for the whole image.

        Raises
        ------
        AtomsegError
            If no shape has been drawn.
        """
        return chosen_mask(self._host.viewer, image, self.currentData())

    def draw(self, then: str) -> None:
        """Add a Shapes layer on the image, ready to draw, and choose the inside of it."""
        image = self._host.image
        if image is None:
            return
        shapes = self._host.viewer.add_shapes(
            name=f"{image.name} | region", face_color="#ffffff20", edge_color="#f0e442", **spatial_options(image, 2)
        )
        shapes.mode = "add_rectangle"
        self.fill()
        self.setCurrentIndex(max(0, self.findText(f"inside {shapes.name}")))
        self._host.say(f"Draw one or more shapes, then press {then}.")
