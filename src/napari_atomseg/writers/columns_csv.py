"""Columns to a table for people and spreadsheets, and beside it what is needed to repeat the measurement."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import FEATURES, FILE_NAMES, Columns
from napari_atomseg.core.errors import ColumnsFileError
from napari_atomseg.writers.atomic import replacing

_PACKAGES = ("napari-atomseg", "numpy", "scipy", "torch")
_ANGSTROM_DECIMALS = 9
_LARGEST_HASHED = 2**30
_ROWS_AT_ONCE = 1000
"""While pandas writes rows nothing else runs: so many take about 10 ms, and a window in another thread does not stand still."""


def write_columns(columns: Columns, path: Path | str, *, durable: bool = True) -> tuple[Path, Path]:
    """Write ``<stem>.csv``, one row per column, and ``<stem>.json`` beside it.

    Both files are complete before either takes its name.

    Parameters
    ----------
    columns : Columns
        Any number of them, none included.
    path : Path or str
        The table; a suffix other than ``.csv`` is replaced.
    durable : bool
        Wait until the disk has it; not for one of thousands of files that can be made again.

    Returns
    -------
    tuple of Path
        The table and its description.

    Raises
    ------
    ColumnsFileError
        If a file cannot be written.
    """
    table_path = Path(path).with_suffix(".csv")
    description_path = table_path.with_suffix(".json")
    text = json.dumps(description(columns), indent=2, ensure_ascii=False, allow_nan=False)
    with (
        replacing(table_path, ColumnsFileError, durable) as table_part,
        replacing(description_path, ColumnsFileError, durable) as text_part,
    ):
        table = columns_table(columns)
        table.to_csv(table_part, index=False, na_rep="", lineterminator="\n", encoding="utf-8", chunksize=_ROWS_AT_ONCE)
        text_part.write_text(text + "\n", encoding="utf-8", newline="\n")
    return table_path, description_path


def columns_table(columns: Columns) -> pd.DataFrame:
    """Table as it stands in the file: positions, the known features, the frame, then further features."""
    known = {name: columns.features[name].to_numpy() for name in FEATURES}
    further = {str(name): values for name, values in columns.features.items() if name not in FILE_NAMES}
    table = {"y_px": columns.positions[:, 0], "x_px": columns.positions[:, 1], **_angstrom(columns), **known}
    return pd.DataFrame({**table, "frame": columns.frame, **further}, index=range(len(columns)))


def description(columns: Columns) -> dict[str, Any]:
    """What the table does not say: image, calibration, model, parameters, versions, time; fit for JSON.

    `Columns.provenance` is kept as it is. Its ``image`` is a name, or a mapping with ``name`` and either ``sha256`` or
    ``path``, from which the checksum is taken.
    """
    provenance: dict[str, Any] = plain(columns.provenance)
    usual: dict[str, Any] = {"format": "napari-atomseg columns", "model": None, "parameters": {}, "pixel_size_source": ""}
    computed: dict[str, Any] = {
        "image": _image(provenance.get("image"), columns.image_shape),
        "pixel_size_angstrom": plain(columns.pixel_size),
        "columns": len(columns),
        "versions": provenance.get("versions") or _versions(),
        "time": provenance.get("time") or datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return usual | provenance | computed


def plain(value: Any) -> Any:
    """The value as JSON knows it: mappings, lists, texts, finite numbers and null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def checksum(path: Path | str) -> str | None:
    """SHA-256 of a file in hexadecimal; None if it cannot be read, or is so large that saving would have to wait."""
    try:
        if Path(path).stat().st_size > _LARGEST_HASHED:
            return None
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _angstrom(columns: Columns) -> dict[str, Any]:
    if columns.pixel_size is None:
        return {"y_angstrom": np.nan, "x_angstrom": np.nan}
    y, x = columns.positions_angstrom.round(_ANGSTROM_DECIMALS).T
    return {"y_angstrom": y, "x_angstrom": x}


def _image(image: Any, shape: tuple[int, ...] | None) -> dict[str, Any]:
    known = dict(image) if isinstance(image, Mapping) else {"name": image}
    if known.get("sha256") is None:
        known["sha256"] = checksum(known["path"]) if known.get("path") else None
    if shape is not None:
        known["shape"] = [int(n) for n in shape]
    return known


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
