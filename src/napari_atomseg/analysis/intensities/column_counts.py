"""Atoms counted in a table of columns that has cross-sections."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_atomseg.analysis.frame_sites import sites_of_frames
from napari_atomseg.analysis.intensities.counting import Counted, count_atoms, count_frames
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.columns import ATOM_COUNT, COUNT_PROBABILITY, CROSS_SECTION, Columns, std_of
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress


def count_columns(
    columns: Columns, params: IntensityParams, library: np.ndarray | None = None
) -> Generator[Progress, None, tuple[Columns, Counted]]:
    """Columns with their numbers of atoms, those of several frames followed through time.

    Parameters
    ----------
    columns : Columns
        With cross-sections.
    params : IntensityParams
    library : ndarray, shape (L,), optional

    Raises
    ------
    AtomsegError
        If they have no cross-sections, or cannot be counted.
    """
    if CROSS_SECTION not in columns.features:
        raise AtomsegError("the columns have no cross-sections; measure them first")
    values, std = (columns.features[name].to_numpy(float) for name in (CROSS_SECTION, std_of(CROSS_SECTION)))
    if len(np.unique(columns.frame)) > 1:
        yield Progress(0, 0, "following columns through the frames")
        counted = yield from count_frames(values, std, columns.frame, sites_of_frames(columns), params, library)
    else:
        counted = yield from count_atoms(values, std, params, library)
    return columns.with_features(**{ATOM_COUNT: counted.count, COUNT_PROBABILITY: counted.probability}), counted
