"""The visible lattice of the columns in view: its numbers, its lines on the image, residuals as colours, empty sites.

Suggestions stand in a layer of their own. They become columns only when a person selects and adds them.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Points
from napari.utils.colormaps import ensure_colormap
from napari.utils.colormaps.standardize_color import transform_color
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import believable_pixel_size, format_length, format_pixel_size
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import UNKNOWN_COLOUR, ring_diameter, to_micrograph
from napari_atomseg.gui.layers.lattice import overlooked, show_cells, show_sites
from napari_atomseg.gui.widgets.buttons import told_button
from napari_atomseg.gui.widgets.forms import enable
from napari_atomseg.gui.widgets.lengths import LengthField
from napari_atomseg.workflows import accept_suggested, estimate_lattice, suggest_missing

if TYPE_CHECKING:
    from napari_atomseg.analysis.lattice.lattice import Lattice
    from napari_atomseg.gui.contract import Host

REACH = 0.3
"""How far a suggestion may snap, in units of the shortest distance between sites."""
PM_PER_ANGSTROM = 100.0
BEFORE = "Find or open columns, then press Estimate."
STALE = "The columns have changed since; press Estimate again."
BUSY = "A job is running; cancel it first."


@dataclass(frozen=True, eq=False)
class _Estimate:
    """The lattice of some columns of a document, and which rows they are."""

    lattice: Lattice
    columns: Columns
    rows: np.ndarray


class LatticeDock(QWidget):
    """Numbers of the lattice, and what can be shown or suggested from it.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Lattice"
    tip = "Basis and motif of the columns, their residuals, and sites that hold no column."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("LatticeDock")
        self._host = host
        self._estimates: weakref.WeakKeyDictionary[ColumnsSession, _Estimate] = weakref.WeakKeyDictionary()
        self._suggested: weakref.WeakKeyDictionary[ColumnsSession, weakref.ref[Points]] = weakref.WeakKeyDictionary()
        self._build()
        host.documents.refreshed.connect(self.refresh)
        host.calibrated.connect(self.refresh)
        host.viewer.layers.events.removed.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        self.reading = QLabel(BEFORE)
        self.reading.setWordWrap(True)
        self.reading.setMinimumWidth(260)
        self.estimate_button = told_button("Estimate", "Fit two basis vectors and the motif to the columns of the frame in view.")
        self.show_button = told_button("Show lattice", "Draw the cells, as the lattice bends, over the image.")
        self.colour_button = told_button(
            "Colour by residual", "Colour the rings by their distance from their sites, until the next change."
        )
        self.write_button = told_button("Residuals into the table", "Add each column's residual and sublattice to the table.")
        self.suggest_button = told_button("Suggest missing columns", "Mark sites that hold no column; nothing is added yet.")
        self.add_button = told_button("Add the selected suggestions", "Make columns of the suggestions selected in their layer.")
        grid = QGridLayout()
        buttons = (
            (self.estimate_button, self.estimate),
            (self.show_button, self.show_lattice),
            (self.suggest_button, self.suggest),
            (self.colour_button, self.colour),
            (self.add_button, self.add_selected),
            (self.write_button, self.write),
        )
        for place, (button, action) in enumerate(buttons):
            grid.addWidget(button, *divmod(place, 2))
            button.clicked.connect(lambda _=False, chosen=action: chosen())
        self.known_a = LengthField(
            "lattice_a", "Å", "for example 3.905", "True length of a: the image gets the pixel size that gives it this length."
        )
        self.known_a.entered.connect(self.calibrate)
        self.calibrate_button = told_button("Calibrate", "Set the image's pixel size so that a has the typed length.")
        self.calibrate_button.clicked.connect(self.calibrate)
        known = QHBoxLayout()
        known.addWidget(QLabel("This <b>a</b> is"))
        known.addWidget(self.known_a, 1)
        known.addWidget(self.calibrate_button)
        side = QVBoxLayout()
        side.addLayout(grid)
        side.addLayout(known)
        side.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.addWidget(self.reading, 1)
        layout.addLayout(side)

    @property
    def lattice(self) -> Lattice | None:
        """The lattice of the document in view, if it has been estimated; each document keeps its own."""
        estimate = self._estimate
        return estimate.lattice if estimate is not None else None

    @property
    def _estimate(self) -> _Estimate | None:
        session = self._session
        return self._estimates.get(session) if session is not None else None

    @property
    def suggested(self) -> Points | None:
        """The layer of suggestions for the document in view, while it is in the viewer."""
        session = self._session
        known = self._suggested.get(session) if session is not None else None
        layer = known() if known is not None else None
        return layer if layer is not None and layer in self._host.viewer.layers else None

    @property
    def _session(self) -> ColumnsSession | None:
        return self._host.documents.session

    def _image(self) -> Image | None:
        session = self._session
        image = session.image if session is not None else None
        return image if image is not None and image in self._host.viewer.layers else None

    def refresh(self, *_: Any) -> None:
        """Show the numbers, and what can be done now."""
        try:
            session, busy, estimate = self._session, self._host.busy, self._estimate
            fresh = session is not None and estimate is not None and session.columns is estimate.columns
            has_columns = session is not None and len(session.columns) > 0
            enable(self.estimate_button, has_columns and not busy, BUSY if busy else "Find or open columns of an image first.")
            why_not = BUSY if busy else (STALE if estimate is not None else "Press Estimate first.")
            for button in (self.colour_button, self.write_button):
                enable(button, fresh and not busy, why_not)
            for button in (self.show_button, self.suggest_button, self.calibrate_button):
                on_image = self._image() is not None
                enable(button, fresh and not busy and on_image, why_not if on_image else "The image has been removed.")
            suggestions = self.suggested is not None and self._image() is not None
            enable(self.add_button, suggestions and not busy, BUSY if busy else "Press Suggest missing columns first.")
            if session is None or estimate is None:
                self.reading.setText(BEFORE)
            else:
                note = "" if fresh else f"<br><i>{STALE}</i>"
                self.reading.setText(description(estimate.lattice, session.columns.pixel_size) + note)
        except RuntimeError:
            # The dock's Qt side is gone; napari's events may still come once.
            return

    def estimate(self) -> None:
        """Fit the lattice to the columns of the frame in view."""
        session = self._session
        if session is None:
            return
        asked = session.columns
        step = self._host.viewer.dims.current_step
        rows = np.flatnonzero(asked.frame == int(step[0])) if session.layer.ndim == 3 else np.arange(len(asked))
        steps = estimate_lattice.steps(asked.select(rows))
        self._host.start(steps, lambda lattice: self._estimated(session, asked, rows, lattice), "Estimating the lattice")

    def _estimated(self, session: ColumnsSession, asked: Columns, rows: np.ndarray, lattice: Lattice) -> None:
        self._estimates[session] = _Estimate(lattice, asked, rows)
        off = int(np.count_nonzero(lattice.site < 0))
        self._host.say(f"{lattice.explained:.1%} of {len(rows):,} columns stand on a lattice; {off:,} do not.")
        self.refresh()

    def calibrate(self) -> None:
        """Give the image the pixel size with which the basis vector a has the typed length."""
        image, estimate = self._image(), self._estimate
        if image is None or estimate is None or not self.calibrate_button.isEnabled():
            return
        try:
            pixel_size = pixel_size_of_basis(estimate.lattice.basis[0], self.known_a.value(), estimate.columns.pixel_size)
        except AtomsegError as error:
            self._host.show_error(error)
            return
        self._host.choose_image(image)
        self._host.set_pixel_size(pixel_size, "the lattice")
        self._keep_after_calibration(estimate)
        self._host.say(
            f"{escape(image.name)}: {format_pixel_size(pixel_size)}, so that a is {format_length(self.known_a.value())}."
        )

    def _keep_after_calibration(self, estimate: _Estimate) -> None:
        """Another pixel size moves no column: the estimate in px still holds."""
        session = self._session
        if session is not None:
            self._estimates[session] = replace(estimate, columns=session.columns)
        self.refresh()

    def show_lattice(self) -> None:
        """Draw the cells in a layer bound to the image; drawn anew if it is there already."""
        image, estimate = self._image(), self._estimate
        if image is None or estimate is None:
            return
        layer = show_cells(self._host.viewer, image, estimate.lattice, estimate.columns.positions[estimate.rows])
        session = self._session
        if session is not None:
            # Rings stay above the lines, and clicks keep going to them.
            layers = self._host.viewer.layers
            layers.move(layers.index(layer), layers.index(session.layer))

    def colour(self) -> None:
        """Colour the rings by their distance from their site; grey where they fit none."""
        session, estimate = self._session, self._estimate
        if session is None or estimate is None:
            return
        lattice, rows = estimate.lattice, estimate.rows
        length = np.hypot(*lattice.residual.T)
        on = np.isfinite(length)
        high = float(np.percentile(length[on], 99))
        colours = np.tile(transform_color(UNKNOWN_COLOUR), (len(session.columns), 1))
        colours[rows[on]] = ensure_colormap("viridis").map(np.clip(length[on] / max(high, 1e-9), 0, 1))
        session.layer.border_color = colours
        self._host.documents.coloured.emit("distance from the site", "px", (0.0, high))
        self._host.say(f"Yellow rings are {high:.2g} px or more from their site; grey ones fit no site.")

    def write(self) -> None:
        """Add the residuals to the table, as one step of undo."""
        session, estimate = self._session, self._estimate
        if session is None or estimate is None:
            return
        lattice, rows = estimate.lattice, estimate.rows
        names = ("lattice_residual_y_px", "lattice_residual_x_px", "sublattice")
        values = (*lattice.residual.T, np.where(lattice.site >= 0, lattice.site, np.nan))
        features = {name: np.full(len(session.columns), np.nan) for name in names}
        for name, value in zip(names, values, strict=True):
            features[name][rows] = value
        session.apply(session.columns.with_features(**features))
        self._estimates[session] = replace(estimate, columns=session.columns)
        self.refresh()
        self._host.say('Residuals written into the <a href="table">table</a>; Undo takes them out again.')

    def suggest(self) -> None:
        """Mark the sites that hold no column, in a layer of their own."""
        image, estimate, session = self._image(), self._estimate, self._session
        if image is None or estimate is None or session is None:
            return
        part = estimate.columns.select(estimate.rows)
        steps = suggest_missing.steps(to_micrograph(image), part, estimate.lattice)
        self._host.start(steps, lambda found: self._show_suggested(session, image, found), "Looking for missing columns")

    def _show_suggested(self, session: ColumnsSession, image: Image, found: Columns) -> None:
        layer = show_sites(self._host.viewer, image, found, size=1.2 * ring_diameter(session.columns))
        if layer is None:
            self._host.say("Every site of the lattice that has enough neighbours holds a column.")
            return
        self._suggested[session] = weakref.ref(layer)
        count = int(np.count_nonzero(overlooked(found)))
        self.refresh()
        self._host.say(
            f"{len(found):,} sites hold no column: at {count:,} (yellow) the image shows something, at {len(found) - count:,} "
            "(pink) it does not. Select those to add."
        )

    def add_selected(self) -> None:
        """Make columns of the selected suggestions: one step of undo."""
        layer, session, image, lattice = self.suggested, self._session, self._image(), self.lattice
        if layer is None or session is None or image is None or lattice is None:
            return
        rows = sorted(int(row) for row in layer.selected_data)
        if not rows:
            self._host.say("Select the suggestions to add first: click or drag over them, or press A in their layer for all.")
            return
        data = np.asarray(layer.data, float)[rows]
        chosen = Columns(positions=data[:, -2:])
        if data.shape[1] == 3:
            chosen = replace(chosen, frame=np.rint(data[:, 0]).astype(int))
        asked = session.columns
        steps = accept_suggested.steps(
            to_micrograph(image),
            asked,
            chosen,
            reach=REACH * lattice.site_distance,
            snapped=self._host.documents.snaps,
        )
        self._host.start(steps, lambda columns: self._added(session, asked, columns, layer, set(rows)), "Adding columns")

    def _added(self, session: ColumnsSession, asked: Columns, columns: Columns, layer: Points, rows: set[int]) -> None:
        if session.columns is not asked:
            self._host.say("The columns were edited meanwhile; the edits were kept. Press Add again.")
            return
        session.apply(columns)
        layer.selected_data = rows
        layer.remove_selected()
        viewer = self._host.viewer
        if len(layer.data) == 0 and layer in viewer.layers:
            viewer.layers.remove(layer)
        viewer.layers.selection.active = session.layer
        snapped = int((columns.features["origin"][len(asked) :] == "snapped").sum())
        self._host.say(
            f"{len(rows):,} columns added, {snapped:,} of them snapped to the image. "
            'Undo takes them back; <a href="refine">refine</a> measures them.'
        )


