"""Columns from extended xyz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import ELEMENT, Columns
from napari_atomseg.core.errors import ColumnsFileError, MissingCalibrationError
from napari_atomseg.readers.table_features import columns_from


def read_extended_xyz(path: Path, pixel_size: tuple[float, float] | None) -> Columns:
    """Atoms as columns: x and y in Angstrom, z left out; per-atom arrays as features.

    Parameters
    ----------
    path : Path
    pixel_size : tuple of float, Angstrom, (y, x), or None
        Stands above what the file says.

    Raises
    ------
    ColumnsFileError
        If it is no extended xyz.
    MissingCalibrationError
        If the pixel size is neither in the file nor given.
    """
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
    if ELEMENT not in features and np.any(atoms.numbers > 0):
        features = features.assign(**{ELEMENT: atoms.get_chemical_symbols()})
    shape = [int(n) for n in np.atleast_1d(info["image_shape"])] if "image_shape" in info else None
    positions = atoms.positions[:, 1::-1] / np.asarray(size)
    return columns_from(
        path, positions, features, atoms.arrays.get("frame"), size, {"table": path.name, "image": {"shape": shape}}
    )
