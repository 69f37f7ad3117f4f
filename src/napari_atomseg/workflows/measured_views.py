"""What was measured, as it is looked at: along a direction, as an image, and beside the phases of the image itself."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.columns import SUBLATTICE, Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph

if TYPE_CHECKING:
    import pandas as pd

    from napari_atomseg.analysis.phase_analysis import PhaseStrain


def profile_feature(
    columns: Columns,
    name: str,
    angle_deg: float = 0.0,
    *,
    frame: int = 0,
    step: float | None = None,
    sublattice: int | None = None,
) -> pd.DataFrame:
    """A feature along a direction, averaged across it; see :func:`napari_atomseg.analysis.feature_profile.feature_profile`.

    Parameters
    ----------
    columns : Columns
        With a pixel size.
    name : str
        Of a feature that is a number.
    angle_deg : float
        Direction of the profile, degrees from +x clockwise on the screen.
    frame : int
    step : float, Angstrom, optional
        Width of a strip.
    sublattice : int, optional
        Only its columns.

    Returns
    -------
    DataFrame
        ``distance_angstrom``, ``mean``, ``mean_std``, ``columns``.

    Raises
    ------
    AtomsegError
        If there is no such feature, or too few columns have it.
    """
    from math import radians

    from napari_atomseg.analysis.feature_profile import feature_profile

    rows = _of(columns, frame, sublattice)
    part = columns.select(rows)
    return feature_profile(part.positions_angstrom, _number(part, name), radians(angle_deg), step)


def profile_distances(
    columns: Columns, name: str, angle_deg: float = 0.0, *, frame: int = 0, sublattice: int | None = None
) -> np.ndarray:
    """Where each column is along the profile of a feature, by which columns of a part of it are selected.

    Parameters
    ----------
    columns, name, angle_deg, frame, sublattice
        As of :func:`profile_feature`.

    Returns
    -------
    ndarray, shape (N,), Angstrom
        NaN of columns that the profile leaves out.
    """
    from math import radians

    from napari_atomseg.analysis.feature_profile import profile_distance

    rows = _of(columns, frame, sublattice)
    part = columns.select(rows)
    distance = np.full(len(columns), np.nan)
    distance[rows] = profile_distance(part.positions_angstrom, _number(part, name), radians(angle_deg))
    return distance


def _of(columns: Columns, frame: int, sublattice: int | None) -> np.ndarray:
    """Rows of the columns of a frame, and of one sublattice if it is given."""
    mine = columns.frame == frame
    if sublattice is not None:
        mine &= _number(columns, SUBLATTICE) == sublattice
    return np.flatnonzero(mine)


@job
def image_strain(
    micrograph: Micrograph, columns: Columns, *, frame: int = 0, width: float = 1.0
) -> Generator[Progress, None, PhaseStrain]:
    """Strain and rotation of the image itself by geometric phase analysis, beside those of the columns.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        Whose lattice tells the two waves.
    frame : int
    width : float
        See :func:`napari_atomseg.analysis.phase_analysis.phase_strain`.

    Returns
    -------
    PhaseStrain
        Maps of shape (Y, X), without errors.

    Raises
    ------
    AtomsegError
        If columns or image show no lattice.
    """
    from napari_atomseg.analysis.lattice.lattice import fit_lattice
    from napari_atomseg.analysis.phase_analysis import phase_strain

    yield Progress(0, 0, "fitting the lattice")
    basis = fit_lattice(columns.of_frame(frame)).basis
    yield Progress(0, 0, "measuring phases")
    return phase_strain(micrograph.frame(frame), basis, width)


def _number(columns: Columns, name: str) -> np.ndarray:
    """Values of a feature that is a number."""
    if name not in columns.features or columns.features[name].dtype.kind not in "fiub":
        raise AtomsegError(f"the columns have no number {name}; measure it first, or choose another feature")
    return columns.features[name].to_numpy(float)


@job
def map_feature(columns: Columns, name: str, shape: tuple[int, int], *, frame: int = 0) -> Generator[Progress, None, np.ndarray]:
    """A feature of the columns of one frame as an image; see :func:`napari_atomseg.analysis.feature_map.feature_map`.

    Parameters
    ----------
    columns : Columns
    name : str
        Of a feature that is a number.
    shape : tuple of int, px
        (Y, X) of the image.
    frame : int

    Returns
    -------
    image : ndarray, shape (Y, X)
        In the unit of the feature; NaN away from columns.

    Raises
    ------
    AtomsegError
        If there is no such feature, or too few columns have it.
    """
    from napari_atomseg.analysis.feature_map import feature_map

    yield Progress(0, 0, "drawing the map")
    part = columns.of_frame(frame)
    return feature_map(part.positions, _number(part, name), shape)


@job
def map_vectors(
    columns: Columns, names: tuple[str, str], shape: tuple[int, int], *, frame: int = 0, without: int | None = None
) -> Generator[Progress, None, np.ndarray]:
    """Vectors of the columns of one frame as two images, between the columns interpolated linearly.

    Parameters
    ----------
    columns : Columns
    names : tuple of str
        Features with the (y, x) components.
    shape : tuple of int, px
        (Y, X) of the image.
    frame : int
    without : int, optional
        A sublattice whose columns are left out.

    Returns
    -------
    planes : ndarray, shape (Y, X, 2), (y, x)
        In the unit of the features; NaN away from columns.

    Raises
    ------
    AtomsegError
        If there are no such features, or too few columns have them.
    """
    from napari_atomseg.analysis.feature_map import feature_map

    yield Progress(0, 0, "drawing the map")
    part = columns.of_frame(frame)
    if without is not None:
        part = part.select(_number(part, SUBLATTICE) != without)
    return np.stack([feature_map(part.positions, _number(part, name), shape) for name in names], axis=-1)


@job
def map_cells(cells: pd.DataFrame, name: str, shape: tuple[int, int], *, frame: int = 0) -> Generator[Progress, None, np.ndarray]:
    """A number of the unit cells of one frame as an image, between the middles of the cells.

    Parameters
    ----------
    cells : DataFrame
        The table ``cells`` of :func:`measure`.
    name : str
        Of a column of it, such as ``a_angstrom`` or ``tilt_deg``.
    shape : tuple of int, px
        (Y, X) of the image.
    frame : int

    Returns
    -------
    image : ndarray, shape (Y, X)
        In the unit of the number; NaN away from cells.

    Raises
    ------
    AtomsegError
        If too few cells have it.
    """
    from napari_atomseg.analysis.feature_map import feature_map

    yield Progress(0, 0, "drawing the map")
    mine = cells[cells["frame"] == frame]
    return feature_map(mine[["y_px", "x_px"]].to_numpy(float), mine[name].to_numpy(float), shape)
