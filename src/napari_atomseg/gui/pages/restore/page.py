"""The page "Restore": the image without noise and distortions, by a network; compared, and searched for columns."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QFormLayout, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, as_part
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.documents.results import show_columns
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.maps import show_map
from napari_atomseg.gui.pages.columns.page import ColumnsPage
from napari_atomseg.gui.settings import recall, recall_params, remember, remember_params
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable
from napari_atomseg.gui.widgets.image_pair import BESIDE, CompareRow
from napari_atomseg.gui.widgets.link_label import LinkLabel
from napari_atomseg.gui.widgets.network_settings import ModelBox
from napari_atomseg.gui.widgets.region import RegionBox
from napari_atomseg.workflows import (
    RestorationParams,
    locate_restored,
    restoration_difference,
    restoration_spread,
    restore,
)

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

NO_NETWORK = (
    "No network that restores images is installed. <a href='import'>Import</a> a model folder (card.yaml and "
    "weights.safetensors), or train one with <tt>napari-atomseg train restore</tt>."
)
SPREAD_SHARE = 0.8
"""Of the time, where the spread is asked for too: four answers beside the one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Restored:
    """What was restored of an image, what was taken off, and, if asked for, the spread; frame None for a whole stack."""

    image: Micrograph
    difference: Micrograph
    spread: Micrograph | None
    frame: int | None


