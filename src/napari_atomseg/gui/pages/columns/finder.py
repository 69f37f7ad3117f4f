"""Which finder the page "Columns" uses; for a network also its threshold, live, and what it is told."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Points
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QWidget
from superqt import QLabeledDoubleSlider

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Steps
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.pages.columns.sentences import LINKS
from napari_atomseg.gui.pages.columns.series_box import SeriesBox
from napari_atomseg.gui.pages.columns.thresholded_columns import LEAST, ThresholdedColumns
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.forms import Form, ResetLabel, Setting, form_layout
from napari_atomseg.gui.widgets.network_settings import BEST_FOR_IMAGE, ModelBox, NetworkSettings, PixelSizeBox
from napari_atomseg.sessions.document import beside_other_frames
from napari_atomseg.sessions.threshold import at_least, is_by_network, least_of
from napari_atomseg.workflows import (
    AUTO,
    CLASSICAL,
    STRUCTURES,
    ClassicalParams,
    NetworkParams,
    locate,
    rejection_at,
)

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

SURE = 0.99
"""No threshold above this."""
HALF_A_STEP = 0.005
READING, READ_AFTER_MS = ("epsilon",), 250
"""How the maps of networks of structures are read, beside the confidence, which is their rejection t in other words; they are
read anew when a hand has rested for so long."""


class Finder(QWidget):
    """Choice of the finder, and below it what only networks need.

    Parameters
    ----------
    host : Host
        The panel.
    networks : NetworkSettings
    """

    chosen_changed = Signal()
    reading_changed = Signal()
    """The maps of a network of structures are to be read in another way."""

    def __init__(self, host: Host, networks: NetworkSettings) -> None:
        super().__init__()
        self._host, self._networks = host, networks
        self._candidates: weakref.WeakKeyDictionary[Points, ThresholdedColumns] = weakref.WeakKeyDictionary()
        self._session: ColumnsSession | None = None
        self._build()
        self.model.choose(str(recall("finder", AUTO)))
        self._on_chosen()
        self.model.currentIndexChanged.connect(self._on_chosen)
        self.least.valueChanged.connect(self._on_least)
        self.reading.value_changed.connect(self._on_reading)
        networks.changed.connect(self.refresh)
        networks.preferred.connect(self.model.choose)

    def _build(self) -> None:
        self.model = ModelBox(self._networks, {AUTO: BEST_FOR_IMAGE, CLASSICAL: "classical (no network)"})
        self.model.setObjectName("finder")
        self.least = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.least.setObjectName("least_confidence")
        self.least.setRange(LEAST, SURE)
        self.least.setDecimals(2)
        self.least.setSingleStep(0.01)
        self.least.setPageStep(0.1)
        self.least.setValue(self._networks.params.least_confidence)
        self.least.setToolTip(
            "Columns less probable than this are not shown. Moves the points while you drag; what you made, moved or "
            "deleted by hand stays so."
        )
        self.reading = Form(NetworkParams, READING)
        self.reading.set_value(self._networks.params)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(READ_AFTER_MS)
        self._soon.timeout.connect(self.reading_changed)
        self.pixel_size_box = PixelSizeBox(self._networks)
        self.form = form_layout(self)
        self.form.addRow("Finder", self.model)
        self.form.addRow(ResetLabel("Confidence", Setting(self.least, NetworkParams().least_confidence)), self.least)
        self.form.addRow(self.pixel_size_box)
        self.form.addRow(self.reading)
        self.series = SeriesBox()
        self.form.addRow(self.series)
        self.form.setVerticalSpacing(4)

    @property
    def by_network(self) -> bool:
        """True if a network is chosen."""
        return self.model.card is not None

    @property
    def by_structures(self) -> bool:
        """True if a network is chosen that recognises local structures."""
        card = self.model.card
        return card is not None and card.task == STRUCTURES

    @property
    def may_be_network(self) -> bool:
        """True if a network is chosen, or may be for the image."""
        return self.by_network or self.model.chosen == AUTO

    @property
    def may_be_classical(self) -> bool:
        """True if the classical finder is chosen, or may be for the image."""
        return not self.by_network

    def steps(
        self, micrograph: Micrograph, given: ClassicalParams, region: np.ndarray | None, frame: int | None
    ) -> Steps[Columns]:
        """The job that finds columns with the chosen finder; a network's unsure ones are among them.

        Parameters
        ----------
        micrograph : Micrograph
        given : ClassicalParams
            Of the classical finder; its polarity holds for networks too.
        region : ndarray of bool, shape (Y, X), or None
            Search only where it is True.
        frame : int or None
            The only frame, counted from 0; None for all.
        """
        if self.model.chosen == CLASSICAL:
            return locate.steps(micrograph, model=CLASSICAL, params=given, refined=False, region=region, frames=frame)
        # Points are shown on the image as it was scanned; straightening them is a step of its own.
        asked = replace(self._networks.params, polarity=given.polarity, least_confidence=LEAST, straighten=False)
        return locate.steps(
            micrograph,
            model=self.model.chosen,
            params=given,
            network=self.series.told(asked),
            refined=False,
            region=region,
            frames=frame,
            series=self.series.is_series,
        )

    def sure(self, found: Columns, frame: int | None = None) -> Columns:
        """Those that the threshold lets through, of all frames or of the only one that was searched."""
        return at_least(found, self.least.value(), frame) if is_by_network(found) else found

    def keep(self, session: ColumnsSession, found: Columns, frame: int | None = None) -> None:
        """Keep everything that was found, in one frame or in all, so that the threshold of this document can be moved.

        Parameters
        ----------
        session : ColumnsSession
            The document.
        found : Columns
            Sure or not.
        frame : int, optional
            The only frame that was searched.
        """
        kept = self._candidates.pop(session.layer, None)
        if is_by_network(found):
            if frame is not None:
                found = beside_other_frames(kept.everything if kept is not None else session.columns, found, frame)
            self._candidates[session.layer] = ThresholdedColumns(session, found)

    def watch(self, session: ColumnsSession | None) -> None:
        """Move the threshold of another document from now on."""
        self._session = session

    @property
    def candidates(self) -> ThresholdedColumns | None:
        """What is kept of the document, if a network found it in this session."""
        try:
            return self._candidates.get(self._session.layer) if self._session is not None else None
        except ReferenceError:
            return None

    def refresh(self) -> None:
        """Say what the network is told of the image, and show the threshold of the document."""
        self.pixel_size_box.show_for(self._host.image, self.model.card)
        self.form.setRowVisible(self.series, self.series.show_for(self._host.image, self.model.card))
        self.least.setEnabled(not self._host.busy)
        least = least_of(self._session.columns) if self._session is not None and self.candidates is not None else None
        if least is not None and abs(least - self.least.value()) > HALF_A_STEP:
            blocked = self.least.blockSignals(True)
            self.least.setValue(least)
            self.least.blockSignals(blocked)
            # What was dragged and undone is not what the next start begins with.
            self._networks.change(least_confidence=round(least, 3))

    def _on_chosen(self, _: int = 0) -> None:
        remember("finder", self.model.chosen)
        for row in (1, 2):
            self.form.setRowVisible(row, self.may_be_network)
        self.form.setRowVisible(self.reading, self.by_structures)
        self.refresh()
        self.chosen_changed.emit()

    def _on_reading(self) -> None:
        shown = self.reading.value()
        self._networks.change(**{name: getattr(shown, name) for name in READING})
        self._soon.start()

    def _on_least(self, value: float) -> None:
        self._networks.change(least_confidence=round(float(value), 3))
        kept = self.candidates
        if kept is None or self._host.busy or self._session is None:
            return
        kept.show(value)
        count, all_of_them = len(self._session.columns), len(kept.everything)
        rejection = f" (t = {rejection_at(value):.2f})" if self.by_structures else ""
        self._host.say(f"{count:,} of {all_of_them:,} candidates from confidence {value:.2f}{rejection} on. {LINKS}")
