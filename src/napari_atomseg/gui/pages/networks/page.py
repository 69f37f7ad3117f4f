"""The page "Networks": maps of an image by a network, compared with it; the models at hand."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QGridLayout, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.layers.maps import TITLES
from napari_atomseg.gui.pages.network_page import NetworkPage, Question
from napari_atomseg.gui.pages.networks.mask_labels import MaskRow
from napari_atomseg.gui.pages.networks.models import ModelsBox
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable
from napari_atomseg.gui.widgets.network_settings import NO_NETWORK, PixelSizeBox
from napari_atomseg.workflows import TASKS, NetworkParams, maps

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

USUAL = ("columns", "denoise")
TIPS = {
    "columns": "How sure the network is that a column's centre is here, from 0 to 1.",
    "mask": "Discs on the columns, from 0 to 1.",
    "denoise": "The image as it would be without noise, in its intensities.",
    "background": "Without noise and without what varies slowly.",
    "deblur": "Without noise and background, columns made narrow.",
}
ROWS_PUT_BACK = "Scan rows were put back in them where the lattice tells it; columns lie as scanned."
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
        self.ticks = {task: QCheckBox(TITLES[task]) for task in TASKS}
        chosen = recall("maps", list(USUAL))
        ticks = QGridLayout()
        ticks.setHorizontalSpacing(2)
        # The longest name stands last, in a row of its own.
        names = sorted(self.ticks, key=lambda task: task == "background")
        for place, task in enumerate(names):
            tick = self.ticks[task]
            tick.setObjectName(f"map_{task}")
            tick.setToolTip(TIPS[task])
            tick.setChecked(task in chosen)
            ticks.addWidget(tick, place // 2, place % 2, 1, 2 if place == len(names) - 1 else 1)
        self.pixel_size_box = PixelSizeBox(self._networks)
        self.mask = MaskRow(self._host.viewer)
        self.first.addRow("Network", self.model)
        self.first.addRow("Maps", ticks)
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
        for tick in self.ticks.values():
            tick.toggled.connect(self._on_ticks)

    def _tell(self) -> None:
        shown = self.form.value()
        self._networks.change(**{name: getattr(shown, name) for name in FIELDS})

    # -- what can be done --------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> tuple[str, ...]:
        """The maps that are ticked."""
        return tuple(task for task, tick in self.ticks.items() if tick.isChecked())

    def why_not(self) -> str:
        """Why no map can be made now; empty if one can."""
        if not self._networks.cards:
            return "No network is installed: train one, or import one under Models."
        if self._host.image is None:
            return "Open an image first."
        return "" if self.tasks else "Tick at least one map."

    def refresh(self) -> None:
        """Show what belongs to the image of the panel."""
        super().refresh()
        self.pixel_size_box.show_for(self._host.image, self.model.card)
        enable(self.models.import_button, not self._host.busy, "A job is running; cancel it first.")

    def on_image(self) -> None:
        """The chosen image has changed."""
        super().on_image()
        self.mask.watch(self._host.image)

    def _on_ticks(self, _: bool) -> None:
        remember("maps", list(self.tasks))
        self._host.refresh_run()

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
            tasks=self.tasks,
            params=self._networks.params,
            region=asked.region,
            frames=asked.frame,
        )
        self._host.start(steps, lambda found: self._made(asked, found, time.perf_counter() - begun), "Making maps")

    def _made(self, asked: Question, found: dict[str, Micrograph], seconds: float) -> None:
        if not self.show_found(asked.image, found, asked.now):
            return
        self.mask.watch(asked.image)
        if "mask" in found:
            self.mask.draw()
        pixels = next(iter(found.values())).notes[0].partition("a measurement (")[2].removesuffix(")")
        names = " and ".join(TITLES[task] for task in found) if len(found) < 3 else f"{len(found)} maps"
        said = (
            f"{escape(names)} by {escape(self.model.chosen)}, {seconds:.1f} s, for {escape(pixels)}: a belief, not a measurement."
        )
        straightened = self._networks.params.straighten
        self._host.say(f"{said} {ROWS_PUT_BACK}" if straightened else said)
