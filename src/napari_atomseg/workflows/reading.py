"""Files to micrographs and columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph

if TYPE_CHECKING:
    from napari_atomseg.readers.columns_table import ColumnMapping


def read(path: str | Path, dataset: int | None = None) -> list[Micrograph]:
    """Every image, or stack of images, in a file; see :func:`napari_atomseg.readers.registry.read`."""
    from napari_atomseg.readers.registry import read as read_file

    return read_file(path, dataset)


def read_columns(
    path: str | Path, mapping: ColumnMapping | None = None, pixel_size: tuple[float, float] | None = None
) -> Columns:
    """Columns from a table; see :func:`napari_atomseg.readers.columns_table.read_columns`."""
    from napari_atomseg.readers.columns_table import read_columns as read_table

    return read_table(path, mapping, pixel_size)
