"""Which feature the colour of the rings shows, and a bar that says what the colours mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QComboBox

from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import colour_ends
from napari_atomseg.gui.widgets.colour_bar import ColourBar
from napari_atomseg.plots.quantity import title_of, unit_of

PLAIN = "kind"


class ColourChoice(QComboBox):
    """The features of a document; the bar beside it is hidden while the colour means no number.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.setObjectName("colour_by")
        self.setToolTip("What the colour of the rings shows.")
        self.bar = ColourBar(viewer)
        self._session: ColumnsSession | None = None
        self.activated.connect(self.apply_choice)

    def watch(self, session: ColumnsSession | None) -> None:
        """Offer the features of a document as they are now."""
        self._session = session
        features = [PLAIN, *session.columns.features] if session is not None else [PLAIN]
        if [self.itemText(row) for row in range(self.count())] != features:
            current = self.currentText()
            self.clear()
            self.addItems(features)
            self.setCurrentText(current if current in features else PLAIN)

    def apply_choice(self) -> None:
        """Colour the rings of the document as chosen."""
        if self._session is not None:
            chosen = self.currentText()
            self._session.colour_by = "" if chosen == PLAIN else chosen
            self._session.restyle()
        self.show_colours()

    def show_colours(self) -> None:
        """Say what the rings of the document show."""
        session = self._session
        shown = session.colour_by if session is not None and session.colour_by in session.columns.features else ""
        self.setCurrentText(shown or PLAIN)
        values = session.columns.features[shown] if session is not None and shown else None
        numbers = values is not None and values.dtype.kind in "fiub" and bool(np.isfinite(values.to_numpy(float)).any())
        ends = colour_ends(values.to_numpy(float)) if numbers and values is not None else None
        self.bar.show_range(title_of(shown), unit_of(shown), ends)

    def show_other(self, title: str, unit: str, ends: tuple[float, float]) -> None:
        """Say that the rings show something that is no feature, until the next change.

        Parameters
        ----------
        title, unit : str
        ends : tuple of float
            Numbers at the ends of the colours.
        """
        self.setPlaceholderText(title)
        self.setCurrentIndex(-1)
        self.bar.show_range(title, unit, ends)
