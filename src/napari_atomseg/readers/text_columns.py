"""Columns from text tables: our own, napari's points, results of ImageJ, coordinates of StatSTEM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import FEATURES, FILE_NAMES, POSITION_NAMES, Columns
from napari_atomseg.core.errors import ColumnsFileError, MissingCalibrationError
from napari_atomseg.readers.column_mapping import FRAME_NAMES, UNITS, ColumnMapping, guess_mapping
from napari_atomseg.readers.table_features import columns_from
from napari_atomseg.readers.text_table import (
    read_table,
)

NOTES = "table_notes"
"""Where provenance keeps what was guessed in reading a table."""
_INDEX_NAMES = {"", "index", "id", "no", "nr", "#", "label", "point", "unnamed: 0"}


def read_text_columns(path: Path, mapping: ColumnMapping | None, pixel_size: tuple[float, float] | None) -> Columns:
    """Columns from a text table, with what the description beside it says if it is our own.

    Parameters
    ----------
    path : Path
    mapping : ColumnMapping or None
        Guessed if there is none.
    pixel_size : tuple of float, Angstrom, (y, x), or None
        Stands above what the table and its description say.

    Raises
    ------
    ColumnsFileError
        If a named column is not there, or holds text.
    MissingCalibrationError
        If positions are lengths and no pixel size is known.
    """
    mapping = mapping or guess_mapping(path)
    table = read_table(path, mapping.delimiter, mapping.decimal, mapping.has_header, mapping.skipped)
    if not mapping.has_header and len(mapping.names) == table.shape[1]:
        table.columns = pd.Index(mapping.names)
    described = _description(path) if {"y_px", "x_px"} <= set(table) else {}
    missing = [name for name in (mapping.x, mapping.y) if name not in table]
    if missing:
        raise ColumnsFileError(f"{path}: there is no column {missing[0]}; choose among {', '.join(table.columns)}")
    try:
        positions = table[[mapping.y, mapping.x]].to_numpy(dtype=float)
    except ValueError as problem:
        raise ColumnsFileError(
            f"{path}: {mapping.x} and {mapping.y} hold text ({problem}); choose two columns of numbers"
        ) from None
    known = pixel_size or _known_size(described)
    pixel_size = known or _derived_size(table)
    if mapping.unit != "px":
        if pixel_size is None:
            raise MissingCalibrationError(
                f"{path}: positions are in {mapping.unit}; give the pixel size to turn them into pixels"
            )
        positions = positions * (UNITS[mapping.unit] or 1.0) / np.asarray(pixel_size)
    frame, note = _frames(table, mapping.frame, foreign=(mapping.y, mapping.x) != POSITION_NAMES[:2])
    notes = [*mapping.notes, *([note] if note else [])]
    described = {key: value for key, value in described.items() if key != NOTES} or {"table": path.name}
    if notes:
        described[NOTES] = notes
    if known is None and pixel_size is not None:
        described["pixel_size_source"] = "the table's positions in Angstrom"
    used = {mapping.x, mapping.y, mapping.frame, mapping.index, *set(FILE_NAMES).difference(FEATURES)}
    rest = [name for name in map(str, table) if name not in used and name.lower() not in _INDEX_NAMES]
    return columns_from(path, positions - mapping.one_based, table[rest], frame, pixel_size, described)


def _frames(table: pd.DataFrame, name: str, foreign: bool) -> tuple[np.ndarray | None, str]:
    """Frame of each row counted from 0, None if unknown, and a note where a table of others counts from 1.

    napari's axes count from 0, as our own tables do; programs that have a column "frame" or "slice" begin with 0 or 1.
    """
    if not name or name not in table or not pd.api.types.is_numeric_dtype(table[name]):
        return None, ""
    frame = np.nan_to_num(table[name].to_numpy(dtype=float)).astype(int)
    if foreign and name.lower() in FRAME_NAMES and len(frame) and frame.min() == 1:
        return frame - 1, f'the lowest "{name}" is 1, so that frames were taken to be counted from 1'
    return frame, ""


def _description(path: Path) -> dict[str, Any]:
    """What ``<stem>.json`` says, less what :class:`Columns` holds elsewhere; empty if it is missing or not ours."""
    try:
        known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict) or known.get("format") != "napari-atomseg columns":
        return {}
    return {key: value for key, value in known.items() if key not in ("format", "columns")}


def _known_size(described: dict[str, Any]) -> tuple[float, float] | None:
    size = described.pop("pixel_size_angstrom", None)
    if isinstance(size, list) and len(size) == 2 and all(isinstance(n, (int, float)) and n > 0 for n in size):
        return float(size[0]), float(size[1])
    return None


def _derived_size(table: pd.DataFrame) -> tuple[float, float] | None:
    """Pixel size from a table that gives positions in both px and Angstrom."""
    sizes = []
    for axis in ("y", "x"):
        names = (f"{axis}_px", f"{axis}_angstrom")
        if not set(names) <= set(table) or not all(pd.api.types.is_numeric_dtype(table[name]) for name in names):
            return None
        pixels, lengths = (table[name].to_numpy(dtype=float) for name in names)
        usable = np.isfinite(pixels) & np.isfinite(lengths) & (np.abs(pixels) > 0)
        if not usable.any():
            return None
        farthest = np.argmax(np.where(usable, np.abs(pixels), 0))
        sizes.append(float(np.round(lengths[farthest] / pixels[farthest], 9)))
    return (sizes[0], sizes[1]) if min(sizes) > 0 else None
