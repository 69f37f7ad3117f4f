"""Unsaved edits are kept in a file of their own until they are saved or thrown away, so that a crash loses nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from qtpy.QtCore import QStandardPaths

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.saving import safe_name
from napari_atomseg.workflows import read_columns


def recovery_path(image: str, image_path: str) -> Path:
    """Where edits of the columns of an image are kept."""
    key = hashlib.sha256(f"{image_path}\n{image}".encode()).hexdigest()[:10]
    return folder() / f"{safe_name(image)[:60]}-{key}.csv"


def folder() -> Path:
    """The folder of recovery files, in the user's application data."""
    base = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation) or str(Path.home())
    return Path(base) / "napari-atomseg" / "recovery"


def keep(columns: Columns) -> Path | None:
    """Write the recovery file; None if the disk does not let us, which must not disturb the work."""
    from napari_atomseg.writers.columns_csv import write_columns

    path = path_for(columns)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_columns(columns, path)
    except (AtomsegError, OSError):
        return None
    return path


def forget(columns: Columns) -> None:
    """Remove the recovery file of these columns."""
    remove(path_for(columns))


def remove(path: Path) -> None:
    """Delete a recovery file and its description."""
    for file in (path, path.with_suffix(".json")):
        file.unlink(missing_ok=True)


def path_for(columns: Columns) -> Path:
    """The recovery file of columns."""
    return recovery_path(columns.image_name, columns.image_path)


def find(image: str, image_path: str) -> tuple[Columns, datetime] | None:
    """Edits that were not saved in an earlier session, and when they were made; None if there are none."""
    path = recovery_path(image, image_path)
    if not path.is_file():
        return None
    try:
        return read_columns(path), datetime.fromtimestamp(path.stat().st_mtime)
    except (AtomsegError, OSError):
        return None
