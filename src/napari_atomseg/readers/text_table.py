"""Text tables whose dialect nobody wrote down: which delimiter, which decimal sign, which encoding, a header or not."""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path

import pandas as pd

from napari_atomseg.core.errors import ColumnsFileError

_MARKS = (";", "\t", ",", " ")
_COMMENTS = ("#", "%", "//")
_NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$|^[-+]?(nan|inf)$", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"^[-+]?\d*,\d+([eE][-+]?\d+)?$")


def read_lines(path: Path, limit: int = -1) -> list[str]:
    """Lines that are neither blank nor comments; with a limit in bytes, a last line that may have been cut is left out.

    Parameters
    ----------
    path : Path
    limit : int
        Bytes; -1 for all.

    Raises
    ------
    ColumnsFileError
        If the file cannot be opened or holds no text.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(limit)
    except OSError as problem:
        raise ColumnsFileError(
            f"{path}: cannot be opened ({problem.strerror or problem}); check its name and permission"
        ) from problem
    cut = 0 <= limit == len(raw)
    text = _decoded(raw, cut).lstrip("\ufeff")
    if "\0" in text:
        raise ColumnsFileError(f"{path}: this is no text table; export the positions as comma-separated values")
    lines = text.splitlines()[: -1 if cut else None]
    return [line for line in lines if line.strip() and not line.lstrip().startswith(_COMMENTS)]


def comment_above(path: Path, limit: int) -> str:
    """The last comment above the first row, where some programs put the names of the columns; empty if there is none.

    Parameters
    ----------
    path : Path
    limit : int
        Bytes that are looked at.
    """
    with path.open("rb") as file:
        text = _decoded(file.read(limit), True).lstrip("\ufeff")
    found = ""
    for line in filter(str.strip, text.splitlines()):
        mark = next((mark for mark in _COMMENTS if line.lstrip().startswith(mark)), "")
        if not mark:
            break
        found = line.lstrip().removeprefix(mark).strip()
    return found


def header_rows(lines: list[str]) -> int:
    """How many rows at the top hold words and no number, 0 if none or all do; some programs put units below the names."""
    return next(
        (n for n, line in enumerate(lines) if any(_has_number(line, mark) for mark in _MARKS) or not line.strip(" ,;\t")), 0
    )


def read_table(path: Path, delimiter: str, decimal: str, has_header: bool, skipped: int = 0) -> pd.DataFrame:
    """Cells as numbers where a whole column is made of them, as true or false likewise, else as text.

    The `skipped` rows below the first are left out.

    Parameters
    ----------
    path : Path
    delimiter : str
        A blank for any white space.
    decimal : str
        Point or comma.
    has_header : bool
    skipped : int
        Rows between the header and the first numbers.

    Raises
    ------
    ColumnsFileError
        If the rows do not form a table.
    """
    lines = read_lines(path)
    if not lines:
        raise ColumnsFileError(f"{path}: the table is empty; choose a file with one row per column")
    lines = [*lines[:1], *lines[1 + skipped :]]
    text = "\n".join(line.strip() for line in lines) if delimiter == " " else "\n".join(lines)
    try:
        with warnings.catch_warnings():
            # Rows longer than the header would only be cut with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text),
                sep=r"\s+" if delimiter == " " else delimiter,
                header=0 if has_header else None,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                skipinitialspace=True,
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning, csv.Error) as problem:
        raise ColumnsFileError(
            f"{path}: the rows do not form a table ({str(problem).strip()}); mend or export it again"
        ) from None
    names = column_names(split(lines[0], delimiter), has_header)[: table.shape[1]]
    return pd.DataFrame({name: _typed(table.iloc[:, n], decimal) for n, name in enumerate(names)}, index=table.index)


def guess_delimiter(lines: list[str]) -> str | None:
    """Semicolon, tab, comma, or a blank for any white space; None if none of them gives rows with two numbers each."""
    return next((mark for mark in _MARKS if _fits(lines, mark)), None)


def guess_decimal(lines: list[str], delimiter: str) -> str:
    """Point or comma.

    Parameters
    ----------
    lines : list of str
    delimiter : str
    """
    cells = [cell for line in lines for cell in split(line, delimiter)]
    return "," if delimiter != "," and any(_DECIMAL_COMMA.match(cell) for cell in cells) else "."


def split(line: str, delimiter: str) -> list[str]:
    """Cells of one line, without blanks around them.

    Parameters
    ----------
    line : str
    delimiter : str
        A blank for any white space.
    """
    cells = line.split() if delimiter == " " else next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    return [cell.strip() for cell in cells]


def is_number(cell: str, delimiter: str) -> bool:
    """Whether a cell is a number, with a decimal comma too where the comma does not separate cells.

    Parameters
    ----------
    cell : str
    delimiter : str
        What stands between two cells.
    """
    return bool(_NUMBER.match(cell)) or (delimiter != "," and bool(_DECIMAL_COMMA.match(cell)))


def column_names(first: list[str], has_header: bool) -> tuple[str, ...]:
    """Names of the columns: the header's cells, the second of two equal ones numbered, or ``column 1`` and so on.

    Parameters
    ----------
    first : list of str
        Cells of the first row.
    has_header : bool
    """
    if not has_header:
        return tuple(f"column {n}" for n in range(1, len(first) + 1))
    return tuple(name if first.index(name) == n else f"{name}.{first[:n].count(name)}" for n, name in enumerate(first))


def _has_number(line: str, delimiter: str) -> bool:
    return any(is_number(cell, delimiter) for cell in split(line, delimiter))


def _fits(lines: list[str], delimiter: str) -> bool:
    """Whether this delimiter turns the lines into rows of equal length with at least two numbers in each."""
    rows = [split(line, delimiter) for line in lines]
    if len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        return False
    if len(rows) == 1 and not any(is_number(cell, delimiter) for cell in rows[0]):
        return True  # a header without rows
    if any(re.search(r"\d\s+[-+]?\d", cell) and not re.search(r"[^\d\s.,eE+-]", cell) for row in rows for cell in row):
        return False  # "1,5 2,5": the comma is the decimal sign here
    return all(sum(is_number(cell, delimiter) for cell in row) >= 2 for row in rows)


def _typed(cells: pd.Series, decimal: str) -> pd.Series:
    stripped = cells.fillna("").str.strip()
    if len(stripped) and stripped.isin(("True", "False")).all():
        return stripped == "True"
    plain = stripped.str.replace(",", ".", regex=False) if decimal == "," else stripped
    numbers = pd.to_numeric(plain.where(plain != ""), errors="coerce")
    unreadable = numbers.isna() & ~plain.str.lower().isin(("", "nan", "-nan"))
    return cells.fillna("") if unreadable.any() else numbers


def _decoded(raw: bytes, cut: bool) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8", errors="ignore" if cut else "strict")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
