"""What docks with a plot have in common: the plot, a sentence, controls, saving; and the link to the selected columns."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.ask_where import PLOTS, ask_where, suffixes_in
from napari_atomseg.gui.widgets.forms import enable
from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.gui.widgets.selecting_plot import SelectingPlot
from napari_atomseg.plots.picture import Plot, save_plot
from napari_atomseg.sessions.saving import with_suffix

if TYPE_CHECKING:
    import pandas as pd

    from napari_atomseg.gui.contract import Host

LEAST_PX = 120


class PlotDock(QWidget):
    """A plot with controls below, which is saved with its numbers.

    Parameters
    ----------
    plot : PlotView
    name : str
        Of the file that is proposed.
    what : str
        For those who cannot see it.
    """

    save_title = "Save the plot"

    def __init__(self, plot: PlotView, name: str, what: str) -> None:
        super().__init__()
        self.setObjectName(type(self).__name__)
        self._name = name
        self._numbers: pd.DataFrame | None = None
        self.plot = plot
        self.plot.setMinimumHeight(LEAST_PX)
        self.plot.setAccessibleName(what)
        self.reading = QLabel()
        self.reading.setWordWrap(True)
        self.save_button = QPushButton("Save …")
        self.save_button.setObjectName(f"save_{name}")
        self.save_button.setProperty("tip", "Save the plot as PNG, SVG or PDF, and its numbers as CSV beside it.")
        self.save_button.clicked.connect(lambda: self.save())
        self.controls = QHBoxLayout()
        self.controls.addWidget(self.reading, 1)
        self.controls.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(2)
        layout.addWidget(self.plot, 1)
        layout.addLayout(self.controls)
        enable(self.save_button, False, "There is no plot yet.")

    def add_control(self, widget: QWidget, title: str = "") -> None:
        """Put a control in front of the button that saves."""
        if title:
            self.controls.insertWidget(self.controls.count() - 1, QLabel(title))
        self.controls.insertWidget(self.controls.count() - 1, widget)

    def show_plot(self, plot: Plot | None, numbers: pd.DataFrame | None) -> None:
        """Show a plot, or none.

        Parameters
        ----------
        plot : Plot or None
        numbers : DataFrame or None
            That are saved beside it.
        """
        self._numbers = numbers
        self.plot.show_plot(plot)
        enable(self.save_button, plot is not None, "There is no plot yet.")

    def saved(self) -> tuple[Plot, pd.DataFrame] | None:
        """What is written by :meth:`save`."""
        if self.plot.plot is None or self._numbers is None:
            return None
        return self.plot.plot, self._numbers

    def save(self, path: str | None = None) -> list[Path]:
        """Save the plot, by suffix as PNG, SVG or PDF, and its numbers beside it; the files written."""
        shown = self.saved()
        if shown is None:
            return []
        start = str(Path(str(recall("folder", ""))) / f"{self._name}.png")
        path = path or ask_where(self, self.save_title, start, PLOTS)
        if not path:
            return []
        picture = with_suffix(Path(path), suffixes_in(PLOTS))
        numbers = picture.with_suffix(".csv")
        try:
            save_plot(shown[0], picture)
            shown[1].to_csv(numbers, index=False)
        except OSError as error:
            self.reading.setText(f"Could not be saved: {error.strerror or error}. Choose another folder.")
            return []
        remember("folder", str(picture.parent))
        self.reading.setText(f"Saved to {picture.name} and {numbers.name}.")
        return [picture, numbers]


class LinkedPlotDock(PlotDock):
    """A plot of the columns of the document in view; what is selected in one is selected in the other.

    The selection is that of the Points layer, the same that the table shows; there is no second one.

    Parameters
    ----------
    host : Host
        The panel.
    name, what, empty : str
        As of :class:`PlotDock`; what is said while there is no plot.
    """

    def __init__(self, host: Host, name: str, what: str, empty: str) -> None:
        linked = SelectingPlot(host.viewer, empty)
        super().__init__(linked, name, what)
        self._host = host
        self._linked = linked
        self._rows = np.zeros(0, int)
        self._session: weakref.ref[ColumnsSession] | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.show_selected)
        linked.chosen.connect(self._select)
        linked.setToolTip("Draw round points to select their columns; Ctrl draws a rectangle, Shift adds, a click selects none.")
        host.documents.watched.connect(self.refresh)
        host.documents.refreshed.connect(self.refresh)

    @property
    def session(self) -> ColumnsSession | None:
        """The document in view."""
        session = self._host.documents.session
        return session if session is not None and session.alive else None

    @property
    def frame(self) -> int:
        """The frame in view, 0 of a single image."""
        session = self.session
        return int(self._host.viewer.dims.current_step[0]) if session is not None and session.layer.ndim == 3 else 0

    @property
    def selected(self) -> np.ndarray:
        """Selected columns, by their place among those that are plotted."""
        session = self.session
        chosen = np.fromiter(session.layer.selected_data, int) if session is not None else np.zeros(0, int)
        return np.flatnonzero(np.isin(self._rows, chosen))

    def refresh(self, *_: Any) -> None:
        """Show the document in view as it is now."""
        try:
            self._watch()
            self.draw()
            self.show_selected()
        except RuntimeError:
            # The dock's Qt side is gone; signals may still come once.
            return

    def draw(self) -> None:
        """Show the plot of the document in view, by :meth:`show_columns`."""
        raise NotImplementedError

    def show_columns(self, plot: Plot | None, numbers: pd.DataFrame | None, rows: np.ndarray) -> None:
        """Show a plot of some columns.

        Parameters
        ----------
        plot : SelectablePlot or None
        numbers : DataFrame or None
        rows : ndarray of int
            Of the document, for each column of the plot.
        """
        self._rows = rows
        self.show_plot(plot, numbers)

    def show_selected(self) -> None:
        """Let the columns that are selected on the image stand out."""
        try:
            self._linked.show_selected(self.selected)
        except RuntimeError:
            return

    def _watch(self) -> None:
        before = self._session() if self._session is not None else None
        session = self.session
        if before is session:
            return
        if before is not None and before.alive:
            before.layer.selected_data.events.items_changed.disconnect(self._later, missing_ok=True)
        self._session = weakref.ref(session) if session is not None else None
        if session is not None:
            session.layer.selected_data.events.items_changed.connect(self._later)

    def _later(self, *_: Any) -> None:
        try:
            self._soon.start()
        except RuntimeError:  # napari keeps the callback longer than Qt the widget
            return

    def _select(self, rows: np.ndarray, added: bool) -> None:
        """Select columns of the plot on the image."""
        session = self.session
        if session is None:
            return
        # The plot answers at once: napari takes a fifth of a second to select twenty thousand points.
        self._linked.show_selected(np.union1d(rows, self.selected) if added else rows)
        self._linked.repaint()
        chosen = set(self._rows[rows].tolist())
        self._host.viewer.layers.selection.active = session.layer
        session.layer.selected_data = chosen | set(session.layer.selected_data) if added else chosen
        count = len(session.layer.selected_data)
        self.reading.setText(f"{count:,} {'column' if count == 1 else 'columns'} selected.")
