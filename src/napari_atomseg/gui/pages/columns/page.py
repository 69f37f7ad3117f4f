"""The page "Columns": find, correct by hand, refine, save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.docks.table import ColumnsTable, centre_on
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.pages.columns.colour_choice import ColourChoice
from napari_atomseg.gui.pages.columns.finder import Finder
from napari_atomseg.gui.pages.columns.followed_document import (
    follow_active,
    follow_image,
    follow_layers,
    image_of,
    recalibrate_documents,
)
from napari_atomseg.gui.pages.columns.found_columns import FoundColumns
from napari_atomseg.gui.pages.columns.hand_added import SnapBox, take_added
from napari_atomseg.gui.pages.columns.quality import QualityStrip
from napari_atomseg.gui.pages.columns.refined_columns import refine_columns
from napari_atomseg.gui.pages.columns.selection_view import SelectionView
from napari_atomseg.gui.pages.columns.sentences import state_of, state_sentence
from napari_atomseg.gui.settings import recall_params, remember_params
from napari_atomseg.gui.widgets.buttons import told_button
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable
from napari_atomseg.gui.widgets.region import RegionBox
from napari_atomseg.workflows import ClassicalParams, NetworkParams, RefineParams

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

FIRST_FIELDS = ("polarity",)
MORE_FIELDS = ("column_sigma", "contrast", "false_share", "smallest_area", "border")


class ColumnsPage(QWidget):
    """Controls of the main job; the panel's foot runs and cancels it.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Columns"
    tip = "Find the atomic columns of the image, correct them by hand, refine and save them."
    run_text = "Find columns"
    run_tip = "Find every atomic column in the image."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host, self._networks = host, host.networks
        self._viewer = host.viewer
        self._session: ColumnsSession | None = None
        self._said: tuple[int, int, bool] | None = None
        self.store = host.documents.store
        self._build()
        self._connect()
        self._recall()
        self.refresh()

    # -- building ------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.finder = Finder(self._host, self._networks)
        self.found = FoundColumns(self._host, self.finder)
        self.region = RegionBox(self._host)
        self.first = Form(ClassicalParams, FIRST_FIELDS)
        self.more = Form(ClassicalParams, MORE_FIELDS)
        self.network = Form(NetworkParams, ("averaged", "device"))
        self.fitting = Form(RefineParams)
        self.colour = ColourChoice(self._viewer)
        self.every_frame = QCheckBox("every frame of the stack")
        self.every_frame.setToolTip("Otherwise only the frame in view is searched.")
        self.snaps = SnapBox(self._host)
        self.draw = told_button("Draw region", "Draw a rectangle or polygon to search inside or outside of.", "draw")
        self.refine_button = told_button("Refine", "Fit a 2-D Gaussian to every column: positions with uncertainties.", "refine")
        self.undo_button = told_button("Undo", "Take the last change back (Ctrl+Z on the points layer).", "undo")
        self.redo_button = told_button("Redo", "Repeat the change taken back (Ctrl+Shift+Z on the points layer).", "redo")
        self.table_button = told_button("Table", "Show the table of columns below the image.", "table")
        self.save_button = told_button("Save …", "Save the columns as CSV with JSON beside it, or as extended xyz.", "save")
        # Two rows, the way from finding to saving first: all of it is in view also where the window is low.
        grid = QGridLayout()
        grid.addWidget(self.refine_button, 0, 0, 1, 3)
        grid.addWidget(self.save_button, 0, 3, 1, 3)
        for place, button in enumerate((self.undo_button, self.redo_button, self.table_button)):
            grid.addWidget(button, 1, 2 * place, 1, 2)
        form = self.first.form
        form.addRow("Search", self.region)
        form.addRow(self.every_frame)
        form.addRow("Colour by", self.colour)
        self.selected = SelectionView()
        form.addRow(self.colour.bar)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 8, 2)
        layout.addWidget(self.finder)
        layout.addWidget(self.first)
        layout.addLayout(grid)
        layout.addWidget(self.selected)
        self.quality = QualityStrip(self._host)
        layout.addWidget(self.quality)
        layout.addWidget(self._folded())
        layout.addStretch(1)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.first.form, self.finder.form, self.finder.pixel_size_box.form.form, self.finder.reading.form)
        align_labels(self.more.form, self.network.form, self.fitting.form)

    def _folded(self) -> QCollapsible:
        for form, title in ((self.more, "Classical finder"), (self.network, "Network"), (self.fitting, "Fit")):
            form.form.insertRow(0, QLabel(f"<b>{title}</b>"))
        self.expert = fold("More", self.draw, self.snaps, self.more, self.network, self.fitting)
        return self.expert

    def _connect(self) -> None:
        self.refine_button.clicked.connect(self.refine)
        self.undo_button.clicked.connect(self._undo)
        self.redo_button.clicked.connect(self._redo)
        self.table_button.clicked.connect(self.show_table)
        self.save_button.clicked.connect(lambda: self.save())
        self.draw.clicked.connect(self.draw_region)
        self.finder.chosen_changed.connect(self._on_finder)
        self.finder.reading_changed.connect(self._find_anew)
        layers = self._viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)
        layers.selection.events.active.connect(self._follow)
        for form in (self.first, self.more, self.fitting):
            form.value_changed.connect(self._remember)
        self._host.documents.watched.connect(self._watch)
        self._host.documents.coloured.connect(self.colour.show_other)

    def _recall(self) -> None:
        params = recall_params(ClassicalParams)
        self.first.set_value(params)
        self.more.set_value(params)
        self.fitting.set_value(recall_params(RefineParams))
        self.network.set_value(self._networks.params)
        self.network.value_changed.connect(lambda: self._networks.change(**self.asked()))
        self._networks.changed.connect(lambda: self.network.set_value(self._networks.params))
        self._on_finder()
        self.snaps.recall()

    def _remember(self) -> None:
        try:
            remember_params(self.params())
            remember_params(self.fitting.value())
        except AtomsegError as error:
            self._host.show_error(error)

    # -- values --------------------------------------------------------------------------------------------------

    def params(self) -> ClassicalParams:
        """How columns are found, from both forms."""
        from napari_atomseg.core.params import from_dict, to_dict

        first, more = to_dict(self.first.value()), to_dict(self.more.value())
        return from_dict(ClassicalParams, {**more, **{name: first[name] for name in FIRST_FIELDS}})

    def asked(self) -> dict[str, Any]:
        """What the form says of how a network is asked."""
        shown = self.network.value()
        return {"averaged": shown.averaged, "device": shown.device}

    def _on_finder(self) -> None:
        """Show under More what the chosen finder needs."""
        self.more.setVisible(self.finder.may_be_classical)
        self.network.setVisible(self.finder.may_be_network)

    def why_not(self) -> str:
        """Why columns cannot be found now; empty if they can."""
        return "" if self._host.image is not None else "Open an image first."

    @property
    def session(self) -> ColumnsSession | None:
        """The document that the buttons act on."""
        return self._session

    # -- the job -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """What the panel's button does on this page."""
        self.find()

    def find(self) -> None:
        """Find the columns of the chosen image."""
        image = self._host.image
        if image is None:
            return
        try:
            params, region = self.params(), self.region.mask(image)
        except (AtomsegError, ValueError) as error:
            self._host.show_error(error)
            return
        together = image.ndim == 2 or self.every_frame.isChecked() or self.finder.series.is_series
        frame = None if together else int(self._viewer.dims.current_step[0])
        self.found.find(image, params, region, frame)

    def _find_anew(self) -> None:
        """Find again what this network has found and no hand has touched: its maps are read in another way now."""
        session = self._session
        if session is None or session.edited or session.columns.provenance.get("model") != self.finder.model.chosen:
            return
        if self._host.busy:
            self._host.say("The new values are used when columns are next found.")
            return
        self.find()

    def find_everywhere(self) -> None:
        """Find the columns of every frame of the stack."""
        self.every_frame.setChecked(True)
        self.find()

    def _undo(self) -> None:
        if self._session is not None:
            self._session.undo()

    def _redo(self) -> None:
        if self._session is not None:
            self._session.redo()

    def refine(self) -> None:
        """Fit the columns of the current document again."""
        session, image = self._session, image_of(self._viewer, self._session)
        if session is not None and image is not None:
            refine_columns(self._host, session, image, self.fitting.value())

    # -- the document --------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Act on another document from now on."""
        session = self._host.documents.session
        if session is self._session:
            self.refresh()
            return
        if self._session is not None:
            self._session.changed.disconnect(self._on_changed, missing_ok=True)
            self._session.hand_added.disconnect(self._hand_added, missing_ok=True)
            self._session.stepped.disconnect(self._on_stepped, missing_ok=True)
        self._session = session
        if session is not None:
            session.changed.connect(self._on_changed)
            session.hand_added.connect(self._hand_added)
            session.stepped.connect(self._on_stepped)
        self.finder.watch(session)
        self.selected.watch(session)
        self.colour.watch(session)
        self.colour.show_colours()
        self.refresh()
        self._say_state()

    def _say_state(self) -> None:
        """Let the foot speak of the columns as they are now; what it said of earlier ones no longer holds."""
        before, self._said = self._said, state_of(self._session)
        if self._said != before and not self._host.busy:
            self._host.say(state_sentence(self._session))

    def _on_changed(self) -> None:
        self.refresh()
        self.colour.show_colours()
        self.selected.refresh()
        self._say_state()
        self.store.keep_soon()

    def _hand_added(self, rows: np.ndarray) -> None:
        session, image = self._session, image_of(self._viewer, self._session)
        if session is not None and image is not None and self._host.in_charge:
            take_added(self._host, session, image, rows, snaps=self.snaps.isChecked())

    def refresh(self) -> None:
        """Show what can be done now, and why not where it cannot."""
        session = self._session
        has_columns = session is not None and len(session.columns) > 0
        busy = self._host.busy
        has_image = image_of(self._viewer, session) is not None
        why_not = "A job is running; cancel it first." if busy else "Find or open columns of an image first."
        enable(self.refine_button, has_columns and has_image and not busy, why_not)
        enable(self.undo_button, session is not None and session.can_undo, "Nothing to undo.")
        enable(self.redo_button, session is not None and session.can_redo, "Nothing to redo.")
        enable(self.save_button, has_columns, "There are no columns to save yet.")
        self.colour.watch(session)
        self.quality.watch(session)
        self.finder.refresh()
        image = self._host.image
        enable(self.draw, image is not None, "Open an image first.")
        self.first.form.setRowVisible(self.every_frame, image is not None and image.ndim == 3)
        self._host.documents.refreshed.emit()

    def on_image(self) -> None:
        """The chosen image has changed."""
        follow_image(self._host)
        self.region.fill()
        self.refresh()
        self.store.offer_recovery(self._host.image)

    def on_calibrated(self) -> None:
        """The pixel size has changed: every document of the image follows."""
        recalibrate_documents(self._host)
        self.refresh()

    def _follow(self, event: Any = None) -> None:
        follow_active(self._host)

    def _on_layers(self, event: Any = None) -> None:
        follow_layers(self._host, event)
        self.region.fill()
        self.refresh()

    def draw_region(self) -> None:
        """Draw a region and search inside of it."""
        self.region.draw(self.run_text)

    def save(self, path: str | None = None) -> bool:
        """Save the current document; asks for the file unless it is given."""
        return self._session is not None and self.store.save(self._session, path)

    # -- views ---------------------------------------------------------------------------------------------------

    def show_table(self) -> None:
        """Dock the table below the image, or bring it to the front."""
        self._host.open_dock(ColumnsTable).refresh()

    def next_flagged(self) -> None:
        """Centre the view on the next flagged column."""
        if self._session is not None:
            self._session.step_flagged(1)

    def _on_stepped(self, row: int) -> None:
        if self._session is not None:
            centre_on(self._viewer, self._session, row)

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {
            "find": self._turn_and_find,
            "refine": self.refine,
            "every_frame": self.find_everywhere,
            "table": self.show_table,
            "save": self.save,
            "flagged": self.next_flagged,
        }

    def _turn_and_find(self) -> None:
        self._host.turn_to(type(self))
        self.find()
