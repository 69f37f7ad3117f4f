"""What an analysis of columns gives: new features, tables of other things than columns, and numbers of the whole image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_atomseg.core.columns import Columns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """What was measured.

    Attributes
    ----------
    columns : Columns
        With the new features.
    tables : mapping of DataFrame
        Of other things than columns, by the name that is added to that of the file.
    numbers : mapping
        Of the whole image by name; of a stack a list ``frames``, one entry a frame.
    summary : str
        The most telling numbers in one line.
    """

    columns: Columns
    tables: Mapping[str, pd.DataFrame]
    numbers: Mapping[str, Any]
    summary: str = ""
