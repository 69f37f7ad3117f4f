"""What columns and structures say once they are found: new features, tables of other things than columns, and numbers."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.columns import NEIGHBOURS, NETWORK_STD, Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph

if TYPE_CHECKING:
    import pandas as pd

    from napari_atomseg.analysis.sheet import SheetMeasures

WHAT = ("rings",)
"""What can be measured."""


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
        Of the whole image by name; of a stack a list, one entry a frame.
    """

    columns: Columns
    tables: Mapping[str, pd.DataFrame]
    numbers: Mapping[str, Any]


@job
def measure(micrograph: Micrograph, columns: Columns, *, what: Sequence[str] = WHAT) -> Generator[Progress, None, Measurement]:
    """Measure columns of a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        In its pixels.
    what : sequence of str
        Of :data:`WHAT`. ``rings``: bonds and polygons of a sheet of carbon; new feature ``neighbours``, tables ``rings`` and
        ``bonds``.

    Raises
    ------
    AtomsegError
        If something else is asked for.
    MissingCalibrationError
        If the pixel size is unknown.
    """
    from napari_atomseg.analysis.sheet import measure_sheet

    unknown = [name for name in what if name not in WHAT]
    if unknown or not what:
        raise AtomsegError(f"{' and '.join(unknown) or 'nothing'} cannot be measured; choose of {', '.join(WHAT)}")
    size = micrograph.pixel_size or columns.pixel_size
    if size is None:
        raise MissingCalibrationError(f"{micrograph.name}: bonds are lengths, and the pixel size is unknown; set it first")
    height, width = (side * one for side, one in zip(micrograph.shape[-2:], size, strict=True))
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
    tables = {"rings": ring_table(parts, size), "bonds": bond_table(parts, columns, size)}
    of_all = dict(numbers[0]) if len(numbers) == 1 else {"frames": numbers}
    return Measurement(columns=columns.with_features(**{NEIGHBOURS: neighbours}), tables=tables, numbers=of_all)


def ring_table(parts: Sequence[tuple[int, np.ndarray, SheetMeasures]], size: tuple[float, float]) -> pd.DataFrame:
    """One row for each polygon: its corners as numbers of rows of the table of columns, from 0, and the atoms it has room for.

    Parameters
    ----------
    parts : sequence of (int, ndarray of int, SheetMeasures)
        Frame, the rows of the table of columns in it, and what was measured of them.
    size : tuple of float, Angstrom, (y, x)
        Pixel size.
    """
    import pandas as pd

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
    import pandas as pd

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
    told = table[NETWORK_STD].to_numpy(float) if NETWORK_STD in table else np.full(len(columns), np.nan)
    return np.asarray(np.where(np.isfinite(fitted), fitted, told))
