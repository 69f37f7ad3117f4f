"""Columns from lattices of Atomap and TEMUL (HDF5)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import SUBLATTICE, Columns
from napari_atomseg.core.errors import AtomsegWarning, ColumnsFileError
from napari_atomseg.readers.table_features import columns_from


def read_atomap_lattice(path: Path, pixel_size: tuple[float, float] | None) -> Columns:
    """Sublattices of an Atomap or TEMUL lattice; `sublattice` holds their names, widths are the fitted ones.

    Parameters
    ----------
    path : Path
    pixel_size : tuple of float, Angstrom, (y, x), or None
        Stands above what the file says, which has no unit and is taken as nm.

    Raises
    ------
    ColumnsFileError
        If the file holds no such lattice.
    """
    import h5py

    if not is_atomap_lattice(path):
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
    return columns_from(path, np.concatenate(positions), pd.concat(tables, ignore_index=True), None, pixel_size, described)


def _sublattice_table(group: Any, number: int, count: int) -> pd.DataFrame:
    name = group.attrs.get("name", group.attrs.get("tag", ""))
    name = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    table = pd.DataFrame({SUBLATTICE: [name or str(number)] * count})
    widths = [np.asarray(group[key], dtype=float) for key in ("sigma_x", "sigma_y") if key in group]
    if len(widths) == 2 and all(len(width) == count for width in widths):
        table = table.assign(sigma_px=np.maximum(*widths), sigma_minor_px=np.minimum(*widths))
    return table


def _sublattices(file: Any) -> list[Any]:
    named = [file[key] for key in file if "sublattice" in key.lower() or "atom_lattice" in key.lower()]
    return [group for group in named if hasattr(group, "keys") and "atom_positions" in group]


def is_atomap_lattice(path: Path) -> bool:
    """Whether an HDF5 file holds sublattices with positions.

    Raises
    ------
    ColumnsFileError
        If it cannot be opened.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return bool(_sublattices(file))
    except OSError as problem:
        raise ColumnsFileError(f"{path}: cannot be opened as HDF5 ({problem}); check that the file is whole") from problem
