"""Columns out of what a table holds: known names mended, rows without a position left out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import FEATURES, FITS, ORIGINS, Columns
from napari_atomseg.core.errors import AtomsegWarning


def columns_from(
    path: Path,
    positions: np.ndarray,
    features: pd.DataFrame,
    frame: np.ndarray | None,
    pixel_size: tuple[float, ...] | None,
    described: dict[str, Any],
) -> Columns:
    """Columns with known names mended and positions that are none dropped.

    Parameters
    ----------
    path : Path
        Of the table, for messages.
    positions : ndarray, shape (N, 2), px, (y, x)
    features : DataFrame, N rows
    frame : ndarray of int, shape (N,), or None
    pixel_size : tuple of float, Angstrom, (y, x), or None
    described : dict
        What becomes the provenance.
    """
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