def description(lattice: Lattice, pixel_size: tuple[float, float] | None) -> str:
    """The lattice in four lines of rich text, in Angstrom where the pixel size is known."""
    vectors = lattice.basis * (pixel_size or (1.0, 1.0))
    lengths = np.hypot(*vectors.T)
    angle = np.degrees(np.arccos(np.clip(vectors[0] @ vectors[1] / lengths.prod(), -1, 1)))
    errors = np.hypot(*(lattice.basis_std * (pixel_size or (1.0, 1.0))).T) / np.sqrt(2)
    parts = []
    for name, length, error in zip("ab", lengths, errors, strict=True):
        digits = int(np.clip(1 - np.floor(np.log10(max(error, 1e-4))), 0, 4))
        parts.append(f"<b>{name}</b> = {length:.{digits}f} ± {error:.{digits}f} {'Å' if pixel_size else 'px'}")
    residual = f"{lattice.rms_residual:.3f} px"
    if pixel_size is not None:
        scaled = np.sqrt(np.nanmean((lattice.residual * pixel_size) ** 2))
        residual += f", {scaled * PM_PER_ANGSTROM:.2g} pm"
    count = len(lattice.motif)
    shift = float(np.sqrt(np.nanmean(np.sum((lattice.displacement * (pixel_size or (1.0, 1.0))) ** 2, axis=1))))
    bend = f"{shift * PM_PER_ANGSTROM:.2g} pm" if pixel_size else f"{shift:.2g} px"
    return (
        f"{parts[0]}, {parts[1]}, angle {angle:.2f}°<br>"
        f"{count} {'site' if count == 1 else 'sites'} in the cell; "
        f"{lattice.explained:.1%} of {len(lattice.site):,} columns on them<br>"
        f"residual (rms, per axis) {residual}<br>slow distortion taken out (rms) {bend}"
    )


def pixel_size_of_basis(vector: np.ndarray, length: float, pixel_size: tuple[float, float] | None) -> tuple[float, float]:
    """Pixel size (y, x) in Angstrom with which a vector (y, x) in px has a length; the ratio of the sides stays as it is.

    Parameters
    ----------
    vector : ndarray, shape (2,), px, (y, x)
    length : float, Å
        That the vector has.
    pixel_size : tuple of float, Å, (y, x), or None
        So far; None for square pixels.

    Raises
    ------
    AtomsegError
        If no microscope has such pixels.
    """
    sides = np.array(pixel_size or (1.0, 1.0)) / np.sqrt(np.prod(pixel_size or (1.0, 1.0)))
    step = believable_pixel_size(length / float(np.hypot(*(vector * sides))))
    return float(step * sides[0]), float(step * sides[1])
