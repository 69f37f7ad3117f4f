"""Tables of columns from ourselves and from others: text tables, Atomap's lattices, extended xyz.

What a text table means is first guessed as a :class:`ColumnMapping`, which a dialog can show and change. Nothing is ever
unpickled.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import FEATURES, FILE_NAMES, FITS, ORIGINS, POSITION_NAMES, Columns
from napari_atomseg.core.errors import AtomsegError, AtomsegWarning, ColumnsFileError, MissingCalibrationError
from napari_atomseg.core.quantities import angstrom_per
from napari_atomseg.readers.text_table import (
    column_names,
    comment_above,
    guess_decimal,
    guess_delimiter,
    header_rows,
    is_number,
    read_lines,
    read_table,
    split,
)

HDF5_SUFFIXES = (".hdf5", ".h5")
XYZ_SUFFIXES = (".xyz", ".extxyz")
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat")

NOTES = "table_notes"
"""Where provenance keeps what was guessed in reading a table."""
_SNIFFED_BYTES = 1 << 16
_SNIFFED_ROWS = 25
_AXIS_NAME = re.compile(
    r"^(?:pos(?:ition)?|centroid|center|centre|coord(?:inate)?)?[\s_.-]*(x|y|row|col|column)[\s_.-]*"
    r"(?:m|pos(?:ition)?s?|coord(?:inate)?s?|centroid|center|centre)?[\s_.-]*[\[(]?(\D*?)[\])]?$",
    re.IGNORECASE,
)
_AXES = {"x": "x", "y": "y", "row": "y", "col": "x", "column": "x"}
_INDEX_NAMES = {"", "index", "id", "no", "nr", "#", "label", "point", "unnamed: 0"}
_FRAME_NAMES = {"frame", "frames", "frame number", "frame_number", "frame index", "slice"}
_Unit = Literal["px", "angstrom", "nm", "pm", "um"]
UNITS: Mapping[_Unit, float | None] = {"px": None, "angstrom": 1.0, "nm": 10.0, "pm": 0.01, "um": 1e4}
"""Units in which a table may give positions, with their Angstrom."""
_SHOWN = {"angstrom": "Å", "um": "µm"}


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """How a text table is to be read.

    Attributes
    ----------
    x, y : str
        Names of the columns that hold the positions; x runs to the right, y downwards.
    frame : str
        Name of the column that holds the frame; empty if there is none.
    unit : str
        ``px``, ``angstrom``, ``nm``, ``pm`` or ``um``.
    one_based : bool
        True if the first pixel is number 1.
    delimiter : str
        What stands between two cells; a blank for any white space.
    decimal : str
        Point or comma.
    has_header : bool
        True if the first row holds names.
    names : tuple of str
        Every column of the table, to choose from.
    index : str
        Name of the column that only counts the rows; empty if there is none.
    skipped : int
        Rows between the header and the first numbers.
    notes : tuple of str
        What was guessed, in sentences.
    """

    x: str
    y: str
    frame: str = ""
    unit: _Unit = "px"
    one_based: bool = False
    delimiter: str = ","
    decimal: str = "."
    has_header: bool = True
    names: tuple[str, ...] = ()
    index: str = ""
    skipped: int = 0
    notes: tuple[str, ...] = ()


def read_columns(
    path: Path | str,
    mapping: ColumnMapping | None = None,
    pixel_size: tuple[float, float] | None = None,
    source: str = "typed",
) -> Columns:
    """Columns from a table that we or another program wrote.

    Parameters
    ----------
    path : Path or str
        A text table (our own, napari's points, ImageJ's results, StatSTEM's coordinates ...), an Atomap or TEMUL
        lattice (``.hdf5``), or extended xyz.
    mapping : ColumnMapping, optional
        How to read a text table; guessed if not given.
    pixel_size : tuple of float, optional
        (y, x) in Angstrom; stands above what the file says.
    source : str
        Where `pixel_size` comes from.

    Returns
    -------
    Columns
        `origin` is ``imported`` unless the file says otherwise.

    Raises
    ------
    ColumnsFileError
        If the file cannot be read, or holds no positions.
    MissingCalibrationError
        If positions are lengths, and no pixel size is known.
    """
    path = Path(path)
    if path.suffix.lower() in HDF5_SUFFIXES:
        columns = _read_atomap(path, pixel_size)
    elif path.suffix.lower() in XYZ_SUFFIXES:
        columns = _read_xyz(path, pixel_size)
    else:
        columns = _read_text(path, mapping, pixel_size)
    if pixel_size is None:
        return columns
    return replace(columns, provenance={**columns.provenance, "pixel_size_source": source})


def guess_mapping(path: Path | str) -> ColumnMapping:
    """How a text table is probably meant.

    Raises
    ------
    ColumnsFileError
        If no two columns look like positions.
    """
    path = Path(path)
    lines = read_lines(path, _SNIFFED_BYTES)[: _SNIFFED_ROWS + 1]
    if not lines:
        raise ColumnsFileError(f"{path}: the table is empty; choose a file with one row per column")
    head = max(1, header_rows(lines))
    body = lines[head:] or lines
    delimiter = guess_delimiter(body)
    if delimiter is None:
        raise ColumnsFileError(f"{path}: no table of numbers was seen; save the positions as comma-separated values, x and y")
    rows = [split(line, delimiter) for line in body]
    layout = _layout(path, split(lines[0], delimiter), rows, delimiter)
    if layout is None:
        names = column_names(split(lines[0], delimiter), True)
        seen = ", ".join(name for name in names if name)[:120]
        raise ColumnsFileError(f"{path}: no positions among the columns {seen}; name two of them x and y")
    units = [split(line, delimiter) for line in lines[1:head]]
    unit, note = _told_unit(path, layout, units, rows)
    return replace(
        layout,
        unit=unit,
        delimiter=delimiter,
        decimal=guess_decimal(body, delimiter),
        skipped=head - 1,
        notes=tuple(text for text in (*layout.notes, note) if text),
    )


def told_mapping(path: Path | str, unit: str | None = None, first_index: int | None = None) -> ColumnMapping:
    """How a text table is to be read if its unit, or the number of its first pixel, is told; guessed where it is not.

    Raises
    ------
    ColumnsFileError
        If the file is no text table, or no two columns look like positions.
    """
    path = Path(path)
    if path.suffix.lower() in (*HDF5_SUFFIXES, *XYZ_SUFFIXES):
        raise ColumnsFileError(f"{path}: such a file sets its unit and first index itself; leave the options out")
    mapping = guess_mapping(path)
    if unit is not None:
        told = unit_called(unit)
        if told is None:
            raise ColumnsFileError(f'{path}: positions are never in "{unit}"; choose one of A, nm, pm, um and px')
        guessed = _unit_note(mapping.unit, "")
        mapping = replace(mapping, unit=told, notes=tuple(note for note in mapping.notes if not note.startswith(guessed)))
    return mapping if first_index is None else replace(mapping, one_based=first_index == 1)


def is_columns_table(path: Path | str) -> bool:
    """Whether a file looks like a table of columns; reads its beginning only, and never raises."""
    path = Path(path)
    suffix = path.suffix.lower()
    try:
        if suffix in HDF5_SUFFIXES:
            return _is_atomap(path)
        if suffix in XYZ_SUFFIXES:
            return "napari_atomseg=" in "".join(read_lines(path, 4096)[:2])
        if suffix not in TEXT_SUFFIXES:
            return False
        mapping = guess_mapping(path)
    except (AtomsegError, OSError):
        return False
    # A wide table of bare numbers is an image, also where its columns are counted; a points table seldom has more than x, y,
    # type and a value or two.
    return (mapping.has_header and not mapping.x.isdecimal()) or len(mapping.names) <= 5


def _read_text(path: Path, mapping: ColumnMapping | None, pixel_size: tuple[float, float] | None) -> Columns:
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
    return _finish(path, positions - mapping.one_based, table[rest], frame, pixel_size, described)


def _frames(table: pd.DataFrame, name: str, foreign: bool) -> tuple[np.ndarray | None, str]:
    """Frame of each row counted from 0, None if unknown, and a note where a table of others counts from 1.

    napari's axes count from 0, as our own tables do; programs that have a column "frame" or "slice" begin with 0 or 1.
    """
    if not name or name not in table or not pd.api.types.is_numeric_dtype(table[name]):
        return None, ""
    frame = np.nan_to_num(table[name].to_numpy(dtype=float)).astype(int)
    if foreign and name.lower() in _FRAME_NAMES and len(frame) and frame.min() == 1:
        return frame - 1, f'the lowest "{name}" is 1, so that frames were taken to be counted from 1'
    return frame, ""


def _read_atomap(path: Path, pixel_size: tuple[float, float] | None) -> Columns:
    """Sublattices of an Atomap or TEMUL lattice; `sublattice` holds their names, widths are the fitted ones."""
    import h5py

    if not _is_atomap(path):
        raise ColumnsFileError(
            f"{path}: no Atomap lattice was found in it; save one with Atom_Lattice.save, or choose another file"
        )
    positions, tables, size, shape = [], [], None, None
    with h5py.File(path, "r") as file:
        groups = sorted(_sublattices(file), key=lambda group: int(group.attrs.get("sublattice_index", 0)))
        for number, group in enumerate(groups):
            x_then_y = np.asarray(group["atom_positions"], dtype=float).reshape(-1, 2)
            positions.append(x_then_y[:, ::-1])
            tables.append(_sublattice_table(group, number, len(x_then_y)))
            size = size or float(group.attrs.get("pixel_size", 1.0))
            if "original_image_data" in group:
                shape = group["original_image_data"].shape
    described: dict[str, Any] = {"table": path.name, "image": {"shape": shape}}
    if pixel_size is None and size is not None and size != 1.0:
        # Atomap stores no unit; 1 is its default for "unknown", and its users calibrate in nm.
        pixel_size = (10 * size, 10 * size)
        warnings.warn(f"{path.name}: the pixel size {size:g} has no unit and was taken as nm", AtomsegWarning, stacklevel=4)
        described["pixel_size_source"] = "the Atomap file, taken as nm"
    return _finish(path, np.concatenate(positions), pd.concat(tables, ignore_index=True), None, pixel_size, described)


def _sublattice_table(group: Any, number: int, count: int) -> pd.DataFrame:
    name = group.attrs.get("name", group.attrs.get("tag", ""))
    name = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    table = pd.DataFrame({"sublattice": [name or str(number)] * count})
    widths = [np.asarray(group[key], dtype=float) for key in ("sigma_x", "sigma_y") if key in group]
    if len(widths) == 2 and all(len(width) == count for width in widths):
        table = table.assign(sigma_px=np.maximum(*widths), sigma_minor_px=np.minimum(*widths))
    return table


def _sublattices(file: Any) -> list[Any]:
    named = [file[key] for key in file if "sublattice" in key.lower() or "atom_lattice" in key.lower()]
    return [group for group in named if hasattr(group, "keys") and "atom_positions" in group]


def _is_atomap(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return bool(_sublattices(file))
    except OSError as problem:
        raise ColumnsFileError(f"{path}: cannot be opened as HDF5 ({problem}); check that the file is whole") from problem


def _read_xyz(path: Path, pixel_size: tuple[float, float] | None) -> Columns:
    """Atoms as columns: x and y in Angstrom, z left out; per-atom arrays as features."""
    from ase.io import read

    try:
        atoms = read(path, format="extxyz")
    except Exception as problem:
        raise ColumnsFileError(f"{path}: not a structure in xyz format ({problem}); export it again as extended xyz") from problem
    info = atoms.info
    size = pixel_size or (tuple(float(n) for n in info["pixel_size_angstrom"]) if "pixel_size_angstrom" in info else None)
    if size is None:
        raise MissingCalibrationError(f"{path}: positions are in Angstrom; give the pixel size to turn them into pixels")
    further = {key: values for key, values in atoms.arrays.items() if key not in ("numbers", "positions", "frame")}
    features = pd.DataFrame({key: values for key, values in further.items() if values.ndim == 1}, index=range(len(atoms)))
    if "element" not in features and np.any(atoms.numbers > 0):
        features = features.assign(element=atoms.get_chemical_symbols())
    shape = [int(n) for n in np.atleast_1d(info["image_shape"])] if "image_shape" in info else None
    positions = atoms.positions[:, 1::-1] / np.asarray(size)
    return _finish(path, positions, features, atoms.arrays.get("frame"), size, {"table": path.name, "image": {"shape": shape}})


def _finish(
    path: Path,
    positions: np.ndarray,
    features: pd.DataFrame,
    frame: np.ndarray | None,
    pixel_size: tuple[float, ...] | None,
    described: dict[str, Any],
) -> Columns:
    """Columns with known names mended and positions that are none dropped."""
    image = described.get("image")
    shape = image.get("shape") if isinstance(image, dict) else None
    columns = Columns(
        positions=positions,
        frame=np.zeros(len(positions), int) if frame is None else frame,
        features=_mended(features),
        pixel_size=None if pixel_size is None else (float(pixel_size[0]), float(pixel_size[-1])),
        image_shape=tuple(shape) if shape else None,
        provenance=described or {"table": path.name},
    )
    finite = np.isfinite(columns.positions).all(axis=1)
    if not finite.all():
        lost = f"{path.name}: {np.count_nonzero(~finite)} of {len(columns)} rows have no position and were left out"
        warnings.warn(lost, AtomsegWarning, stacklevel=4)
        columns = columns.select(finite)
    return columns


def _mended(features: pd.DataFrame) -> pd.DataFrame:
    """Features whose names are ours hold what ours hold, whoever wrote the file."""
    mended = features.reset_index(drop=True)
    for name, unknown in FEATURES.items():
        if name in mended and not isinstance(unknown, str):
            mended[name] = pd.to_numeric(mended[name], errors="coerce").astype(float)
    for name, legal, fallback in (("fit", FITS, "none"), ("origin", ORIGINS, "imported")):
        found = mended[name].astype(str) if name in mended else pd.Series(fallback, index=mended.index)
        mended[name] = found.where(found.isin(legal), fallback).astype(object)
    return mended


def _layout(path: Path, first: list[str], rows: list[list[str]], delimiter: str) -> ColumnMapping | None:
    """Which columns hold what, by the first row and the rows of numbers; None if no two of them look like positions."""
    if all(is_number(cell, delimiter) or not cell for cell in first):
        return _counted_layout(first, rows) or _bare_layout(path, [first, *rows], delimiter)
    names = column_names(first, True)
    axes = _named_axes(names)
    return None if axes is None else ColumnMapping(x=axes[0], y=axes[1], frame=axes[2], names=names)


def _counted_layout(first: list[str], rows: list[list[str]]) -> ColumnMapping | None:
    """Layout of a table whose header only counts its columns, as pandas names those without a name; None if it is none."""
    names = first[1:] if first[0] == "" else first
    written = any(set(".,eE") & set(cell) for row in rows for cell in row[len(first) - len(names) :])
    if len(names) < 2 or names != [str(number) for number in range(len(names))] or not written:
        return None
    note = "the header only counts the columns; the first was taken for x and the second for y"
    return ColumnMapping(x="0", y="1", names=column_names(first, True), notes=(note,))


def _bare_layout(path: Path, rows: list[list[str]], delimiter: str) -> ColumnMapping:
    """Layout of a table without a header, whose names a comment may give, and whose first column may count the rows."""
    names = column_names(rows[0], False)
    told = column_names(split(comment_above(path, _SNIFFED_BYTES) or " ", delimiter), True)
    axes = _named_axes(told) if len(told) == len(names) else None
    if axes is not None:
        return ColumnMapping(x=axes[0], y=axes[1], frame=axes[2], has_header=False, names=told)
    if len(names) > 2 and _counts_rows([row[0] for row in rows]):
        note = "there is no header: the first column counts the rows, the next two were taken for x and y"
        return ColumnMapping(x=names[1], y=names[2], has_header=False, names=names, index=names[0], notes=(note,))
    note = "there is no header: the first column was taken for x and the second for y"
    return ColumnMapping(x=names[0], y=names[1], has_header=False, names=names, notes=(note,))


def _counts_rows(cells: list[str]) -> bool:
    """Whether cells are 0, 1, 2 ... or 1, 2, 3 ..., three at least."""
    return len(cells) > 2 and any(cells == [str(first + number) for number in range(len(cells))] for first in (0, 1))


def _told_unit(path: Path, layout: ColumnMapping, units: list[list[str]], rows: list[list[str]]) -> tuple[_Unit, str]:
    """Unit of the positions by the name of their column, a row of units below it, or a column of units; and a note.

    Raises
    ------
    ColumnsFileError
        If x and y are in different units.
    """
    told = []
    for name in (layout.x, layout.y):
        place = layout.names.index(name)
        below = [unit_called(row[place]) for row in units if place < len(row)]
        told.append(_unit_of(name) or next((unit for unit in below if unit), None))
    if None not in told and told[0] != told[1]:
        raise ColumnsFileError(f"{path}: x is in {told[0]} and y in {told[1]}; bring both into one unit")
    beside = next((place for place, name in enumerate(layout.names) if name.lower() in ("unit", "units")), None)
    by_column = unit_called(rows[0][beside]) if beside is not None and beside < len(rows[0]) else None
    unit = told[0] or told[1] or by_column or "px"
    return unit, "" if unit == "px" else _unit_note(unit, f', as the table says ("{layout.x}")')


def _unit_note(unit: str, why: str) -> str:
    return f"positions were taken to be in {_SHOWN.get(unit, unit)}{why}"


def _named_axes(names: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Which of the names are x, y and the frame (or an empty text); None if there is no pair."""
    if "vertex-index" in names:
        return None  # napari's shapes, whose points are corners
    frame = next((name for name in names if name.lower() in _FRAME_NAMES), "")
    if {"y_px", "x_px"} <= set(names):
        return "x_px", "y_px", frame
    if {"centroid-0", "centroid-1"} <= set(names):
        return "centroid-1", "centroid-0", frame
    axes = sorted((name for name in names if re.fullmatch(r"axis-\d+", name)), key=lambda name: int(name[5:]))
    if len(axes) >= 2:
        return axes[-1], axes[-2], axes[-3] if len(axes) > 2 else frame
    found: dict[str, str] = {}
    for name in names:
        match = _AXIS_NAME.match(name)
        if match and (not match[2] or unit_called(match[2])):
            found.setdefault(_AXES[match[1].lower()], name)
    return (found["x"], found["y"], frame) if {"x", "y"} <= set(found) else None


def _unit_of(name: str) -> _Unit | None:
    match = _AXIS_NAME.match(name)
    return unit_called(match[2]) if match and match[2] else None


def unit_called(text: str) -> _Unit | None:
    """The unit of positions that a text means; None if it means none."""
    spelling = text.strip(" _.-()[]")
    if spelling.lower() in ("px", "pix", "pixel", "pixels"):
        return "px"
    angstrom = angstrom_per(spelling)
    return next((unit for unit, known in UNITS.items() if angstrom is not None and known == angstrom), None)


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
