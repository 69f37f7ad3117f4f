"""The page "Measure": lattices, strain, polarisation and local structures of the columns, on the image and in the table."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QFormLayout, QGridLayout, QLabel, QMenu, QVBoxLayout, QWidget

from napari_atomseg.core.columns import (
    ATOM_COUNT,
    SITE,
    STRAIN,
    Columns,
)
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.docks.counts import CountsDock
from napari_atomseg.gui.docks.measured_profile import MeasuredProfileDock
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import pixel_size_of, to_micrograph
from napari_atomseg.gui.layers.measured import show_counts
from napari_atomseg.gui.pages.columns.colour_choice import ColourChoice
from napari_atomseg.gui.pages.measure.analyses import COUNTING_FIELDS, FIRST_SHOWN, INTENSITY_FIELDS, INTENSITY_TICKS, TITLES
from napari_atomseg.gui.pages.measure.sentences import described
from napari_atomseg.gui.pages.measure.views import ARROWS, CELL_MAPS, MeasuredViews
from napari_atomseg.gui.settings import recall, recall_params, remember, remember_params
from napari_atomseg.gui.widgets.ask_where import ask_where
from napari_atomseg.gui.widgets.buttons import told_button
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable
from napari_atomseg.workflows import DIRECTIONS, WHAT, IntensityParams, Measurement, MeasureParams, measure
from napari_atomseg.writers.particle_xyz import model_path, write_model
from napari_atomseg.writers.tables import table_paths, write_tables

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

BUSY = "A job is running; cancel it first."


class MeasurePage(QWidget):
    """Controls of the measurement; the panel's foot runs and cancels it.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Measure"
    tip = "Lattice, strain, polarisation and local structure of the columns, each number with its error."
    run_text = "Measure"
    run_tip = "Measure what is ticked and write it into the table of the columns, as one step of undo."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._found: weakref.WeakKeyDictionary[ColumnsSession, Measurement] = weakref.WeakKeyDictionary()
        self.views = MeasuredViews(host, self)
        self._build()
        self._connect()
        self.form.set_value(recall_params(MeasureParams))
        self.refresh()

    def _build(self) -> None:
        asked = str(recall("measured", "sublattices,strain,polarisation")).split(",")
        self.ticks: dict[str, QCheckBox] = {}
        ticks = QGridLayout()
        for place, name in enumerate(WHAT):
            text, tip = TITLES[name]
            tick = QCheckBox(text)
            tick.setObjectName(f"measure_{name}")
            tick.setToolTip(tip)
            tick.setChecked(name in asked)
            ticks.addWidget(tick, place // 2, place % 2)
            self.ticks[name] = tick
        self.form = Form(MeasureParams, ("sublattice", "window"))
        self.reference = Form(MeasureParams, ("structure", "zone_axis"))
        self.intensities = Form(IntensityParams, INTENSITY_FIELDS)
        self.counting = Form(IntensityParams, COUNTING_FIELDS)
        self.reading = QLabel()
        self.reading.setWordWrap(True)
        self.reading.setObjectName("measured")
        self.colour = ColourChoice(self._host.viewer)
        self.colour.setObjectName("measured_colour")
        self.shown = QFormLayout()
        self.shown.setContentsMargins(0, 0, 0, 0)
        self.shown.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.shown.addRow("Colour by", self.colour)
        self.shown.addRow(self.colour.bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 8, 2)
        layout.addLayout(ticks)
        layout.addWidget(self.form)
        layout.addWidget(fold("Reference structure", self.reference))
        layout.addWidget(fold("Intensities", self.intensities))
        layout.addWidget(fold("Counting", self.counting))
        layout.addWidget(self.reading)
        layout.addLayout(self.shown)
        layout.addWidget(self.views.wheel)
        layout.addLayout(self._buttons())
        layout.addStretch(1)

    def _buttons(self) -> QGridLayout:
        """What is done with what was measured."""
        self.arrows_button = told_button(
            "Arrows", "Draw polarisation, else displacement, as arrows coloured by direction.", "arrows"
        )
        self.map_button = told_button("Map", "Make an image of the feature that the rings show.", "feature_map")
        self.phase_button = told_button(
            "Image strain", "The same strain from the image itself, by geometric phase analysis; without errors.", "image_strain"
        )
        self.profile_button = told_button("Profile", "Plot the feature that the rings show along a direction.", "feature_profile")
        self.plot_button = told_button(
            "Plot", "Histogram of the feature, or one against another; draw in it to select columns.", "plot_columns"
        )
        self.save_button = told_button(
            "Save …", "Save the columns, and sites, cells or rings as tables beside them.", "save_measured"
        )
        self.cells_button = told_button("Cell map", "Make an image of the sides, angle or tilt of the unit cells.", "cell_map")
        self.planes_button = told_button(
            "Planes", "Select the columns on the same atomic planes as those that are selected.", "select_planes"
        )
        self.report_button = told_button("Report …", "Write pictures, numbers and parameters on one page (HTML).", "report")
        self.undo_button = told_button("Undo", "Take the last change of the columns back.", "undo_measured")
        buttons = QGridLayout()
        rows = (
            (self.arrows_button, self.map_button, self.phase_button),
            (self.plot_button, self.profile_button, self.cells_button),
            (self.planes_button, self.report_button, self.undo_button),
            (self.save_button,),
        )
        for row, line in enumerate(rows):
            for place, button in enumerate(line):
                buttons.addWidget(button, row, place)
        return buttons

    def _connect(self) -> None:
        for tick in self.ticks.values():
            tick.toggled.connect(self._on_ticks)
        self.form.value_changed.connect(lambda: remember_params(self.form.value()))
        self.arrows_button.clicked.connect(self.views.show_arrows)
        self.map_button.clicked.connect(self.views.show_map)
        self.phase_button.clicked.connect(self.views.show_image_strain)
        self.profile_button.clicked.connect(lambda: self._host.open_dock(MeasuredProfileDock).refresh())
        self.plot_button.clicked.connect(self.views.show_plot)
        cells = QMenu(self)
        for title, name in CELL_MAPS.items():
            action = cells.addAction(title)
            assert action is not None
            action.triggered.connect(lambda _=False, name=name: self.views.show_cell_map(name))
        self.cells_button.setMenu(cells)
        planes = QMenu(self)
        for title in DIRECTIONS:
            action = planes.addAction(f"along {title}")
            assert action is not None
            action.triggered.connect(lambda _=False, title=title: self.views.select_planes(title))
        self.planes_button.setMenu(planes)
        self.report_button.clicked.connect(lambda: self.views.write_report())
        self.colour.activated.connect(self._on_colour)
        self.save_button.clicked.connect(lambda: self.save())
        self.undo_button.clicked.connect(self._undo)
        self._host.documents.watched.connect(self.refresh)
        self._host.documents.refreshed.connect(self.refresh)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.form.form, self.reference.form, self.intensities.form, self.counting.form, self.shown)

    # -- what can be done ------------------------------------------------------------------------------------------------

    @property
    def asked(self) -> tuple[str, ...]:
        """What is ticked."""
        return tuple(name for name, tick in self.ticks.items() if tick.isChecked())

    @property
    def params(self) -> MeasureParams:
        """How it is measured.

        Raises
        ------
        AtomsegError
            If a structure has no zone axis, or the other way round.
        """
        shown, reference = self.form.value(), self.reference.value()
        return replace(reference, sublattice=shown.sublattice, window=shown.window)

    @property
    def intensity_params(self) -> IntensityParams:
        """How cross-sections are measured and atoms counted; as usual where no intensity is asked for."""
        shown, counting = self.intensities.value(), self.counting.value()
        values = {name: getattr(shown, name) for name in INTENSITY_FIELDS if INTENSITY_TICKS & set(self.asked)}
        values |= {name: getattr(counting, name) for name in COUNTING_FIELDS if "counts" in self.asked}
        return IntensityParams(**values)

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {
            "arrows": self.views.show_arrows,
            "directions": self.views.show_directions,
            "feature-map": self.views.show_map,
            "save-measured": self.save,
            "counts": self.show_counts,
            "rings": self.views.show_rings,
        }

    @property
    def session(self) -> ColumnsSession | None:
        """The document in view."""
        session = self._host.documents.session
        return session if session is not None and session.alive else None

    @property
    def sublattice(self) -> int:
        """That is measured on."""
        return self.form.value().sublattice

    def found(self, session: ColumnsSession | None) -> Measurement | None:
        """What was measured last of a document."""
        return self._found.get(session) if session is not None else None

    def why_not(self) -> str:
        """Why nothing can be measured now; empty if it can."""
        session = self.session
        if session is None or len(session.columns) == 0:
            return "Find or open columns of an image first."
        image = session.image
        if image is None or image not in self._host.viewer.layers:
            return "The image of the columns has been removed."
        if pixel_size_of(image) is None:
            return "Set the pixel size first: lengths are measured."
        return "" if self.asked else "Tick what is to be measured."

    def refresh(self, *_: Any) -> None:
        """Show the numbers of the document in view, and what can be done."""
        try:
            session, busy = self.session, self._host.busy
            self.colour.watch(session)
            self.colour.show_colours()
            found = self._found.get(session) if session is not None else None
            self.reading.setText(described(found) if found is not None else "")
            features = list(session.columns.features) if session is not None else []
            some = any(names[0] in features for names in ARROWS.values())
            enable(self.arrows_button, some and not busy, BUSY if busy else "Measure polarisation or displacement first.")
            shown = session is not None and session.colour_by in _numbers(session)
            enable(self.map_button, shown and not busy, BUSY if busy else "Choose a number under Colour by first.")
            strained = session is not None and session.colour_by in STRAIN
            enable(self.phase_button, strained and not busy, BUSY if busy else "Choose a strain under Colour by first.")
            enable(self.profile_button, shown, "Choose a number under Colour by first.")
            cells = found is not None and "cells" in found.tables and not busy
            enable(self.cells_button, cells, BUSY if busy else "Measure unit cells first.")
            enable(self.planes_button, SITE[0] in features, "Measure sublattices first.")
            enable(self.report_button, found is not None and not busy, BUSY if busy else "Measure first.")
            enable(self.plot_button, session is not None, "Find or open columns first.")
            enable(self.save_button, session is not None and not busy, BUSY if busy else "Find or open columns first.")
            enable(self.undo_button, session is not None and session.can_undo and not busy, "There is nothing to undo.")
        except RuntimeError:
            # The page's Qt side is gone; signals may still come once.
            return

    def on_image(self) -> None:
        """The chosen image has changed."""
        self.refresh()

    def on_calibrated(self) -> None:
        """The image has another pixel size."""
        self.refresh()

    def _on_colour(self, _: int) -> None:
        dock = self._host.dock(MeasuredProfileDock)
        if dock is not None:
            dock.refresh()
        self.refresh()

    def _on_ticks(self) -> None:
        remember("measured", ",".join(self.asked))
        self._host.refresh_run()

    # -- the job ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Measure what is ticked."""
        session = self.session
        if session is None or self.why_not():
            return
        try:
            params, intensities = self.params, self.intensity_params
        except AtomsegError as error:
            self._host.show_error(error)
            return
        image, asked, what = session.image, session.columns, self.asked
        assert image is not None
        steps = measure.steps(to_micrograph(image), asked, what=what, params=params, intensities=intensities)
        self._host.start(steps, lambda found: self._measured(session, asked, what, found), "Measuring")

    def _measured(self, session: ColumnsSession, asked: Columns, what: Sequence[str], found: Measurement) -> None:
        if not session.alive:
            self._host.say("The columns have been removed meanwhile; what was measured is not shown.")
            return
        if session.columns is not asked:
            self._host.say("The columns were edited meanwhile; the edits were kept. Press Measure again.")
            return
        session.apply(found.columns)
        self._found[session] = found
        first = next((FIRST_SHOWN[name] for name in FIRST_SHOWN if name in what), "")
        if first:
            session.colour_by = first
            session.restyle()
        self._on_colour(0)
        arrows = '<a href="arrows">arrows</a> · ' if set(what) & set(ARROWS) else ""
        if "rings" in what:
            self.views.show_rings()
            arrows += '<a href="rings">rings</a> · '
        if "counts" in what:
            self.show_counts()
            arrows += '<a href="counts">counts</a> · '
        said = found.summary[:1].upper() + found.summary[1:]
        self._host.say(f'{escape(said)}. {arrows}<a href="table">table</a> · <a href="save-measured">save</a>')

    # -- what is shown ---------------------------------------------------------------------------------------------------

    def show_counts(self) -> None:
        """Write the numbers of atoms on the image, and open their histogram."""
        session = self.session
        image = session.image if session is not None else None
        if session is None or image is None or image not in self._host.viewer.layers:
            return
        if ATOM_COUNT in session.columns.features:
            show_counts(self._host.viewer, image, session.columns)
        self._host.open_dock(CountsDock).refresh()

    def _undo(self) -> None:
        session = self.session
        if session is not None and session.can_undo:
            session.undo()
            self._found.pop(session, None)
            self.refresh()

    def save(self, path: str | None = None) -> list[Path]:
        """Save the columns and the tables that were measured with them; the files written."""
        session = self.session
        if session is None:
            return []
        start = str(Path(str(recall("folder", ""))) / "measured.csv")
        path = path or ask_where(self, "Save what was measured", start, "CSV (*.csv)")
        if not path or not self._host.documents.store.save(session, path):
            return []
        found = self._found.get(session)
        paths = table_paths(found.tables, Path(path)) if found is not None else {}
        try:
            if found is not None:
                write_tables(found.tables, paths)
                if "atoms" in found.tables:
                    paths["model"] = model_path(Path(path))
                    write_model(found.tables["atoms"], paths["model"])
        except AtomsegError as error:
            self._host.show_error(error)
            return []
        names = ", ".join(one.name for one in (Path(path), *paths.values()))
        self._host.say(f"Saved {escape(names)}.")
        return [Path(path), *paths.values()]


def _numbers(session: ColumnsSession) -> list[str]:
    """Features of a document that are numbers."""
    return list(session.columns.features.select_dtypes("number").columns)
