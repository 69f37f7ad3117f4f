"""Selected columns are seen at once: filled with a colour of their own, and counted."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from napari.utils.colormaps.standardize_color import transform_color
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QWidget

from napari_atomseg.gui.documents.editing import ColumnsSession

SELECTED_COLOUR = "#ff4fd8a0"
CLEAR = transform_color("transparent")[0]
MOST = 20_000
"""Columns of a document above which napari's own marks have to do: to fill rings draws all of them anew."""


class SelectionView(QLabel):
    """Says how many columns are selected, and fills their rings."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("selected")
        self.setToolTip("How many columns are selected; they are filled in magenta. Delete removes them.")
        self._session: weakref.ref[ColumnsSession] | None = None
        self._filled: np.ndarray = np.zeros(0, int)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.refresh)
        self.refresh()

    def watch(self, session: ColumnsSession | None) -> None:
        """Follow the selection in another document."""
        before = self._session() if self._session is not None else None
        if before is session and session is not None:
            return
        if before is not None and before.alive:
            before.layer.selected_data.events.items_changed.disconnect(self._later, missing_ok=True)
        self._session = weakref.ref(session) if session is not None else None
        self._filled = np.zeros(0, int)
        if session is not None:
            session.layer.selected_data.events.items_changed.connect(self._later)
        self.refresh()

    def _later(self, *_: Any) -> None:
        try:
            self._soon.start()
        except RuntimeError:  # napari keeps the callback longer than Qt the widget
            return

    def refresh(self) -> None:
        """Show the selection as it is now."""
        session = self._session() if self._session is not None else None
        if session is None or not session.alive:
            self._say("")
            return
        layer, count = session.layer, len(session.columns)
        rows = np.array(sorted(row for row in layer.selected_data if row < count), dtype=int)
        self._say(f"{len(rows):,} of {count:,} selected" if len(rows) else "")
        if len(layer.data) == count <= MOST and not (len(rows) == len(self._filled) == 0):
            colours = np.tile(CLEAR, (count, 1))
            colours[rows] = transform_color(SELECTED_COLOUR)
            if not np.array_equal(layer.face_color, colours):
                layer.face_color = colours
        self._filled = rows

    def _say(self, text: str) -> None:
        self.setText(text)
        self.setVisible(bool(text))
