"""Scattering cross-sections of columns: intensity above the background, integrated over the column.

On an image in fractions of the incident beam that is an area: the probability of being scattered onto the detector, integrated
over the positions of the probe (E et al., Ultramicroscopy 133, 109 (2013)); it depends little on defocus, source size and
astigmatism.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from napari_atomseg.analysis.intensities.amplitudes import Amplitudes, Shapes, fit_amplitudes, neighbour_distance
from napari_atomseg.analysis.intensities.integration import integrated
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress

RADII = {"disc": 0.5, "voronoi": 0.75}
"""Radius in distances of neighbours, where none is given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CrossSections:
    """Cross-sections of the columns of one image.

    Attributes
    ----------
    values, std : ndarray, shape (N,)
        Intensity times A2; NaN for columns without a fit.
    fitted : Amplitudes
        Of the columns in `rows`, and of those beside the table after them.
    rows : ndarray of int, shape (K,)
        Columns that were fitted.
    """

    values: np.ndarray
    std: np.ndarray
    fitted: Amplitudes
    rows: np.ndarray


def cross_sections(
    image: np.ndarray,
    columns: Columns,
    size: tuple[float, float],
    params: IntensityParams,
    beside: np.ndarray | None = None,
) -> Generator[Progress, None, CrossSections]:
    """Measure the cross-section of every column of one image.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    columns : Columns
        Of this image, refined.
    size : tuple of float, Angstrom, (y, x)
    params : IntensityParams
    beside : ndarray, shape (M, 2), px, optional
        Places where columns may stand that are not in the table: what they scatter is not taken for background.

    Raises
    ------
    AtomsegError
        If the columns were not refined.
    """
    rows = with_widths(columns)
    shapes = shapes_of(columns.select(rows))
    if beside is not None and len(beside):
        shapes = shapes.with_usual(beside)
    fitted = yield from fit_amplitudes(image, shapes, params.background)
    area = size[0] * size[1]
    if params.integration == "fit":
        yield Progress(0, 0, "stating uncertainties")
        found, std = fitted.volumes, fitted.volume_std()
    else:
        apart = neighbour_distance(shapes.positions)
        apart = apart if np.isfinite(apart) else 6 * float(np.median(shapes.major))
        radius = params.radius / np.sqrt(area) if params.radius else RADII[params.integration] * apart
        found, std = yield from integrated(image, fitted, float(radius), params.integration)
    values, errors = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    values[rows], errors[rows] = found[: len(rows)] * area, std[: len(rows)] * area
    return CrossSections(values=values, std=errors, fitted=fitted, rows=rows)


def with_widths(columns: Columns) -> np.ndarray:
    """Columns (K,) whose place and width are known and whose fit did not fail.

    Parameters
    ----------
    columns : Columns

    Raises
    ------
    AtomsegError
        If there are none.
    """
    sigma = columns.features["sigma_px"].to_numpy(float)
    known = np.isfinite(columns.positions).all(axis=1) & (sigma > 0) & (columns.features["fit"] != "failed").to_numpy()
    if not known.any():
        raise AtomsegError("no column has a width, which cross-sections need; refine the columns first")
    return np.flatnonzero(known)


def shapes_of(columns: Columns) -> Shapes:
    """Places and widths of columns as they were refined; round where only one width is known.

    Parameters
    ----------
    columns : Columns
        With `sigma_px`.
    """
    major, minor, theta = columns.features[["sigma_px", "sigma_minor_px", "theta_rad"]].to_numpy(float).T
    minor = np.where(minor > 0, minor, major)
    askew = ~np.isfinite(theta)
    same_area = np.sqrt(major * minor)
    return Shapes(
        positions=columns.positions,
        major=np.where(askew, same_area, major),
        minor=np.where(askew, same_area, minor),
        theta=np.where(askew, 0.0, theta),
    )
