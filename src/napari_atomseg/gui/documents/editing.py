"""A Points layer as the window's side of a :class:`napari_atomseg.sessions.document.Document`.

napari lets a hand-added point inherit the features of whichever point came or was selected last, and has no undo for
points. Here every change of the layer is a step of the document, and every step of the document is shown by the layer.
"""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Points
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_atomseg.core.columns import FEATURES, Columns
from napari_atomseg.gui.layers.conversion import KEY, ring_style, to_columns, to_points
from napari_atomseg.gui.layers.drawing_once import drawn_once
from napari_atomseg.sessions.document import Document, forgotten, remembering
from napari_atomseg.workflows.steps import EditByHand, recorded

_sessions: weakref.WeakKeyDictionary[Points, ColumnsSession] = weakref.WeakKeyDictionary()


def session_of(layer: Points, image: Image | None = None) -> ColumnsSession:
    """The session of a Points layer; begun at the first call."""
    session = _sessions.get(layer)
    if session is None:
        session = ColumnsSession(layer, image)
        _sessions[layer] = session
    elif image is not None:
        session.image = image
    return session


def _unknown_values(layer: Points) -> dict[str, Any]:
    """What each feature of a new point says before anything is measured; napari asks for every one."""
    usual = layer.feature_defaults
    return {
        name: FEATURES.get(name, np.nan if values.dtype.kind == "f" else usual[name].iloc[0])
        for name, values in layer.features.items()
    }


def has_session(layer: object) -> bool:
    """True if the layer is a document of ours already."""
    return isinstance(layer, Points) and layer in _sessions


