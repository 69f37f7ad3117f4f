"""Where a result goes in the layer list: beside its image, in place of our own last result, never over a hand's work."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Points

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.documents.editing import ColumnsSession, has_session, session_of
from napari_atomseg.gui.layers.conversion import (
    KEY,
    points_layer_data,
    ring_diameter,
)
from napari_atomseg.readers.text_columns import NOTES
from napari_atomseg.sessions.document import beside_other_frames
from napari_atomseg.workflows import fit_choices, why_misplaced

QUOTED_SHARE = 0.9
"""A typical uncertainty is quoted where at least this share of the columns has been fitted."""


def show_columns(viewer: Any, image: Image, columns: Columns, frame: int | None = None) -> tuple[ColumnsSession, bool]:
    """Put columns into the viewer.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        The layer they were found in; it may have been removed meanwhile.
    columns : Columns
    frame : int, optional
        The only frame of a stack that they were found in: what was found in the others stays.

    Returns
    -------
    session : ColumnsSession
    replaced : bool
        True if an untouched earlier result was replaced, or one of other frames completed.
    """
    earlier = [layer for layer in documents_of(viewer, image) if not layer.locked and _open_to(session_of(layer), frame)]
    if earlier:
        session = session_of(earlier[-1])
        edited = session.edited
        session.apply(columns if frame is None else beside_other_frames(session.columns, columns, frame))
        session.layer.size = ring_diameter(columns)
        if not edited:
            session.mark_saved()
        viewer.layers.selection.active = session.layer
        return session, True
    data, options, _ = points_layer_data(columns, image, f"{image.name} | columns")
    layer = viewer.add_points(data, **options)
    return session_of(layer, image), False


def _open_to(session: ColumnsSession, frame: int | None) -> bool:
    """True for a document without hand edits, and for one that has nothing in the frame yet."""
    return not session.edited or (frame is not None and not (session.columns.frame == frame).any())


def documents_of(viewer: Any, image: Image | None) -> list[Points]:
    """Points layers in the viewer that hold columns of an image, oldest first."""
    return [layer for layer in viewer.layers if has_session(layer) and session_of(layer).image is image and image is not None]


def adopt(viewer: Any, layer: Any) -> ColumnsSession | None:
    """Begin a session for a Points layer that our reader or writer knows, or that lies on the only image; else None."""
    if not isinstance(layer, Points) or layer.ndim not in (2, 3):
        return None
    if has_session(layer):
        return session_of(layer)
    ours = layer.metadata.get(KEY)
    if not isinstance(ours, dict) or "columns" not in ours:
        return None
    name = ours.get("image_name")
    image = next((one for one in viewer.layers if isinstance(one, Image) and one.name == name), None)
    return session_of(layer, image)


def precision(columns: Columns) -> str:
    """Median standard deviation of the fitted positions and what the fit chose, in words; empty if nothing was fitted.

    Where less than nine of ten columns were fitted the few that were say nothing of the others.
    """
    fits = columns.features["fit"]
    tried = int((fits != "none").sum())
    failed = int((fits == "failed").sum())
    if failed > (1 - QUOTED_SHARE) * tried:
        return f"{failed:,} of {tried:,} fits failed, so no typical uncertainty is given. Try another background under Fit."
    chosen = fit_choices(columns)
    choices = f" {chosen[0].upper()}{chosen[1:]}." if chosen else ""
    spread = float(columns.features[["y_std_px", "x_std_px"]].pow(2).sum(axis=1, skipna=False).pow(0.5).median()) / np.sqrt(2)
    if not np.isfinite(spread):
        return ""
    if columns.pixel_size is None:
        return f"Median fit uncertainty {spread:.3f} px per axis (noise and misfit, without scan distortion).{choices}"
    picometres = spread * np.mean(columns.pixel_size) * 100
    return f"Median fit uncertainty {picometres:.2g} pm per axis (noise and misfit, without scan distortion).{choices}"


def reservations(columns: Columns, micrograph: Micrograph | None) -> list[str]:
    """What was guessed of a table, and where its positions are probably in another unit, in sentences."""
    doubt = why_misplaced(columns, micrograph) if micrograph is not None else ""
    mend = "; open it again under Open columns and choose another unit there"
    return [*columns.provenance.get(NOTES, ()), *([doubt + mend] if doubt else [])]
