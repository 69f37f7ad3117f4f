"""What an analysis of columns gives: new features, tables of other things than columns, and numbers of the whole image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_atomseg.analysis.params import MeasureParams
from napari_atomseg.core.columns import Columns

if TYPE_CHECKING:
    import pandas as pd

    from napari_atomseg.analysis.intensities.source import IntensitySource
    from napari_atomseg.analysis.lattice.column_cell import ColumnCell


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What an analysis is given beside the columns.

    Attributes
    ----------
    shape : tuple of int, px
        (Y, X) of the image.
    size : tuple of float, Angstrom, (y, x)
        Pixel size.
    asked : tuple of str
        Names of the analyses, where one function serves several.
    params : MeasureParams
    cells : tuple of ColumnCell
        Columns of known structures that lattices are compared with.
    intensities : IntensitySource or None
        The image, for analyses of intensity.
    """

    shape: tuple[int, int]
    size: tuple[float, float]
    asked: tuple[str, ...] = ()
    params: MeasureParams = field(default_factory=MeasureParams)
    cells: tuple[ColumnCell, ...] = ()
    intensities: IntensitySource | None = None


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
