"""Points that a hand has just added: they snap to the column under them, and go where a column stands already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QCheckBox

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.workflows import snap
from napari_atomseg.workflows.steps import EditByHand, recorded

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host


class SnapBox(QCheckBox):
    """Whether points that a hand adds move to the column under them; remembered, and told to all who add points.

    Parameters
    ----------
    host : Host
        The panel.
    """

    def __init__(self, host: Host) -> None:
        super().__init__("clicks snap to the nearest column")
        self._host = host
        self.setToolTip("A point added by hand moves to the column under it; hold Alt to keep the exact place.")
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)

    def _on_toggled(self, on: bool) -> None:
        self._host.documents.snaps = on
        remember("snap", on)

    def recall(self) -> None:
        """Show what was chosen when the panel was last open."""
        self.setChecked(bool(recall("snap", True)))


def take_added(host: Host, session: ColumnsSession, image: Image, rows: np.ndarray, *, snaps: bool) -> None:
    """Snap points that were added, and withdraw those that meet a column; with Alt held they stay as they are.

    Parameters
    ----------
    host : Host
        Says what was withdrawn.
    session : ColumnsSession
    image : Image
        That the columns belong to.
    rows : ndarray of int
        Of the points.
    snaps : bool
        Whether they are to snap.
    """
    if QApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier:
        return
    if snaps:
        session.amend(snap(to_micrograph(image), session.columns, rows))
    columns = session.columns
    there = rows[standing_on(columns, rows, session.layer.size.max() / 2)]
    if len(there):
        # napari has not finished adding yet.
        QTimer.singleShot(0, lambda: _withdraw(host, session, columns, rows, there))


def _withdraw(host: Host, session: ColumnsSession, columns: Columns, rows: np.ndarray, there: np.ndarray) -> None:
    """Take points back that were added where a column is already."""
    if session.columns is not columns:
        return
    if len(there) == len(rows):
        session.withdraw()
    else:
        session.amend(recorded(columns.remove(there), EditByHand(added=-len(there))))
    what = "A column is there already" if len(there) == 1 else f"At {len(there):,} places a column is there already"
    host.say(f"{what}; nothing was added to it. Hold Alt to add a point there all the same.")


def standing_on(columns: Columns, rows: np.ndarray, reach: float) -> np.ndarray:
    """True for those of the given rows that lie within `reach` px of another column of their frame.

    Parameters
    ----------
    columns : Columns
    rows : ndarray of int, shape (N,)
    reach : float, px

    Returns
    -------
    ndarray of bool, shape (N,)
    """
    others = np.delete(columns.positions, rows, axis=0)
    frames = np.delete(columns.frame, rows)
    found = np.zeros(len(rows), bool)
    for place, row in enumerate(rows):
        near = others[frames == columns.frame[row]] - columns.positions[row]
        found[place] = bool((np.hypot(*near.T) < reach).any())
    return found
