"""Tables of columns from ourselves and from others: text tables, Atomap's lattices, extended xyz.

What a text table means is first guessed as a :class:`ColumnMapping`, which a dialog can show and change. Nothing is ever
unpickled.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError, ColumnsFileError
from napari_atomseg.readers.atomap_lattice import is_atomap_lattice, read_atomap_lattice
from napari_atomseg.readers.column_mapping import ColumnMapping, guess_mapping, unit_called, unit_note
from napari_atomseg.readers.extended_xyz import read_extended_xyz
from napari_atomseg.readers.text_columns import read_text_columns
from napari_atomseg.readers.text_table import (
    read_lines,
)

HDF5_SUFFIXES = (".hdf5", ".h5")
XYZ_SUFFIXES = (".xyz", ".extxyz")
TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat")


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
        columns = read_atomap_lattice(path, pixel_size)
    elif path.suffix.lower() in XYZ_SUFFIXES:
        columns = read_extended_xyz(path, pixel_size)
    else:
        columns = read_text_columns(path, mapping, pixel_size)
    if pixel_size is None:
        return columns
    return replace(columns, provenance={**columns.provenance, "pixel_size_source": source})


def mapping_for(path: Path | str, unit: str | None = None, first_index: int | None = None) -> ColumnMapping:
    """How a text table is to be read if its unit, or the number of its first pixel, is told; guessed where it is not.

    Parameters
    ----------
    path : str or Path
    unit : str, optional
        Such as ``nm``, in any spelling.
    first_index : int, optional
        Number of the first pixel: 0 or 1.

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
        stated = unit_called(unit)
        if stated is None:
            raise ColumnsFileError(f'{path}: positions are never in "{unit}"; choose one of A, nm, pm, um and px')
        guessed = unit_note(mapping.unit, "")
        mapping = replace(mapping, unit=stated, notes=tuple(note for note in mapping.notes if not note.startswith(guessed)))
    return mapping if first_index is None else replace(mapping, one_based=first_index == 1)


def is_columns_table(path: Path | str) -> bool:
    """Whether a file looks like a table of columns; reads its beginning only, and never raises."""
    path = Path(path)
    suffix = path.suffix.lower()
    try:
        if suffix in HDF5_SUFFIXES:
            return is_atomap_lattice(path)
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
