"""What a text table of columns means: which of its columns are positions, in which unit, counted from where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from napari_atomseg.core.errors import ColumnsFileError
from napari_atomseg.core.quantities import angstrom_per
from napari_atomseg.readers.text_table import (
    column_names,
    comment_above,
    guess_decimal,
    guess_delimiter,
    header_rows,
    is_number,
    read_lines,
    split,
)

SNIFFED_BYTES = 1 << 16
_SNIFFED_ROWS = 25
_AXIS_NAME = re.compile(
    r"^(?:pos(?:ition)?|centroid|center|centre|coord(?:inate)?)?[\s_.-]*(x|y|row|col|column)[\s_.-]*"
    r"(?:m|pos(?:ition)?s?|coord(?:inate)?s?|centroid|center|centre)?[\s_.-]*[\[(]?(\D*?)[\])]?$",
    re.IGNORECASE,
)
_AXES = {"x": "x", "y": "y", "row": "y", "col": "x", "column": "x"}
FRAME_NAMES = {"frame", "frames", "frame number", "frame_number", "frame index", "slice"}
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


def guess_mapping(path: Path | str) -> ColumnMapping:
    """How a text table is probably meant.

    Raises
    ------
    ColumnsFileError
        If no two columns look like positions.
    """
    path = Path(path)
    lines = read_lines(path, SNIFFED_BYTES)[: _SNIFFED_ROWS + 1]
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
    unit, note = _stated_unit(path, layout, units, rows)
    return replace(
        layout,
        unit=unit,
        delimiter=delimiter,
        decimal=guess_decimal(body, delimiter),
        skipped=head - 1,
        notes=tuple(text for text in (*layout.notes, note) if text),
    )


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
    commented = column_names(split(comment_above(path, SNIFFED_BYTES) or " ", delimiter), True)
    axes = _named_axes(commented) if len(commented) == len(names) else None
    if axes is not None:
        return ColumnMapping(x=axes[0], y=axes[1], frame=axes[2], has_header=False, names=commented)
    if len(names) > 2 and _counts_rows([row[0] for row in rows]):
        note = "there is no header: the first column counts the rows, the next two were taken for x and y"
        return ColumnMapping(x=names[1], y=names[2], has_header=False, names=names, index=names[0], notes=(note,))
    note = "there is no header: the first column was taken for x and the second for y"
    return ColumnMapping(x=names[0], y=names[1], has_header=False, names=names, notes=(note,))


def _counts_rows(cells: list[str]) -> bool:
    """Whether cells are 0, 1, 2 ... or 1, 2, 3 ..., three at least."""
    return len(cells) > 2 and any(cells == [str(first + number) for number in range(len(cells))] for first in (0, 1))


def _stated_unit(path: Path, layout: ColumnMapping, units: list[list[str]], rows: list[list[str]]) -> tuple[_Unit, str]:
    """Unit of the positions by the name of their column, a row of units below it, or a column of units; and a note.

    Raises
    ------
    ColumnsFileError
        If x and y are in different units.
    """
    named = []
    for name in (layout.x, layout.y):
        place = layout.names.index(name)
        below = [unit_called(row[place]) for row in units if place < len(row)]
        named.append(_unit_of(name) or next((unit for unit in below if unit), None))
    if None not in named and named[0] != named[1]:
        raise ColumnsFileError(f"{path}: x is in {named[0]} and y in {named[1]}; bring both into one unit")
    beside = next((place for place, name in enumerate(layout.names) if name.lower() in ("unit", "units")), None)
    by_column = unit_called(rows[0][beside]) if beside is not None and beside < len(rows[0]) else None
    unit = named[0] or named[1] or by_column or "px"
    return unit, "" if unit == "px" else unit_note(unit, f', as the table says ("{layout.x}")')


def unit_note(unit: str, why: str) -> str:
    """What to say of a unit that was guessed, and of why.

    Parameters
    ----------
    unit : str
        One of :data:`UNITS`.
    why : str
        End of the sentence; may be empty.
    """
    return f"positions were taken to be in {_SHOWN.get(unit, unit)}{why}"


def _named_axes(names: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Which of the names are x, y and the frame (or an empty text); None if there is no pair."""
    if "vertex-index" in names:
        return None  # napari's shapes, whose points are corners
    frame = next((name for name in names if name.lower() in FRAME_NAMES), "")
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
