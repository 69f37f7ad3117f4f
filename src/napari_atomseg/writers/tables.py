"""Tables of other things than columns, as CSV beside that of the columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.writers.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd


def table_paths(names: Iterable[str], target: Path) -> dict[str, Path]:
    """Files of further tables, by their names, beside that of the columns.

    Parameters
    ----------
    names : iterable of str
    target : Path
        Of the table of columns.
    """
    return {name: target.with_name(f"{target.stem}_{name}.csv") for name in names}


def write_tables(tables: Mapping[str, pd.DataFrame], paths: Mapping[str, Path]) -> None:
    """Write further tables.

    Parameters
    ----------
    tables : mapping of DataFrame
    paths : mapping of Path
        Of :func:`table_paths`.

    Raises
    ------
    AtomsegError
        If a file cannot be written.
    """
    for name, path in paths.items():
        with replacing(path, AtomsegError) as part:
            tables[name].to_csv(part, index=False, na_rep="", lineterminator="\n", encoding="utf-8")
