"""Everything a network took for a column, sure or not: kept beside a document so that its threshold can be moved at will."""

from __future__ import annotations

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import ring_diameter
from napari_atomseg.sessions.threshold import at_least, with_candidates

LEAST = 0.05
"""Confidence below which nothing is kept."""


class ThresholdedColumns:
    """The candidates of one document, and the document at any threshold.

    A hand's work stays: columns it made or moved are shown at every threshold, those it deleted at none. What a fit found
    of a column comes back with it.

    Parameters
    ----------
    session : ColumnsSession
    everything : Columns
        All candidates, not fitted.
    """

    def __init__(self, session: ColumnsSession, everything: Columns) -> None:
        self._session = session
        self._pool = everything
        self._shown: Columns | None = None

    @property
    def everything(self) -> Columns:
        """All candidates, as the last fit left them."""
        return self._pool

    def show(self, least: float) -> None:
        """Show the columns that are sure enough; a row of such calls is one step of undo."""
        session = self._session
        goes_on = session.columns is self._shown
        if not goes_on:
            reach = ring_diameter(self._pool) / 2 if session.edited else 0.0
            self._pool = with_candidates(session.columns, self._pool, reach)
        columns = at_least(self._pool, least)
        was_empty = len(session.columns) == 0
        (session.amend if goes_on else session.apply)(columns)
        self._shown = columns
        if was_empty:
            session.layer.size = ring_diameter(columns)
