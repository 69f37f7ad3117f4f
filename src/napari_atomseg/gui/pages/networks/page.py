"""The page "Networks": maps of an image by a network, compared with it; the models at hand."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.tasks import SEGMENTS
from napari_atomseg.gui.layers.labels import show_labels
from napari_atomseg.gui.layers.maps import maps_of, seen_with, title_of
from napari_atomseg.gui.pages.network_page import NetworkPage, Question
from napari_atomseg.gui.pages.networks.map_ticks import MapTicks, kind_of
from napari_atomseg.gui.pages.networks.mask_labels import MaskRow
from napari_atomseg.gui.pages.networks.models import ModelsBox
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable
from napari_atomseg.gui.widgets.network_settings import NO_NETWORK, PixelSizeBox
from napari_atomseg.workflows import STRUCTURES, NetworkParams, maps

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links
    from napari_atomseg.networks.card import ModelCard

ROWS_PUT_BACK = "Scan rows were put back in them where the lattice tells it; columns lie as scanned."
OF_COLUMNS = ("polarity", "straighten", "alike")
"""Of networks for columns only."""
FIELDS = ("polarity", "straighten", "alike", "averaged", "device")


class NetworksPage(NetworkPage):
    """Controls of the maps; the panel's foot runs and cancels them.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Networks"
    tip = "Maps that a network makes of the image, and the networks at hand."
    run_text = "Make maps"
    run_tip = "Ask the network for the ticked maps of the image."

    def __init__(self, host: Host) -> None:
        super().__init__(host, NO_NETWORK, "network", "Search")
        self._build()
        self._connect()
        self.watch_everything()

    def _build(self) -> None:
        self.map_ticks = MapTicks()
        self.pixel_size_box = PixelSizeBox(self._networks)
        self.mask = MaskRow(self._host.viewer)
        self.first.addRow("Network", self.model)
        self.first.addRow("Maps", self.map_ticks)
        self.first.addRow(self.region_text, self.region)
        inside = QVBoxLayout(self.controls)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(self.first)
        inside.addWidget(self.every_frame)
        inside.addWidget(self.pixel_size_box)
        inside.addWidget(self.compare)
        inside.addWidget(self.mask)
        inside.addWidget(self._folded())
        self.models = ModelsBox(self._host, self._networks)
        self.models_fold = fold("Models", self.models)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(50)
        self._soon.timeout.connect(self._reveal_models)
        self.page.addWidget(self.models_fold)
        self.page.addStretch(1)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.first, self.pixel_size_box.form.form, self.compare.form)

    def _folded(self) -> QCollapsible:
        self.form = Form(NetworkParams, FIELDS)
        self.form.set_value(self._networks.params)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.draw)
        layout.addWidget(self.form)
        self.expert = fold("More", inside)
        return self.expert

    def _connect(self) -> None:
        self.form.value_changed.connect(self._tell)
        self._networks.changed.connect(lambda: self.form.set_value(self._networks.params))
        self._networks.changed.connect(self.refresh)
        self._networks.preferred.connect(self.model.choose)
        self.models_fold.toggled.connect(lambda on: on and self._soon.start())
        self.map_ticks.changed.connect(self._host.refresh_run)

    def _tell(self) -> None:
        shown = self.form.value()
        self._networks.change(**{name: getattr(shown, name) for name in FIELDS})

    # -- what can be done --------------------------------------------------------------------------------------------

    def why_not(self) -> str:
        """Why no map can be made now; empty if one can."""
        if not self._networks.cards:
            return "No network is installed: train one, or import one under Models."
        if self._host.image is None:
            return "Open an image first."
        return "" if self.map_ticks.chosen else "Tick at least one map."

    def refresh(self) -> None:
        """Show what belongs to the image of the panel."""
        super().refresh()
        self.map_ticks.show_for(self.model.card)
        # Structures are recognised bright or dark, and their maps are taken as they are.
        self.form.show_fields(lambda name: name not in OF_COLUMNS or not _recognises(self.model.card))
        self.pixel_size_box.show_for(self._host.image, self.model.card)
        enable(self.models.import_button, not self._host.busy, "A job is running; cancel it first.")

    def on_image(self) -> None:
        """The chosen image has changed."""
        super().on_image()
        self.mask.watch(self._host.image)

    def _on_layers(self, event: Any = None) -> None:
        super()._on_layers(event)
        self.mask.watch(self._host.image)

    def _reveal_models(self) -> None:
        """Scroll to the list of models."""
        around = self.parent().parent() if self.parent() is not None else None
        if isinstance(around, QScrollArea) and self.models_fold.isVisible():
            bar = around.verticalScrollBar()
            bar.setValue(min(bar.maximum(), self.models_fold.y()))

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {"import": self.models.ask_and_add}

    # -- the job -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Make the ticked maps of the chosen image."""
        asked = self.question()
        if asked is None:
            return
        begun = time.perf_counter()
        steps = maps.steps(
            asked.micrograph,
            model=self.model.chosen,
            tasks=self.map_ticks.chosen,
            params=self._networks.params,
            region=asked.region,
            frames=asked.frame,
        )
        card = self.model.card
        self._host.start(steps, lambda found: self._made(asked, card, found, time.perf_counter() - begun), "Making maps")

    def _made(self, asked: Question, card: ModelCard | None, found: dict[str, Micrograph], seconds: float) -> None:
        told = next(iter(found.values())).notes[0].partition("(")[2].removesuffix(")")
        count = len(found)
        shown = {kind_of(name, card): one for name, one in found.items()}
        segments = shown.pop(SEGMENTS, None)
        if shown and not self.show_found(asked.image, shown, asked.now):
            return
        if segments is not None:
            self._show_segments(asked, segments)
        self.mask.watch(asked.image)
        if "mask" in shown:
            self.mask.draw()
        names = " and ".join(title_of(kind_of(name, card)) for name in found) if count < 3 else f"{count} maps"
        said = (
            f"{escape(names)} by {escape(self.model.chosen)}, {seconds:.1f} s, for {escape(told)}: a belief, not a measurement."
        )
        straightened = self._networks.params.straighten and not _recognises(card)
        self._host.say(f"{said} {ROWS_PUT_BACK}" if straightened else said)

    def _show_segments(self, asked: Question, found: Micrograph) -> None:
        """Where structures were looked for, below the points and above the maps."""
        viewer, image = self._host.viewer, asked.image
        if image not in viewer.layers:
            return
        numbers, geometry = seen_with(image, np.nan_to_num(np.asarray(found.data)).astype(np.int32), asked.now)
        above = [image, *maps_of(viewer, image)]
        highest = max(above, key=viewer.layers.index)
        show_labels(viewer, image, highest, numbers, geometry, SEGMENTS, SEGMENTS)


def _recognises(card: ModelCard | None) -> bool:
    return card is not None and card.task == STRUCTURES
