"""Everything a network took for a column, sure or not: kept beside a document so that its threshold can be moved at will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import ring_diameter
from napari_atomseg.sessions.document import deleted_of

LEAST = 0.05
"""Confidence below which nothing is kept."""
NETWORK = ("network_y_px", "network_x_px")
"""Where the network saw a column: tells which is which, whatever a fit has made of it."""
FRAMES_APART = 2.0**20
"""More px than an image is high."""


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
            self._pool = _merged(session.columns, self._pool)
        columns = at_least(self._pool, least)
        was_empty = len(session.columns) == 0
        (session.amend if goes_on else session.apply)(columns)
        self._shown = columns
        if was_empty:
            session.layer.size = ring_diameter(columns)


def at_least(everything: Columns, least: float) -> Columns:
    """Columns of at least a confidence, and those of which none is known; the provenance says so."""
    confidence = everything.features["confidence"].to_numpy(dtype=float)
    chosen = everything.select(~(confidence < least))
    return replace(chosen, provenance=_said(everything.provenance, least))


def least_of(columns: Columns) -> float | None:
    """Confidence from which on columns are shown, as their provenance has it."""
    parameters = columns.provenance.get("parameters", {})
    least = parameters.get("least_confidence") if isinstance(parameters, Mapping) else None
    return float(least) if isinstance(least, (int, float)) else None


def _said(provenance: Mapping[str, Any], least: float) -> dict[str, Any]:
    parameters = {**provenance.get("parameters", {}), "least_confidence": round(least, 3)}
    return {**provenance, "parameters": parameters}


def _merged(now: Columns, pool: Columns) -> Columns:
    """The columns as they are now, and behind them the candidates that are not among them and were not deleted."""
    if not set(NETWORK) <= set(now.features):
        return now
    hidden = pool.select(~np.isin(_keys(pool), _keys(now)))
    taken = deleted_of(now)
    by_hand = now.positions[now.features["origin"].isin(("manual", "snapped")).to_numpy()]
    taken = np.concatenate([taken, by_hand])
    if len(taken) and len(hidden):
        distance = cKDTree(taken).query(hidden.positions)[0]
        hidden = hidden.select(distance > ring_diameter(pool) / 2)
    return now.joined(hidden)


def _keys(columns: Columns) -> np.ndarray:
    """A number for each place where the network saw a column, (N,); NaN where it saw none."""
    y, x = (columns.features[name].to_numpy(dtype=float) for name in NETWORK)
    return columns.frame * FRAMES_APART + y + 1j * x
