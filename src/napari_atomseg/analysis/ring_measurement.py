"""The analysis ``rings``: bonds and polygons of a sheet of carbon, frame by frame, as features, tables and numbers."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.analysis.measurement import Measurement
from napari_atomseg.analysis.sheet import SheetMeasures, measure_sheet
from napari_atomseg.core.columns import NEIGHBOURS, NETWORK_STD, Columns
from napari_atomseg.core.jobs import Progress


def measure_rings(columns: Columns, shape: tuple[int, int], size: tuple[float, float]) -> Generator[Progress, None, Measurement]:
    """Bonds and polygons of a sheet: feature ``neighbours``, tables ``rings`` and ``bonds``.

    Parameters
    ----------
    columns : Columns
        Of one image or of every frame of a stack.
    shape : tuple of int, px
        (Y, X) of the image.
    size : tuple of float, Angstrom, (y, x)
        Pixel size.
    """
    height, width = (side * one for side, one in zip(shape, size, strict=True))
    frames = np.unique(columns.frame)
    neighbours = np.zeros(len(columns), int)
    parts: list[tuple[int, np.ndarray, SheetMeasures]] = []
    for done, frame in enumerate(frames):
        yield Progress(done, len(frames), "looking for rings")
        rows = np.flatnonzero(columns.frame == frame)
        found = measure_sheet(columns.positions[rows] * np.array(size), (height, width))
        neighbours[rows] = found.neighbours
        parts.append((int(frame), rows, found))
    numbers = [{"frame": frame, **found.numbers()} for frame, _, found in parts]
    return Measurement(
        columns=columns.with_features(**{NEIGHBOURS: neighbours}),
        tables={"rings": ring_table(parts, size), "bonds": bond_table(parts, columns, size)},
        numbers=dict(numbers[0]) if len(numbers) == 1 else {"frames": numbers},
        summary=summary_of(numbers[0]) if len(numbers) == 1 else f"{len(numbers)} frames measured",
    )


def summary_of(numbers: Mapping[str, Any]) -> str:
    """The numbers of one image in one line."""
    sizes = ", ".join(f"{numbers[f'rings_of_{size}']} of {size}" for size in (5, 6, 7, 8))
    bond = numbers["bond_length_angstrom"]
    bonds = f", bonds of {bond:.3f} ± {numbers['bond_length_angstrom_std']:.3f} Å" if bond is not None else ""
    return f"rings: {sizes}, {numbers['rings_of_others']} others; {numbers['missing_atoms']} atoms missing{bonds}"


def ring_table(parts: Sequence[tuple[int, np.ndarray, SheetMeasures]], size: tuple[float, float]) -> pd.DataFrame:
    """One row for each polygon: its corners as numbers of rows of the table of columns, from 0, and the atoms it has room for.

    Parameters
    ----------
    parts : sequence of (int, ndarray of int, SheetMeasures)
        Frame, the rows of the table of columns in it, and what was measured of them.
    size : tuple of float, Angstrom, (y, x)
        Pixel size.
    """
    rows = [
        {
            "size": ring.size,
            "y_px": ring.centre[0] / size[0],
            "x_px": ring.centre[1] / size[1],
            "atoms": " ".join(str(one) for one in which[ring.atoms]),
            "missing_atoms": missing,
            "frame": frame,
        }
        for frame, which, found in parts
        for ring, missing in zip(found.rings, found.missing, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["size", "y_px", "x_px", "atoms", "missing_atoms", "frame"])
    table.insert(0, "ring", np.arange(len(table)))
    return table


def bond_table(
    parts: Sequence[tuple[int, np.ndarray, SheetMeasures]], columns: Columns, size: tuple[float, float]
) -> pd.DataFrame:
    """One row for each bond: the rows of its ends, its length and how well that is known, its middle.

    Parameters
    ----------
    parts : sequence of (int, ndarray of int, SheetMeasures)
        Frame, the rows of the table of columns in it, and what was measured of them.
    columns : Columns
    size : tuple of float, Angstrom, (y, x)
        Pixel size.
    """
    doubt = doubt_of_places(columns) * float(np.sqrt(size[0] * size[1]))
    tables = []
    for frame, which, found in parts:
        ends = which[found.bonds]
        middle = columns.positions[ends].mean(axis=1)
        tables.append(
            pd.DataFrame(
                {
                    "first": ends[:, 0],
                    "second": ends[:, 1],
                    "length_angstrom": found.lengths,
                    "length_angstrom_std": np.hypot(doubt[ends[:, 0]], doubt[ends[:, 1]]),
                    "y_px": middle[:, 0],
                    "x_px": middle[:, 1],
                    "frame": frame,
                }
            )
        )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def doubt_of_places(columns: Columns) -> np.ndarray:
    """Standard deviation of each position along one axis, px: that of the fit, else what a network's map says; shape (N,)."""
    table = columns.features
    fitted = np.sqrt((table["y_std_px"].to_numpy(float) ** 2 + table["x_std_px"].to_numpy(float) ** 2) / 2)
    network_std = table[NETWORK_STD].to_numpy(float) if NETWORK_STD in table else np.full(len(columns), np.nan)
    return np.asarray(np.where(np.isfinite(fitted), fitted, network_std))
