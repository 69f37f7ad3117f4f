"""The page "Restore": the image without noise and distortions, by a network; compared, and searched for columns."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QPushButton, QVBoxLayout

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress, as_part
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.documents.results import show_columns
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.pages.columns.page import ColumnsPage
from napari_atomseg.gui.pages.network_page import NetworkPage, Question
from napari_atomseg.gui.settings import recall_params, remember_params
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable, form_layout
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
SHOWN = 2
"""Warnings that the message has room for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Restored:
    """What was restored of an image, what was taken off, and, if asked for, the spread; frame None for a whole stack."""

    image: Micrograph
    difference: Micrograph
    spread: Micrograph | None
    frame: int | None


class RestorePage(NetworkPage):
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
        super().__init__(host, NO_NETWORK, "restorer", "Restore", restoring=True)
        self._last: tuple[Image, Restored] | None = None
        self._build()
        self.find.clicked.connect(self.find_columns)
        for form in (self.form, self.more):
            form.set_value(recall_params(RestorationParams))
            form.value_changed.connect(lambda: remember_params(self.params))
        self.watch_everything()

    def _build(self) -> None:
        self.form = Form(RestorationParams, ("modality",))
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
        self.more = Form(RestorationParams, ("periodic", "straighten", "device"))
        self.first.addRow("Network", self.model)
        self.where = form_layout()
        self.where.addRow(self.region_text, self.region)
        inside = QVBoxLayout(self.controls)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(self.first)
        inside.addWidget(self.form)
        inside.addLayout(self.where)
        for widget in (self.every_frame, self.compare, self.find, fold("More", self.draw, self.spread, self.more)):
            inside.addWidget(widget)
        self.page.addStretch(1)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.first, self.form.form, self.where, self.compare.form)

    # -- what can be done --------------------------------------------------------------------------------------------

    @property
    def params(self) -> RestorationParams:
        """How the image is restored."""
        return replace(self.more.value(), modality=self.form.value().modality)

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
        super().refresh()
        why_not = "A job is running; cancel it first." if self._host.busy else "Restore the image first."
        enable(self.find, self._restored_of(self._host.image) is not None and not self._host.busy, why_not)

    def _restored_of(self, image: Image | None) -> Restored | None:
        """What was restored last, if it was this image."""
        return self._last[1] if self._last is not None and image is not None and self._last[0] is image else None

    # -- the job -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Restore the chosen image."""
        asked = self.question()
        if asked is None:
            return
        begun = time.perf_counter()
        steps = self._steps(asked.micrograph, asked.region, asked.frame)
        self._host.start(steps, lambda found: self._made(asked, found, time.perf_counter() - begun), "Restoring")

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

    def _made(self, asked: Question, found: Restored, seconds: float) -> None:
        made = {"restored": found.image, "difference": found.difference}
        if found.spread is not None:
            made["spread"] = found.spread
        if not self.show_found(asked.image, made, asked.now):
            return
        self._last = asked.image, found
        self.refresh()
        note, *warnings = found.image.notes
        said = f"{escape(note[:1].upper() + note[1:])}, {seconds:.1f} s. "
        said += "".join(f"<b>{escape(text[:1].upper() + text[1:])}.</b> " for text in warnings[:SHOWN])
        if len(warnings) > SHOWN:
            said += f"{len(warnings) - SHOWN} more are in the notes of the layer. "
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
