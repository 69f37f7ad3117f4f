"""What a network that takes a focal series is told: that the frames are one, their foci, whether they lie on each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_atomseg.gui.widgets.forms import Form
from napari_atomseg.workflows import NetworkParams

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard

FIELDS = ("foci", "register")


class SeriesBox(QWidget):
    """A check box, and while it is set what is known of the foci; shown for stacks and networks that take a series."""

    def __init__(self) -> None:
        super().__init__()
        self.box = QCheckBox("the frames are one focal series")
        self.box.setObjectName("focal_series")
        self.box.setToolTip("The network looks at all frames together, overfocus first. Otherwise it looks at single frames.")
        self.box.setChecked(True)
        # What is told of one series holds for no other: nothing of it is remembered.
        self.form = Form(NetworkParams, FIELDS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box)
        layout.addWidget(self.form)
        self.box.toggled.connect(self.form.setVisible)
        self._offered = False

    @property
    def is_series(self) -> bool:
        """True if the frames are to be looked at together."""
        return self._offered and self.box.isChecked()

    def show_for(self, image: Image | None, card: ModelCard | None) -> bool:
        """Offer it if the image has as many frames as the network takes; gives whether it is offered.

        Parameters
        ----------
        image : Image or None
        card : ModelCard or None
            Of the chosen network.
        """
        frames = int(image.data.shape[0]) if image is not None and image.ndim == 3 else 1
        self._offered = card is not None and card.images > 1 and frames == card.images
        return self._offered

    def told(self, params: NetworkParams) -> NetworkParams:
        """The parameters with what is said of the series; without, where there is none.

        Parameters
        ----------
        params : NetworkParams
        """
        shown = self.form.value() if self.is_series else NetworkParams()
        return replace(params, foci=shown.foci, register=shown.register)