class ColumnsSession:
    """Edits of one Points layer.

    Attributes
    ----------
    layer : Points
    image : Image or None
        The layer that the columns belong to.
    changed : Signal
        Emitted after every change of the columns, by hand or by program.
    hand_added : Signal(ndarray)
        Rows that a hand has just added; a listener may snap them.
    stepped : Signal(int)
        The row that stepping through the flagged columns has come to; a listener may bring it into view.
    """

    changed = Signal()
    hand_added = Signal(object)
    stepped = Signal(int)

    def __init__(self, layer: Points, image: Image | None) -> None:
        self._layer = weakref.ref(layer)
        self._image = weakref.ref(image) if image is not None else None
        self._document = Document(to_columns(layer))
        self._own_work = False
        self._held = ExitStack()
        layer.feature_defaults = _unknown_values(layer)
        self.colour_by = ""
        layer.events.data.connect(self._on_data)
        layer.events.set_data.connect(self._on_set_data)
        self._bind_keys(layer)

    @property
    def layer(self) -> Points:
        """The document.

        Raises
        ------
        ReferenceError
            If the layer is gone.
        """
        layer = self._layer()
        if layer is None:
            raise ReferenceError("the Points layer has been deleted")
        return layer

    @property
    def alive(self) -> bool:
        """False once the layer is gone."""
        return self._layer() is not None

    @property
    def image(self) -> Image | None:
        """The image that the columns belong to, if it still exists."""
        return self._image() if self._image is not None else None

    @image.setter
    def image(self, image: Image | None) -> None:
        self._image = weakref.ref(image) if image is not None else None

    @property
    def columns(self) -> Columns:
        """The columns as they are now."""
        return self._document.columns

    @property
    def deleted(self) -> np.ndarray:
        """Positions that a hand has deleted, (N, 2) in px."""
        return self._document.deleted

    @property
    def unsaved(self) -> bool:
        """True if something has changed since the columns were found, opened or saved."""
        return self._document.unsaved

    @property
    def edited(self) -> bool:
        """True if a hand has added, moved or deleted columns: such a layer is never replaced by a new result."""
        return self._document.edited

    @property
    def can_undo(self) -> bool:
        """True if there is a step to take back."""
        return self._document.can_undo

    @property
    def can_redo(self) -> bool:
        """True if there is a step to repeat."""
        return self._document.can_redo

    def apply(self, columns: Columns) -> None:
        """Show other columns; one step of undo."""
        self._document.apply(columns)
        self._show()

    def amend(self, columns: Columns) -> None:
        """Show other columns as part of the step just made (a click and its snap are one step of undo)."""
        self._document.amend(columns)
        self._show()

    def withdraw(self) -> None:
        """Take the step just made back, as if it had never been made."""
        if self._document.withdraw():
            self._show()

    def recalibrate(self, columns: Columns) -> None:
        """Carry another pixel size, also in the steps that may be undone: a calibration is no edit of the columns."""
        self._document.recalibrate(columns)
        self._show()

    def undo(self) -> None:
        """Take the last change back."""
        if self._document.undo():
            self._show()

    def redo(self) -> None:
        """Repeat the change taken back last."""
        if self._document.redo():
            self._show()

    def save(self, path: Path) -> list[Path]:
        """Write the columns; the files written.

        Raises
        ------
        AtomsegError
            If they cannot be written.
        """
        written = self._document.save(path)
        self.changed.emit()
        return written

    def mark_saved(self) -> None:
        """Note that the columns as they are now are on disk, or were found and touched by nobody."""
        self._document.mark_saved()
        self.changed.emit()

    def mark_unsaved(self) -> None:
        """Note that the columns as they are now exist nowhere else."""
        self._document.mark_unsaved()

    def restyle(self) -> None:
        """Draw rings anew after the features or `colour_by` have changed; only what differs, since each change costs a redraw."""
        if len(self.columns):
            layer = self.layer
            for name, value in ring_style(self.columns, self.colour_by).items():
                if not np.array_equal(getattr(layer, name), value):
                    setattr(layer, name, value)

    def _show(self) -> None:
        """Write the columns to the layer without taking it for a hand's work."""
        layer, columns = self.layer, self.columns
        stack = layer.ndim == 3
        self._own_work = True
        try:
            with drawn_once(layer):
                layer.selected_data = set()
                self._place(to_points(columns, stack))
                layer.features = columns.features
                self.restyle()
            layer.metadata[KEY] = {**layer.metadata.get(KEY, {}), "columns": columns}
        finally:
            self._own_work = False
        self.changed.emit()

    def _place(self, points: np.ndarray) -> None:
        """Give the layer other positions; as many as it has are written in place, since napari's way looks at all else too."""
        layer = self.layer
        if points.shape == layer.data.shape and layer.data.flags.writeable:
            layer.data[:] = points
        else:
            layer.data = points

    def _on_data(self, event: Any) -> None:
        """Hear of a change that a hand made on the canvas."""
        if self._own_work:
            return
        action = str(getattr(event.action, "value", event.action))
        rows = np.asarray(list(event.data_indices), dtype=int)
        if action == "adding":
            self._hold_drawing()
        elif action == "added":
            self._on_added(rows)
            self._let_draw()
        elif action == "removed":
            self._on_removed(rows)
        elif action == "changed":
            self._on_moved(rows)

    def _hold_drawing(self) -> None:
        """Draw a point that is being added only once, where it comes to lie."""
        self._held.enter_context(self.layer._block_refresh())
        QTimer.singleShot(0, self._let_draw)  # if napari gives up meanwhile

    def _let_draw(self) -> None:
        held, layer = self._held.pop_all(), self._layer()
        if layer is not None and layer._refresh_blocked:
            held.close()
            layer.refresh()

    def _on_set_data(self, event: Any) -> None:
        """Notice points that came without a data event, as pasted ones do; once napari has finished with them."""
        if not self._own_work and len(self.layer.data) > len(self.columns):
            QTimer.singleShot(0, self._catch_up)

    def _catch_up(self) -> None:
        layer = self._layer()
        if layer is not None and len(layer.data) > len(self.columns):
            self._on_added(np.arange(len(self.columns), len(layer.data)))

    def _on_added(self, rows: np.ndarray) -> None:
        count = len(self.layer.data)
        rows = np.unique(rows % count)
        # A pasted or clicked point says nothing of what was measured elsewhere.
        added = recorded(forgotten(self._as_drawn(), rows), EditByHand(added=len(rows)))
        self._take(added)
        self.hand_added.emit(rows)
        if self.columns is added:  # else a listener has moved the points, drawn them and let it be heard
            self.restyle()
            self.changed.emit()

    def _on_removed(self, rows: np.ndarray) -> None:
        self._record(remembering(self._as_drawn(), self.columns, rows))
        self.restyle()

    def _on_moved(self, rows: np.ndarray) -> None:
        columns = self._as_drawn()
        if len(columns) != len(self.columns):
            self._record(columns)
            self.restyle()
            return
        # An assignment to layer.data names every row; only what moved has been touched.
        moved = np.flatnonzero(np.any(columns.positions != self.columns.positions, axis=1))
        if len(moved):
            self._record(recorded(forgotten(columns, moved), EditByHand(moved=len(moved))))
            self.restyle()

    def _as_drawn(self) -> Columns:
        """The columns that the layer shows, with where they come from also if the layer has forgotten it."""
        columns = to_columns(self.layer)
        return columns if columns.provenance else replace(columns, provenance=self.columns.provenance)

    def _record(self, columns: Columns) -> None:
        """Take what the layer shows now as the document, and let it be heard."""
        self._take(columns)
        self.changed.emit()

    def _take(self, columns: Columns) -> None:
        """Take what the layer shows now as the document."""
        self._document.apply(columns)
        layer = self.layer
        self._own_work = True
        try:
            selected = set(layer.selected_data)
            with layer.events.data.blocker():
                layer.features = columns.features
            layer.selected_data = selected
            layer.metadata[KEY] = {**layer.metadata.get(KEY, {}), "columns": columns}
        finally:
            self._own_work = False

    def _bind_keys(self, layer: Points) -> None:
        session = weakref.proxy(self)
        layer.bind_key("Control-Z", lambda _: session.undo(), overwrite=True)
        layer.bind_key("Control-Shift-Z", lambda _: session.redo(), overwrite=True)
        layer.bind_key("N", lambda _: session.step_flagged(1), overwrite=True)
        layer.bind_key("Shift-N", lambda _: session.step_flagged(-1), overwrite=True)

    def step_flagged(self, direction: int) -> int | None:
        """Select the next (or previous) flagged column; its row, or None if none is flagged."""
        flagged = np.flatnonzero(self.columns.flagged)
        if len(flagged) == 0:
            return None
        selected = sorted(int(row) for row in self.layer.selected_data)
        here = selected[0] if selected else (-1 if direction > 0 else len(self.columns))
        after = flagged[flagged > here] if direction > 0 else flagged[flagged < here][::-1]
        row = int(after[0]) if len(after) else int(flagged[0 if direction > 0 else -1])
        self.layer.selected_data = {row}
        self.stepped.emit(row)
        return row
