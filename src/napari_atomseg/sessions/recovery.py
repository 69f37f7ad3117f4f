"""Unsaved edits are kept in a file of their own until they are saved or thrown away, so that a crash loses nothing."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.sessions.saving import safe_name

SUFFIX = ".npz"
"""Arrays and no text: numpy writes them without keeping the other threads, and so the window, waiting."""
_DESCRIPTION, _POSITIONS, _FRAME = "description", "positions", "frame"
_NUMBERS, _TEXTS, _CODES = "numbers/", "texts/", "codes/"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, IndexError, zipfile.BadZipFile)


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
        Whether it exists or not.
    """
    file = os.path.normcase(os.path.realpath(image_path)) if image_path else ""
    key = hashlib.sha256(f"{file}\n{image}".encode()).hexdigest()[:10]
    return folder / f"{safe_name(image)[:60]}-{key}{SUFFIX}"


def write(columns: Columns, path: Path) -> None:
    """Write a recovery file; if the disk does not let us, that must not disturb the work."""
    from napari_atomseg.writers.atomic import replacing

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            np.savez(part, allow_pickle=False, **_arrays(columns))
    except (AtomsegError, OSError):
        return


def remove(path: Path) -> None:
    """Delete a recovery file."""
    path.unlink(missing_ok=True)


def read(path: Path) -> tuple[Columns, datetime] | None:
    """Edits that were not saved in an earlier session, and when they were made; None if there are none."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return _columns(arrays), datetime.fromtimestamp(path.stat().st_mtime)
    except _UNREADABLE:
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
    found = [path for path in folder.glob(f"{safe_name(image)[:60]}-*{SUFFIX}") if path != besides]
    return sorted((path for path in found if _image_in(path).get("name") == image), key=lambda path: -path.stat().st_mtime)


def checksum_in(path: Path) -> str | None:
    """Checksum of the image's file, as a recovery file tells it."""
    found = _image_in(path).get("sha256")
    return str(found) if found else None


def _image_in(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            image = json.loads(str(arrays[_DESCRIPTION])).get("image")
    except _UNREADABLE:
        return {}
    return image if isinstance(image, dict) else {}


def _arrays(columns: Columns) -> dict[str, np.ndarray]:
    """What the file holds; texts as the different ones and their numbers, -1 for none."""
    from napari_atomseg.writers.columns_csv import description

    arrays = {
        _DESCRIPTION: np.array(json.dumps(description(columns), ensure_ascii=False, allow_nan=False)),
        _POSITIONS: columns.positions,
        _FRAME: columns.frame,
    }
    for name, values in columns.features.items():
        if values.dtype.kind in "biuf":
            arrays[f"{_NUMBERS}{name}"] = values.to_numpy()
        else:
            codes, texts = pd.factorize(values)
            arrays[f"{_CODES}{name}"], arrays[f"{_TEXTS}{name}"] = codes, np.array([str(text) for text in texts], dtype=str)
    return arrays


def _columns(arrays: Any) -> Columns:
    """The columns in such a file."""
    written = json.loads(str(arrays[_DESCRIPTION]))
    described = {key: value for key, value in written.items() if key not in ("format", "columns")}
    size = described.pop("pixel_size_angstrom", None)
    shape = described["image"].pop("shape", None)
    features = {}
    for key in arrays.files:
        kind, _, name = key.partition("/")
        if f"{kind}/" == _NUMBERS:
            features[name] = arrays[key]
        elif f"{kind}/" == _CODES:
            texts = np.append(arrays[f"{_TEXTS}{name}"].astype(object), np.nan)
            features[name] = texts[arrays[key]]
    return Columns(
        positions=arrays[_POSITIONS],
        frame=arrays[_FRAME],
        features=pd.DataFrame(features),
        pixel_size=None if size is None else (float(size[0]), float(size[1])),
        image_shape=None if shape is None else tuple(shape),
        provenance=described,
    )
