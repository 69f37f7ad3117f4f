"""Columns as a flat structure of one atom each, for programs that read extended xyz."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import ELEMENT, FILE_NAMES, Columns
from napari_atomseg.writers.atomic import replacing

_UNKNOWN_ELEMENT = "X"


def write_xyz(columns: Columns, path: Path | str) -> Path:
    """Write one atom per column: x to the right and y downwards as in the image, both in Angstrom, z = 0.

    Features become per-atom arrays; the feature ``element``, where there is one, gives the symbols, else they are ``X``.

    Parameters
    ----------
    columns : Columns
        With a pixel size.
    path : Path or str
        The file; a suffix other than ``.xyz`` or ``.extxyz`` is replaced by ``.xyz``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    MissingCalibrationError
        If the pixel size is unknown.
    AtomsegError
        If the file cannot be written.
    """
    from ase import Atoms
    from ase.io import write

    target = Path(path)
    if target.suffix.lower() not in (".xyz", ".extxyz"):
        target = target.with_suffix(".xyz")
    y, x = columns.positions_angstrom.T
    atoms = Atoms(symbols=_symbols(columns), positions=np.column_stack([x, y, np.zeros(len(columns))]))
    atoms.info["napari_atomseg"] = "columns"
    atoms.info["pixel_size_angstrom"] = np.array(columns.pixel_size)
    if columns.image_shape is not None:
        atoms.info["image_shape"] = np.array(columns.image_shape)
    atoms.set_array("frame", columns.frame)
    for name, values in columns.features.items():
        if name not in FILE_NAMES or not values.isna().all():
            atoms.set_array(_bare(str(name)), _array(values))
    with replacing(target) as part:
        write(part, atoms, format="extxyz")
    return target


def _symbols(columns: Columns) -> list[str]:
    from ase.data import atomic_numbers

    if ELEMENT not in columns.features:
        return [_UNKNOWN_ELEMENT] * len(columns)
    names = [str(name).strip().capitalize() for name in columns.features[ELEMENT]]
    return [name if name in atomic_numbers else _UNKNOWN_ELEMENT for name in names]


def _array(values: pd.Series) -> np.ndarray:
    """Numbers as they are; texts without the blanks and gaps that the format takes for separators."""
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_integer_dtype(values):
        return np.asarray(values)
    if pd.api.types.is_float_dtype(values):
        return np.asarray(values, dtype=float)
    return np.array([_bare(str(value)) if pd.notna(value) else "-" for value in values], dtype=np.str_)


def _bare(text: str) -> str:
    return re.sub(r"[\s:=\"]+", "_", text.strip()) or "-"
