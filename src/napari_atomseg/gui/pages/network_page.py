"""What pages share on which a network makes something of the image that is then compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.maps import show_map
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.forms import enable, form_layout
from napari_atomseg.gui.widgets.image_pair import BESIDE
from napari_atomseg.gui.widgets.link_label import LinkLabel
from napari_atomseg.gui.widgets.map_pair import CompareRow
from napari_atomseg.gui.widgets.network_settings import BEST_FOR_IMAGE, ModelBox
from napari_atomseg.gui.widgets.region import RegionBox
from napari_atomseg.workflows import AUTO

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """What a network is asked about.

    Attributes
    ----------
    image : Image
        The layer.
    micrograph : Micrograph
        The same as data.
    region : ndarray of bool, shape (Y, X), or None
        Where to look; None everywhere.
    now : int
        The frame in view, counted from 0.
    frame : int or None
        The frame that is asked about; None for all.
    """

    image: Image
    micrograph: Micrograph
    region: np.ndarray | None
    now: int
    frame: int | None


class NetworkPage(QWidget):
    """Which network, which part of the image, which frames, and the comparison of what came of it.

    Parameters
    ----------
    host : Host
        The panel.
    no_network : str
        What stands in place of the controls where there is no network.
    remembered : str
        The chosen network is kept under this name between starts.
    region_text : str
        What is done in the region, in front of it.
    restoring : bool
        Offer the networks that restore images, instead of all others.
    """

    run_text = ""

    def __init__(self, host: Host, no_network: str, remembered: str, region_text: str, restoring: bool = False) -> None:
        super().__init__()
        self._host, self._networks, self._remembered = host, host.networks, remembered
        self.empty = LinkLabel(host.viewer, no_network)
        self.model = ModelBox(self._networks, {AUTO: BEST_FOR_IMAGE} if restoring else None, restoring=restoring)
        self.model.setObjectName(remembered)
        self.region = RegionBox(host)
        self.region_text = region_text
        self.every_frame = QCheckBox("every frame of the stack")
        self.every_frame.setToolTip("Otherwise only the frame in view.")
        self.compare = CompareRow(host.viewer)
        self.draw = QPushButton("Draw region")
        self.draw.setObjectName(f"draw_for_{remembered}")
        self.draw.setProperty("tip", "Draw a rectangle or polygon to look inside or outside of.")
        self.first = form_layout()
        self.controls = QWidget()
        self.page = QVBoxLayout(self)
        self.page.setContentsMargins(2, 6, 8, 2)
        self.page.addWidget(self.empty)
        self.page.addWidget(self.controls)

    def watch_everything(self) -> None:
        """Once the page is built: follow the image, the networks at hand and the layers."""
        self.draw.clicked.connect(lambda: self.region.draw(self.run_text))
        self.empty.linkActivated.connect(self._host.follow_link)
        self.model.currentIndexChanged.connect(self._on_model)
        self._networks.models_changed.connect(self.on_models)
        layers = self._host.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)
        self.model.choose(str(recall(self._remembered, "")))
        self.on_models()

    def refresh(self) -> None:
        """Show what belongs to the image of the panel."""
        image = self._host.image
        self.every_frame.setVisible(image is not None and image.ndim == 3)
        enable(self.draw, image is not None, "Open an image first.")

    def on_image(self) -> None:
        """The chosen image has changed."""
        self.compare.watch(self._host.image)
        self.refresh()

    def on_calibrated(self) -> None:
        """The image has another pixel size."""
        self.refresh()

    def on_models(self) -> None:
        """The models at hand have changed."""
        some = bool(self.model.chosen)
        self.empty.setVisible(not some)
        self.controls.setVisible(some)
        self._on_model()

    def _on_model(self, _: int = 0) -> None:
        if self.model.chosen:
            remember(self._remembered, self.model.chosen)
        self.refresh()
        self._host.refresh_run()

    def _on_layers(self, event: Any = None) -> None:
        self.region.fill()
        self.compare.refresh()

    def why_not(self) -> str:
        """Why the network cannot be asked now; empty if it can."""
        raise NotImplementedError

    def question(self) -> Question | None:
        """What is asked about now; None if nothing can be, which has been said then."""
        image = self._host.image
        if image is None or self.why_not():
            return None
        try:
            region = self.region.mask(image)
        except AtomsegError as error:
            self._host.show_error(error)
            return None
        micrograph = to_micrograph(image)
        stack = len(micrograph.shape) == 3
        now = int(self._host.viewer.dims.current_step[0]) if stack else 0
        frame = None if self.every_frame.isChecked() or not stack else now
        return Question(image=image, micrograph=micrograph, region=region, now=now, frame=frame)

    def show_found(self, image: Image, found: dict[str, Micrograph], frame: int) -> bool:
        """Put what was made of an image into the viewer, the first compared with it; False where the image is gone.

        Parameters
        ----------
        image : Image
        found : dict of str to Micrograph
            By what they show; the first one lies highest.
        frame : int
            Of a stack, which frame single maps belong to.
        """
        if image not in self._host.viewer.layers:
            self._host.say("The image has been removed meanwhile; what was made of it is not shown.")
            return False
        self.compare.show_as("off")
        for task in reversed(found):
            show_map(self._host.viewer, image, task, found[task], frame)
        self._host.viewer.layers.selection.active = image
        self.compare.refresh()
        self.compare.choose(next(iter(found)))
        if image is self._host.image:
            self.compare.show_as(BESIDE)
        return True
