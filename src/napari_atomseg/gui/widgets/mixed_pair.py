"""Two images of the same field, also split by a line that a slider moves, or in squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSlider

from napari_atomseg.gui.layers.mixed import checkerboard, mixture, right_of, show_mixed
from napari_atomseg.gui.widgets.image_pair import PairRow

CHECKERBOARD, SPLIT = "checkerboard", "split"
SLIDER_STEPS = 1000


class MixedPairRow(PairRow):
    """Buttons for how two images are compared, and the line where one ends and the other begins.

    Parameters
    ----------
    viewer : napari viewer
    tips : mapping of str to (str, str)
        The ways, each with the text and the tooltip of its button.
    slider_tip : str
        What the slider moves.
    """

    def __init__(self, viewer: Any, tips: Mapping[str, tuple[str, str]], slider_tip: str) -> None:
        super().__init__(viewer, tips)
        self.mixed: Image | None = None
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("split_at")
        self.slider.setToolTip(slider_tip)
        self.slider.setRange(0, SLIDER_STEPS)
        self.slider.setValue(SLIDER_STEPS // 2)
        self.slider.setVisible(False)
        self.slider.valueChanged.connect(self._move_split)
        self.form.addRow(self.slider)

    def show_as(self, mode: str) -> None:
        """Begin a comparison, or end it."""
        super().show_as(mode)
        self.slider.setVisible(self.mode == SPLIT)

    def shown(self, image: Image, other: Image, mode: str) -> tuple[Layer, ...]:
        """The layers that show a comparison; those of mixed pixels are made for it.

        Parameters
        ----------
        image, other : Image
            The recorded image, and one on its pixels.
        mode : str
            How they are compared.
        """
        if mode in (CHECKERBOARD, SPLIT):
            return (self._mix(image, other, self._mask(image, mode)),)
        return super().shown(image, other, mode)

    def clean(self) -> None:
        """Take the mixed image away again."""
        mixed, self.mixed = self.mixed, None
        if mixed is not None and mixed in self._viewer.layers:
            self._viewer.layers.remove(mixed)

    def _mix(self, image: Image, other: Image, mask: np.ndarray) -> Image:
        """The layer of mixed pixels; one that is there already gets other pixels, since a layer is slow to make and to remove."""
        mixed = self.mixed
        if mixed is None or mixed not in self._viewer.layers or image.ndim == 3:
            self.clean()
            mixed = self.mixed = show_mixed(self._viewer, image, other, mask)
            return mixed
        mixed.data = mixture(self._viewer, image, other, mask)
        mixed.colormap, mixed.gamma = image.colormap, image.gamma
        mixed.contrast_limits = image.contrast_limits
        return mixed

    def _mask(self, image: Image, mode: str) -> np.ndarray:
        shape = image.data.shape[-2:]
        return checkerboard(shape) if mode == CHECKERBOARD else right_of(shape, self.slider.value() / SLIDER_STEPS)

    def _move_split(self, _: int) -> None:
        pair = self.pair()
        if self.mode != SPLIT or self.mixed is None or pair is None:
            return
        data = mixture(self._viewer, *pair, self._mask(pair[0], SPLIT))
        self.mixed.data = data[None] if self.mixed.ndim == 3 else data
