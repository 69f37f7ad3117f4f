"""Unsaved edits are kept in a file of their own until they are saved or thrown away, so that a crash loses nothing."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.sessions.saving import safe_name
from napari_atomseg.workflows import read_columns


def recovery_path(folder: Path, image: str, image_path: str) -> Path:
    """Where edits of the columns of an image are kept, however the path of its file is spelled.

    Parameters
    ----------
    folder : Path
        Where all recovery files lie.
    image : str
        Name of the image in its file.
    image_path : str
        Path of its file; empty if there is none.

    Returns
    -------
    Path
        Of a CSV file, whether it exists or not.
    """
    file = os.path.normcase(os.path.realpath(image_path)) if image_path else ""
    key = hashlib.sha256(f"{file}\n{image}".encode()).hexdigest()[:10]
    return folder / f"{safe_name(image)[:60]}-{key}.csv"


def write(columns: Columns, path: Path) -> None:
    """Write a recovery file; if the disk does not let us, that must not disturb the work."""
    from napari_atomseg.writers.columns_csv import write_columns

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_columns(columns, path)
    except (AtomsegError, OSError):
        return


def remove(path: Path) -> None:
    """Delete a recovery file and its description."""
    for file in (path, path.with_suffix(".json")):
        file.unlink(missing_ok=True)


def read(path: Path) -> tuple[Columns, datetime] | None:
    """Edits that were not saved in an earlier session, and when they were made; None if there are none."""
    if not path.is_file():
        return None
    try:
        return read_columns(path), datetime.fromtimestamp(path.stat().st_mtime)
    except (AtomsegError, OSError):
        return None


def by_name(folder: Path, image: str, besides: Path) -> list[Path]:
    """Recovery files of images of that name that lay elsewhere, newest first.

    Parameters
    ----------
    folder : Path
        Where all recovery files lie.
    image : str
        Name of the image.
    besides : Path
        A recovery file that is left out, that of the image at its own path.

    Returns
    -------
    list of Path
    """
    found = [path for path in folder.glob(f"{safe_name(image)[:60]}-*.csv") if path != besides]
    return sorted((path for path in found if _image_in(path).get("name") == image), key=lambda path: -path.stat().st_mtime)


def checksum_in(path: Path) -> str | None:
    """Checksum of the image's file, as a recovery file tells it."""
    found = _image_in(path).get("sha256")
    return str(found) if found else None


def _image_in(path: Path) -> dict[str, Any]:
    try:
        image = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")).get("image")
    except (OSError, ValueError, AttributeError):
        return {}
    return image if isinstance(image, dict) else {}
