"""The dock "Counts": the histogram of cross-sections with its mixture, and the criteria, on which the number can be dragged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QWidget

from napari_atomseg.core.columns import ATOM_COUNT, CROSS_SECTION
from napari_atomseg.gui.docks.plot_dock import PlotDock
from napari_atomseg.gui.widgets.controls import CountBox
from napari_atomseg.gui.widgets.forms import enable
from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.plots.counts import CountsPlot
from napari_atomseg.workflows import counts_in, recount

if TYPE_CHECKING:
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.gui.contract import Host
    from napari_atomseg.gui.documents.editing import ColumnsSession
    from napari_atomseg.plots.picture import Plot

EMPTY = "Tick Atoms counted on the page Measure, and press Measure."
LEAST_PX = 140


class CountsView(PlotView):
    """The plot; `chosen` gives a number of counts that was dragged to, `picked` the atoms of a component that was clicked."""

    chosen = Signal(int)
    picked = Signal(int)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, EMPTY, parent)
        self.setMouseTracking(True)
        self._dragged = False

    def show_counts(self, plot: CountsPlot | None) -> None:
        """Show another histogram."""
        self._dragged = False
        self.show_plot(plot, at_once=True)

    def _at(self, event: Any) -> int | None:
        if not isinstance(self.plot, CountsPlot):
            return None
        return self.plot.number_at(event.position().x(), (self.width(), self.height()))

    def mousePressEvent(self, event: Any) -> None:  # Qt's name
        """Take hold of the number, or pick a component."""
        if event.button() != Qt.MouseButton.LeftButton or not isinstance(self.plot, CountsPlot):
            return
        if self._at(event) is not None:
            self._dragged = True
            self._mark(self._at(event))
            return
        atoms = self.plot.component_at(event.position().x(), (self.width(), self.height()))
        if atoms is not None:
            self.picked.emit(atoms)

    def mouseMoveEvent(self, event: Any) -> None:  # Qt's name
        """Move the number along."""
        number = self._at(event)
        self.setCursor(Qt.CursorShape.ArrowCursor if number is None else Qt.CursorShape.SizeHorCursor)
        if self._dragged and number is not None:
            self._mark(number)

    def mouseReleaseEvent(self, event: Any) -> None:  # Qt's name
        """Count with the number that was dragged to."""
        if self._dragged and isinstance(self.plot, CountsPlot) and self.plot.marked is not None:
            self._dragged = False
            self.chosen.emit(self.plot.marked)

    def leaveEvent(self, event: QEvent | None) -> None:  # Qt's name
        """Let go of the number."""
        if self._dragged:
            self._dragged = False
            self._mark(None)

    def _mark(self, number: int | None) -> None:
        if isinstance(self.plot, CountsPlot) and number != self.plot.marked:
            self.show_plot(replace(self.plot, marked=number), at_once=True)


class CountsDock(PlotDock):
    """Histogram, mixture and criteria of the document in view; the number of counts is yours if you drag or type it.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Counts"
    tip = "Cross-sections as a histogram with the counts, and how many there are; drag the line to overrule."
    save_title = "Save the counts"

    def __init__(self, host: Host) -> None:
        self.view = CountsView(host.viewer)
        super().__init__(self.view, "counts", "Histogram of cross-sections and criteria")
        self._host = host
        self.plot.setMinimumHeight(LEAST_PX)
        self.view.chosen.connect(self.overrule)
        self.view.picked.connect(self._select)
        self.number = CountBox()
        self.number.setObjectName("number_of_counts")
        self.number.setRange(1, 200)
        self.number.setToolTip("How many different counts there are; another number counts anew.")
        self.number.editingFinished.connect(lambda: self.overrule(self.number.value()))
        self.save_button.setProperty("tip", "Save the plot as PNG, SVG or PDF, and the counts as CSV beside it.")
        self.add_control(self.number, "Different counts")
        host.documents.watched.connect(self.refresh)
        host.documents.refreshed.connect(self.refresh)
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Show the counts of the document in view."""
        try:
            counts, unit = self._counts()
            plot = None
            if counts is not None and self._session is not None:
                values = self._session.columns.features[CROSS_SECTION].to_numpy(float)
                plot = CountsPlot(values=values, unit=unit, counts=counts)
                self.number.blockSignals(True)
                self.number.setValue(counts["components"])
                self.number.blockSignals(False)
            self.reading.setText("" if counts is None else _said(counts))
            self.view.show_counts(plot)
            free = counts is not None and not counts["from_library"]
            enable(self.number, free, "A library says how many counts there are." if counts else "Count atoms first.")
            enable(self.save_button, plot is not None, "There is nothing to save yet.")
        except RuntimeError:
            # The dock's Qt side is gone; signals may still come once.
            return

    @property
    def _session(self) -> ColumnsSession | None:
        session = self._host.documents.session
        return session if session is not None and session.alive else None

    def _counts(self) -> tuple[Mapping[str, Any] | None, str]:
        session = self._session
        if session is None or CROSS_SECTION not in session.columns.features:
            return None, ""
        return counts_in(session.columns)

    def overrule(self, number: int) -> None:
        """Count with another number of different counts, as one step of undo."""
        session = self._session
        counts, _ = self._counts()
        if session is None or counts is None or number == counts["components"] or self._host.busy:
            self.refresh()
            return
        asked = session.columns
        steps = recount.steps(asked, components=number)
        self._host.start(steps, lambda found: self._counted(session, asked, found), "Counting")

    def _counted(self, session: ColumnsSession, asked: Columns, found: Columns) -> None:
        if session.alive and session.columns is asked:
            session.apply(found)
            session.restyle()
            self.refresh()
            counts, _ = counts_in(session.columns)
            if counts is not None:
                self._host.say(escape(_said(counts)))

    def _select(self, atoms: int) -> None:
        """Select the columns of a count on the image."""
        session = self._session
        if session is not None and ATOM_COUNT in session.columns.features:
            rows = np.flatnonzero(session.columns.features[ATOM_COUNT].to_numpy(float) == atoms)
            session.layer.selected_data = set(rows.tolist())
            self._host.say(f"{len(rows):,} columns of {atoms} atom{'s' if atoms != 1 else ''} selected.")

    def saved(self) -> tuple[Plot, pd.DataFrame] | None:
        """The histogram and its components."""
        counts, _ = self._counts()
        if counts is None or not isinstance(self.plot.plot, CountsPlot):
            return None
        names = {"mean": "means", "width": "widths", "weight": "weights"}
        table = pd.DataFrame({name: counts[key] for name, key in names.items()})
        table.insert(0, "atoms", counts["first_count"] + np.arange(len(table)))
        return self.plot.plot, table


def _said(counts: Mapping[str, Any]) -> str:
    """How many atoms, and how sure that is."""
    said = f"{counts['atoms']:,} atoms in {counts['counted']:,} columns"
    if counts["from_library"]:
        return f"{said}, by the library."
    if counts["criterion"] == "you":
        return f"{said}, with the number of counts that you chose ({counts['components']})."
    sure = 100 * counts["probability_of_components"]
    return f"{said}; {counts['components']} different counts by {counts['criterion'].upper()}, probability {sure:.0f} %."
