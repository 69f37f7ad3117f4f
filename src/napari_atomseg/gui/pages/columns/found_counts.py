"""Numbers of atoms that a finder has counted, written on the image and shown by colours at once."""

from __future__ import annotations

from typing import Any

from napari.layers import Image

from napari_atomseg.core.columns import ATOM_COUNT
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.measured import show_counts


def show_found_counts(viewer: Any, image: Image, session: ColumnsSession) -> None:
    """Numbers and colours of the columns' atoms, if they were counted; a series' are shown on its first frame.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        In which they were found.
    session : ColumnsSession
        Their document.
    """
    columns = session.columns
    if ATOM_COUNT not in columns.features or image not in viewer.layers:
        return
    show_counts(viewer, image, columns)
    session.colour_by = ATOM_COUNT
    session.restyle()
    if image.ndim == 3 and len(columns) and (columns.frame == columns.frame[0]).all():
        viewer.dims.set_current_step(0, int(columns.frame[0]))
