"""A network's columns at another threshold: which of its candidates are sure enough, and those that come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import NETWORK_POSITION, Columns
from napari_atomseg.sessions.document import BY_HAND, deleted_of
from napari_atomseg.workflows.steps import KeepConfident, recorded

FRAMES_APART = 2.0**20
"""More px than an image is high."""


def is_by_network(columns: Columns) -> bool:
    """True for columns that say where a network saw them."""
    return NETWORK_POSITION[0] in columns.features


def at_least(everything: Columns, least: float, frame: int | None = None) -> Columns:
    """Columns of at least a confidence, and those of which none is known; the provenance says so.

    Parameters
    ----------
    everything : Columns
        Candidates of a network, and what a hand has made.
    least : float
        Confidence, 0 to 1.
    frame : int, optional
        The only frame in which columns are left out.
    """
    confidence = everything.features["confidence"].to_numpy(dtype=float)
    elsewhere = np.zeros(len(everything), bool) if frame is None else everything.frame != frame
    chosen = everything.select(~(confidence < least) | elsewhere)
    parameters = {**everything.provenance.get("parameters", {}), "least_confidence": round(least, 3)}
    said = replace(chosen, provenance={**everything.provenance, "parameters": parameters})
    return recorded(said, KeepConfident(least_confidence=float(least), frame=frame))


def least_of(columns: Columns) -> float | None:
    """Confidence from which on columns are shown, as their provenance has it."""
    parameters = columns.provenance.get("parameters", {})
    least = parameters.get("least_confidence") if isinstance(parameters, Mapping) else None
    return float(least) if isinstance(least, (int, float)) else None


def with_candidates(now: Columns, pool: Columns, reach: float) -> Columns:
    """The columns as they are now, and behind them the candidates that are not among them and were not deleted.

    Parameters
    ----------
    now : Columns
    pool : Columns
        All candidates.
    reach : float, px
        Candidates nearer than this to what a hand has made, moved or deleted do not come back.
    """
    if not set(NETWORK_POSITION) <= set(now.features):
        return now
    hidden = pool.select(~np.isin(_keys(pool), _keys(now)))
    by_hand = now.positions[now.features["origin"].isin(BY_HAND).to_numpy()]
    taken = np.concatenate([deleted_of(now), by_hand])
    if len(taken) and len(hidden):
        distance = cKDTree(taken).query(hidden.positions)[0]
        hidden = hidden.select(distance > reach)
    return now.joined(hidden)


def _keys(columns: Columns) -> np.ndarray:
    """A number for each place where the network saw a column, (N,); NaN where it saw none."""
    y, x = (columns.features[name].to_numpy(dtype=float) for name in NETWORK_POSITION)
    return columns.frame * FRAMES_APART + y + 1j * x
