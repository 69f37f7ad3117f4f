"""Sites over time: where columns stand in which frames, as coloured rings, time lines and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.docks.kymograph import KymographDock
from napari_atomseg.gui.docks.site_timeline import SiteTimelineDock
from napari_atomseg.gui.documents.editing import ColumnsSession, session_of
from napari_atomseg.gui.documents.results import documents_of
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.series import average_of, series_of
from napari_atomseg.gui.layers.sites import COLOURS, chosen_sites, colour_ends, colour_sites, sequence_of, show_sites, sites_layer
from napari_atomseg.gui.settings import recall, recall_params, remember, remember_params
from napari_atomseg.gui.widgets.ask_where import ask_where
from napari_atomseg.gui.widgets.buttons import told_button
from napari_atomseg.gui.widgets.colour_bar import ColourBar
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable, form_layout
from napari_atomseg.workflows import Sequence, SequenceParams, kymograph, sequence
from napari_atomseg.writers.columns_csv import write_columns
from napari_atomseg.writers.tables import table_paths, write_tables

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

BUSY = "A job is running; cancel it first."
OWN = "Take the columns of the layer {} as they are, also those corrected by hand: none is looked for or left out. Default: off."
BEYOND, ACROSS = 0.5, 0.4
"""How far a kymograph reaches beyond its two sites, and what is averaged across it, in distances of the sites."""
NO_COLUMNS = "Find columns in the average or in a frame first; correct them by hand where they are wrong."


class SitesControls(QWidget):
    """How sites are found, and what of them is shown.

    Parameters
    ----------
    host : Host
        The panel.
    before : callable
        Ends a comparison, which would hide the sites.
    """

    def __init__(self, host: Host, before: Callable[[], None]) -> None:
        super().__init__()
        self._host, self._before = host, before
        self.form = Form(SequenceParams, ("positions", "hop_distance"))
        self.form.set_value(recall_params(SequenceParams))
        self.form.value_changed.connect(lambda: remember_params(self.form.value()))
        self.own = QCheckBox("sites from my columns")
        self.own.setObjectName("sites_from_columns")
        self.button = told_button("Follow sites", "Find the sites, and in which frames a column stands there.", "follow_sites")
        self.colour = QComboBox()
        self.colour.setObjectName("colour_sites_by")
        self.colour.addItems(COLOURS)
        self.colour.setToolTip("What the colours of the rings show: dark blue is low, yellow is high. Default: occupancy.")
        self.bar = ColourBar(host.viewer)
        self.plot_button = told_button("Time line", "Presence of a column at the selected sites, as a plot.", "show_timeline")
        self.line_button = told_button(
            "Kymograph",
            "show_kymograph",
            "Intensity along the line between two selected sites, frame by frame.",
        )
        self.save_button = told_button(
            "Save tables …", "Save columns, sites, events and drift as CSV, and how they were found beside them.", "save_sites"
        )
        self._build()
        self.button.clicked.connect(self.run)
        self.plot_button.clicked.connect(self.show_timeline)
        self.line_button.clicked.connect(self.show_kymograph)
        self.save_button.clicked.connect(lambda: self.save())
        self.colour.activated.connect(lambda _: self._colour())

    def _build(self) -> None:
        self.colour_row = form_layout()
        self.colour_row.addRow("Colour by", self.colour)
        buttons = QHBoxLayout()
        buttons.addWidget(self.plot_button)
        buttons.addWidget(self.line_button)
        buttons.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.form, self.own, self.button, self.colour_row, self.bar, buttons):
            layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
        align_labels(self.form.form, self.colour_row)

    @property
    def found(self) -> Sequence | None:
        """What happens at the sites of the chosen stack."""
        return sequence_of(sites_layer(self._host.viewer, self._host.image))

    def refresh(self) -> None:
        """Show what can be done."""
        image, busy = self._host.image, self._host.busy
        aligned = series_of(image) is not None and image is not None and image.ndim == 3
        enable(self.button, aligned and not busy, BUSY if busy else "Align and average a series first.")
        session = self._session()
        self.own.setEnabled(session is not None)
        self.own.setToolTip(OWN.format(session.layer.name) if session is not None else NO_COLUMNS)
        if session is None:
            self.own.setChecked(False)
        layer = sites_layer(self._host.viewer, image)
        shown = self.colour.currentText()
        self.bar.show_range(shown, "", colour_ends(layer, shown) if layer is not None else None)
        some = self.found is not None
        enable(self.plot_button, some, "Follow the sites first.")
        enable(self.line_button, some and not busy, BUSY if busy else "Follow the sites first.")
        enable(self.save_button, some and not busy, BUSY if busy else "Follow the sites first.")

    def _session(self) -> ColumnsSession | None:
        """The newest columns of the average, or else of the stack, the latter only if they are of the frame in view."""
        viewer, image = self._host.viewer, self._host.image
        now = int(viewer.dims.current_step[0])
        for layer in (*reversed(documents_of(viewer, average_of(viewer, image))), *reversed(documents_of(viewer, image))):
            session = session_of(layer)
            if session.alive and len(session.columns if session.image is not image else session.columns.of_frame(now)):
                return session
        return None

    def sites(self, image: Image) -> Columns | None:
        """Columns that are the sites, in the pixels of the frame that they belong to; None to look for them."""
        session, series = self._session(), series_of(image)
        if not self.own.isChecked() or session is None or series is None:
            return None
        if session.image is image:
            return session.columns.of_frame(int(self._host.viewer.dims.current_step[0]))
        columns, first = session.columns, int(series.good[0])
        corner = np.asarray(series.numbers["corner_px"], float)
        return replace(columns, positions=columns.positions + corner, frame=np.full(len(columns), first))

    # -- the job -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Follow the sites of the chosen stack."""
        image = self._host.image
        if image is None or self._host.busy or series_of(image) is None:
            return
        steps = sequence.steps(to_micrograph(image), params=self.form.value(), sites=self.sites(image))
        self._host.start(steps, lambda found: self._followed(image, found), "Following sites")

    def _followed(self, image: Image, found: Sequence) -> None:
        viewer = self._host.viewer
        if image not in viewer.layers:
            self._host.say("The image has been removed meanwhile; its sites are not shown.")
            return
        self._before()
        average = average_of(viewer, image)
        if average is not None:
            average.visible = True
        if self._host.image is not image:
            self._host.choose_image(image)
        show_sites(viewer, image, found, self.colour.currentText())
        dock = self._host.dock(SiteTimelineDock)
        if dock is not None:
            dock.refresh()
        self.refresh()
        kinds = found.events["kind"].value_counts()
        events = ", ".join(f"{kinds.get(kind, 0):,} {kind}s" for kind in ("appearance", "disappearance", "hop"))
        doubts = " ".join(f"<b>{escape(text[:1].upper() + text[1:])}.</b>" for text in found.numbers.get("verdicts", ()))
        self._host.say(
            f"{len(found.sites):,} sites in {len(found.drift):,} frames: {events}. {doubts} Click a site to see its "
            '<a href="timeline">time line</a> · <a href="save-sites">save</a>'
        )

    def _colour(self) -> None:
        layer = sites_layer(self._host.viewer, self._host.image)
        if layer is not None:
            colour_sites(layer, self.colour.currentText())
            self.refresh()

    def show_timeline(self) -> None:
        """Open the time line of the selected sites."""
        self._host.open_dock(SiteTimelineDock).refresh()

    def show_kymograph(self) -> None:
        """Read the line between the two selected sites in all frames, and show it."""
        image, found = self._host.image, self.found
        layer = sites_layer(self._host.viewer, image)
        if image is None or found is None or layer is None:
            return
        chosen = chosen_sites(layer).dropna().to_numpy(int)
        if len(chosen) != 2:
            self._host.say(f"A line needs two sites, and {len(chosen)} are selected. Click one, then another with Shift held.")
            return
        first, second = (int(one) for one in chosen)
        begin, end = found.sites.set_index("site").loc[[first, second], ["y_px", "x_px"]].to_numpy(float)
        way = end - begin
        begin, end = begin - BEYOND * way, end + BEYOND * way
        length = float(np.hypot(*(end - begin)))
        width = max(1.0, ACROSS * float(np.hypot(*way)))
        steps = kymograph.steps(to_micrograph(image), found, begin, end, width=width)
        said = f"Sites {first} and {second}, {width:.0f} px wide."
        self._host.start(steps, lambda values: self._read(image, values, length, said), "Reading the line")

    def _read(self, image: Image, values: np.ndarray, length: float, said: str) -> None:
        self._host.open_dock(KymographDock).show_line(image, values, length, said)

    def save(self, path: str | None = None) -> list[Path]:
        """Save the columns of all frames and the tables of sites, events and drift; the files written."""
        image, found = self._host.image, self.found
        if image is None or found is None:
            return []
        start = str(Path(str(recall("folder", ""))) / f"{Path(image.name).stem}_sequence.csv")
        path = path or ask_where(self, "Save the sites over time", start, "CSV (*.csv)")
        if not path:
            return []
        tables = {"sites": found.sites, "events": found.events, "drift": found.drift}
        paths = table_paths(tables, Path(path))
        try:
            written = write_columns(found.columns, path)
            write_tables(tables, paths)
        except AtomsegError as error:
            self._host.show_error(error)
            return []
        remember("folder", str(Path(path).parent))
        names = ", ".join(one.name for one in (*written, *paths.values()))
        self._host.say(f"Saved {escape(names)}.")
        return [*written, *paths.values()]
