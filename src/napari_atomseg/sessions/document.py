"""Columns as a document: undo and redo, honest features for hand-made ones, unsaved edits remembered.

Every change is a new :class:`Columns` value on a stack, so that undo is the value before. What a hand has made or moved says
nothing of what was measured elsewhere; what it has deleted is remembered in the provenance.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.columns import FEATURES, Columns, complete_features
from napari_atomseg.sessions.saving import write_table
from napari_atomseg.workflows.steps import STEPS, EditByHand, recorded

UNDO_DEPTH = 200
BY_HAND = ("manual", "snapped")
"""Origins of columns that a hand has made or moved."""


class Document:
    """Columns under edit.

    Parameters
    ----------
    columns : Columns
        As they were found or opened.
    """

    def __init__(self, columns: Columns) -> None:
        self._undo: list[Columns] = []
        self._redo: list[Columns] = []
        self._columns = columns
        self._saved: Columns | None = columns

    # -- as it is ----------------------------------------------------------------------------------------------------

    @property
    def columns(self) -> Columns:
        """The columns as they are now."""
        return self._columns

    @property
    def deleted(self) -> np.ndarray:
        """Positions that a hand has deleted, (N, 2) in px."""
        return deleted_of(self._columns)

    @property
    def unsaved(self) -> bool:
        """True if something has changed since the columns were found, opened or saved."""
        return self._columns is not self._saved

    @property
    def edited(self) -> bool:
        """True if a hand has added, moved or deleted columns."""
        return bool(self._columns.features["origin"].isin(BY_HAND).any()) or len(self.deleted) > 0

    @property
    def can_undo(self) -> bool:
        """True if there is a step to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """True if there is a step to repeat."""
        return bool(self._redo)

    # -- steps -------------------------------------------------------------------------------------------------------

    def apply(self, columns: Columns) -> None:
        """Take other columns; one step of undo."""
        self._undo.append(self._columns)
        del self._undo[:-UNDO_DEPTH]
        self._redo.clear()
        self._columns = columns

    def amend(self, columns: Columns) -> None:
        """Take other columns as part of the step just made (a click and its snap are one step of undo)."""
        self._columns = columns

    def withdraw(self) -> bool:
        """Take the step just made back, as if it had never been made; False if there is none."""
        if not self._undo:
            return False
        self._columns = self._undo.pop()
        return True

    def undo(self) -> bool:
        """Take the last step back; False if there is none."""
        if not self._undo:
            return False
        self._redo.append(self._columns)
        self._columns = self._undo.pop()
        return True

    def redo(self) -> bool:
        """Repeat the step taken back last; False if there is none."""
        if not self._redo:
            return False
        self._undo.append(self._columns)
        self._columns = self._redo.pop()
        return True

    def recalibrate(self, columns: Columns) -> None:
        """Carry another pixel size, also in the steps that may be undone: a calibration is no edit of the columns."""
        saved = not self.unsaved
        self._undo = [replace(one, pixel_size=columns.pixel_size) for one in self._undo]
        self._redo = [replace(one, pixel_size=columns.pixel_size) for one in self._redo]
        self._columns = columns
        if saved:
            self._saved = columns

    # -- edits by hand -----------------------------------------------------------------------------------------------

    def add(self, positions: np.ndarray, frame: int = 0) -> np.ndarray:
        """Add columns of which nothing is known.

        Parameters
        ----------
        positions : ndarray, shape (N, 2), px, (y, x)
        frame : int
            That they stand in.

        Returns
        -------
        ndarray of int, shape (N,)
            Their rows, which are the last.
        """
        made = Columns(
            positions=np.asarray(positions, dtype=float).reshape(-1, 2),
            frame=np.full(len(np.atleast_2d(positions)), frame),
            pixel_size=self._columns.pixel_size,
        )
        both = self._columns.joined(made)
        rows = np.arange(len(self._columns), len(both))
        self.apply(recorded(forgotten(both, rows), EditByHand(added=len(rows))))
        return rows

    def remove(self, rows: np.ndarray) -> None:
        """Delete columns."""
        self.apply(remembering(self._columns.remove(np.asarray(rows)), self._columns, np.asarray(rows)))

    def move(self, rows: np.ndarray, positions: np.ndarray) -> None:
        """Move columns; what was measured of them is forgotten.

        Parameters
        ----------
        rows : ndarray of int, shape (N,)
        positions : ndarray, shape (N, 2), px, (y, x)
            Where they stand afterwards.
        """
        moved = self._columns.positions.copy()
        moved[rows] = positions
        placed = forgotten(replace(self._columns, positions=moved), np.asarray(rows))
        self.apply(recorded(placed, EditByHand(moved=len(np.atleast_1d(rows)))))

    # -- on disk -----------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> list[Path]:
        """Write the columns as CSV with JSON beside it, or as extended xyz, by suffix; the files written.

        Raises
        ------
        AtomsegError
            If they cannot be written.
        """
        written = write_table(self._columns, path)
        self.mark_saved()
        return written

    def mark_saved(self) -> None:
        """Note that the columns as they are now are on disk."""
        self._saved = self._columns

    def mark_unsaved(self) -> None:
        """Note that the columns as they are now exist nowhere else."""
        self._saved = None


