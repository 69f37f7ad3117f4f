"""Maps freed of what displaced whole scan rows, where the lattice of the columns tells it.

A network sees a dozen rows of a column and puts it where these say; rows that strayed together it cannot tell from columns
that stand there. The lattice can (:mod:`napari_atomseg.analysis.scan_rows`): where its evidence is convincing all maps are
moved, row by row, by what the rows of each height have in common. The lattice's word is a belief, like the map itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from napari_atomseg.analysis.lattice.lattice import fit_lattice
from napari_atomseg.analysis.scan_rows import estimate_scan_rows
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.inference.displaced_rows import rows_put_back
from napari_atomseg.inference.predict import Prediction

ENOUGH = 800
"""So many columns tell of the rows as well as all, in a strip down the middle of the image."""


def row_shifts(columns: Columns, height: int) -> np.ndarray | None:
    """Displacement of each row, shape (Y, 2), px, (y, x); None where nothing convinces.

    Parameters
    ----------
    columns : Columns
        As they stand in the image.
    height : int
        Rows.
    """
    columns = _strip(columns)
    try:
        found = estimate_scan_rows(columns, fit_lattice(columns))
    except AtomsegError:
        return None
    if not found.shift.any():
        return None
    order = np.argsort(columns.positions[:, 0])
    rows = np.arange(height)
    return np.stack([np.interp(rows, columns.positions[order, 0], found.shift[order, axis]) for axis in (0, 1)], axis=1)


def _strip(columns: Columns) -> Columns:
    """Enough columns, over the whole height of the image."""
    if len(columns) <= ENOUGH:
        return columns
    x = columns.positions[:, 1]
    off = np.abs(x - np.median(x))
    return columns.select(off <= np.partition(off, ENOUGH)[ENOUGH])


def straightened(prediction: Prediction, shifts: np.ndarray) -> Prediction:
    """The maps, and what the network was given, with every row where it belongs; displacements (Y', 2) in native px.

    Parameters
    ----------
    prediction : Prediction
    shifts : ndarray, shape (Y', 2), native px, (y, x)
        By which each row was displaced; it is moved back.
    """

    def moved(maps: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {task: rows_put_back(values, shifts) for task, values in maps.items()}

    image = None if prediction.image is None else rows_put_back(prediction.image, shifts)
    return replace(prediction, maps=moved(prediction.maps), spread=moved(prediction.spread), shifts=shifts, image=image)