class RestorePage(QWidget):
    """Controls of restoration; the panel's foot runs and cancels it.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Restore"
    tip = "The image without noise and distortions, as a network believes it to be."
    run_text = "Restore"
    run_tip = "Take noise, scan distortions and detector faults off the image."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host, self._networks = host, host.networks
        self._last: tuple[Image, Restored] | None = None
        self._build()
        self._connect()
        self.model.choose(str(recall("restorer", "")))
        self.form.set_value(recall_params(RestorationParams))
        self.more.set_value(recall_params(RestorationParams))
        self.on_models()

    def _build(self) -> None:
        self.empty = LinkLabel(self._host.viewer, NO_NETWORK)
        self.model = ModelBox(self._networks, restoring=True)
        self.model.setObjectName("restorer")
        self.form = Form(RestorationParams, ("modality",))
        self.region = RegionBox(self._host)
        self.every_frame = QCheckBox("every frame of the stack")
        self.every_frame.setToolTip("Otherwise only the frame in view is restored.")
        self.compare = CompareRow(self._host.viewer)
        self.find = QPushButton("Find columns in it")
        self.find.setObjectName("find_in_restored")
        self.find.setProperty(
            "tip", "Find columns in the restored image, and fit them on the recorded one, which is the measurement."
        )
        self.spread = QCheckBox("spread of four answers")
        self.spread.setObjectName("spread")
        self.spread.setToolTip(
            "Ask the network four times, with the rows in the other order and without the kind: where its answers differ, it "
            "does not know. Takes five times as long. Default: off."
        )
        self.draw = QPushButton("Draw region")
        self.draw.setObjectName("draw_for_restoring")
        self.draw.setProperty("tip", "Draw a rectangle or polygon; only what lies inside or outside of it is restored.")
        self.more = Form(RestorationParams, ("device",))
        self.first = QFormLayout()
        self.first.setContentsMargins(0, 0, 0, 0)
        self.first.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.first.addRow("Network", self.model)
        self.controls = QWidget()
        inside = QVBoxLayout(self.controls)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(self.first)
        inside.addWidget(self.form)
        where = QFormLayout()
        where.setContentsMargins(0, 0, 0, 0)
        where.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        where.addRow("Restore", self.region)
        self.where = where
        inside.addLayout(where)
        for widget in (self.every_frame, self.compare, self.find, fold("More", self.draw, self.spread, self.more)):
            inside.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 8, 2)
        layout.addWidget(self.empty)
        layout.addWidget(self.controls)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.draw.clicked.connect(lambda: self.region.draw(self.run_text))
        self.find.clicked.connect(self.find_columns)
        self.empty.linkActivated.connect(self._host.follow_link)
        self.model.currentIndexChanged.connect(self._on_model)
        self._networks.models_changed.connect(self.on_models)
        for form in (self.form, self.more):
            form.value_changed.connect(lambda: remember_params(self.params))
        layers = self._host.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.first, self.form.form, self.where, self.compare.form)

    # -- what can be done --------------------------------------------------------------------------------------------

    @property
    def params(self) -> RestorationParams:
        """How the image is restored."""
        return RestorationParams(modality=self.form.value().modality, device=self.more.value().device)

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {"find-restored": self.find_columns}

    def why_not(self) -> str:
        """Why nothing can be restored now; empty if it can."""
        if not self.model.chosen:
            return "No network that restores images is installed."
        return "Open an image first." if self._host.image is None else ""

    def refresh(self) -> None:
        """Show what belongs to the image of the panel."""
        image = self._host.image
        self.every_frame.setVisible(image is not None and image.ndim == 3)
        enable(self.draw, image is not None, "Open an image first.")
        why_not = "A job is running; cancel it first." if self._host.busy else "Restore the image first."
        enable(self.find, self._restored_of(image) is not None and not self._host.busy, why_not)

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
            remember("restorer", self.model.chosen)
        self.refresh()
        self._host.refresh_run()

    def _on_layers(self, event: Any = None) -> None:
        self.region.fill()
        self.compare.refresh()

    def _restored_of(self, image: Image | None) -> Restored | None:
        """What was restored last, if it was this image."""
        return self._last[1] if self._last is not None and image is not None and self._last[0] is image else None

    # -- the job -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Restore the chosen image."""
        image = self._host.image
        if image is None or self.why_not():
            return
        try:
            region = self.region.mask(image)
        except AtomsegError as error:
            self._host.show_error(error)
            return
        micrograph = to_micrograph(image)
        stack = len(micrograph.shape) == 3
        now = int(self._host.viewer.dims.current_step[0]) if stack else 0
        frame = None if self.every_frame.isChecked() or not stack else now
        begun = time.perf_counter()
        steps = self._steps(micrograph, region, frame)
        self._host.start(steps, lambda found: self._made(image, found, now, time.perf_counter() - begun), "Restoring")

    def _steps(self, micrograph: Micrograph, region: np.ndarray | None, frame: int | None) -> Generator[Progress, None, Restored]:
        name, params, spread = self.model.chosen, self.params, self.spread.isChecked()
        share = 1 - SPREAD_SHARE if spread else 1.0
        job = restore.steps(micrograph, model=name, params=params, region=region, frames=frame)
        found = yield from as_part(job, 0, share, "restoring")
        doubt = None
        if spread:
            job = restoration_spread.steps(micrograph, model=name, params=params, frames=frame)
            doubt = yield from as_part(job, share, 1, "spread")
        difference = restoration_difference(micrograph, found, frame)
        return Restored(image=found, difference=difference, spread=doubt, frame=frame)

    def _made(self, image: Image, found: Restored, frame: int, seconds: float) -> None:
        if image not in self._host.viewer.layers:
            self._host.say("The image has been removed meanwhile; what was restored of it is not shown.")
            return
        self.compare.show_as("off")
        if found.spread is not None:
            show_map(self._host.viewer, image, "spread", found.spread, frame)
        show_map(self._host.viewer, image, "difference", found.difference, frame)
        show_map(self._host.viewer, image, "restored", found.image, frame)
        self._host.viewer.layers.selection.active = image
        self._last = image, found
        self.compare.refresh()
        self.compare.choose("restored")
        if image is self._host.image:
            self.compare.show_as(BESIDE)
        self.refresh()
        note, *warnings = found.image.notes
        said = f"{escape(note[:1].upper() + note[1:])}, {seconds:.1f} s. "
        said += "".join(f"<b>{escape(text[:1].upper() + text[1:])}.</b> " for text in warnings[:2])
        self._host.say(f'{said}<a href="find-restored">find columns in it</a>')

    def find_columns(self) -> None:
        """Find columns in what was restored, and fit them on the recorded image."""
        image, found = self._host.image, self._restored_of(self._host.image)
        if image is None or found is None or self._host.busy:
            return
        steps = locate_restored.steps(to_micrograph(image), found.image, frame=found.frame)
        self._host.start(steps, lambda columns: self._found(image, columns, found.frame), "Finding columns")

    def _found(self, image: Image, columns: Columns, frame: int | None) -> None:
        if image not in self._host.viewer.layers:
            self._host.say("The image has been removed meanwhile; its columns are not shown.")
            return
        self.compare.show_as("off")
        show_columns(self._host.viewer, image, columns, frame)
        self._host.turn_to(ColumnsPage)
        good = int(columns.features["fit"].isin(("ok", "border")).sum())
        self._host.say(
            f"{len(columns):,} columns found in the restored image, {good:,} of them fitted on the recorded one. "
            '<a href="table">table</a> · <a href="save">save</a>'
        )