def deleted_of(columns: Columns) -> np.ndarray:
    """Positions that a hand has deleted, (N, 2) in px, as their provenance remembers them."""
    return np.asarray(columns.provenance.get("deleted_px", []), dtype=float).reshape(-1, 2)


def remembering(left: Columns, before: Columns, rows: np.ndarray) -> Columns:
    """What is left of columns, with the places of the deleted rows in its provenance.

    Parameters
    ----------
    left : Columns
        After rows were deleted.
    before : Columns
        The same with them; its provenance tells what was deleted earlier.
    rows : ndarray of int
        Rows of `before` that were deleted; negative ones count from the end.

    Returns
    -------
    Columns
        `left` with the provenance of `before` and all deleted places, (y, x) in px to three decimals, as ``deleted_px``.
    """
    gone = before.positions[rows % len(before)]
    deleted = np.concatenate([deleted_of(before), gone]).round(3).tolist()
    provenance = {**before.provenance, "deleted_px": deleted}
    return recorded(replace(left, provenance=provenance), EditByHand(deleted=len(gone)))


def beside_other_frames(now: Columns, found: Columns, frame: int) -> Columns:
    """What was found in one frame, among what there is in all other frames, in order of the frames.

    Parameters
    ----------
    now : Columns
        Of all frames; those of `frame` are left out.
    found : Columns
        Of that frame.
    frame : int

    Returns
    -------
    Columns
        With the provenance of `found`, the steps of both and what a hand has deleted.
    """
    others = now.select(now.frame != frame)
    both = others.joined(found)
    deleted = {"deleted_px": now.provenance["deleted_px"]} if "deleted_px" in now.provenance else {}
    steps = {STEPS: [*now.provenance.get(STEPS, ()), *found.provenance.get(STEPS, ())]}
    return replace(both.select(np.argsort(both.frame, kind="stable")), provenance={**found.provenance, **deleted, **steps})


def forgotten(columns: Columns, rows: np.ndarray) -> Columns:
    """The columns with everything measured at the given rows unknown, and their origin a hand."""
    features = columns.features.copy()
    for name in features:
        values = features[name].to_numpy(copy=True)
        unknown = unknown_value(str(name), values)
        if unknown is not None:
            values[rows] = unknown
            features[name] = values
    return replace(columns, features=complete_features(features, len(features)))


def unknown_value(name: str, values: np.ndarray) -> Any:
    """What a feature says of a column before anything is measured; None where nothing can say so."""
    return FEATURES.get(name, np.nan if values.dtype.kind == "f" else None)
