"""Scattering cross-sections of columns: intensity above the background, integrated over the column.

On an image in fractions of the incident beam that is an area: the probability of being scattered onto the detector, integrated
over the positions of the probe (E et al., Ultramicroscopy 133, 109 (2013)); it depends little on defocus, source size and
astigmatism.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.analysis.intensities.amplitudes import Amplitudes, fit_amplitudes
from napari_atomseg.analysis.intensities.fitted_field import Shapes, neighbour_distance
from napari_atomseg.analysis.intensities.integration import integrated
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress

OWN = 1.5
"""Places nearer than so many sigmas to a column of the table are not fitted along: nothing could tell the two apart."""
NEAREST = 0.3
"""Columns nearer than so many sigmas are one column twice."""
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
    rows = with_widths(columns, image.shape)
    shapes = shapes_of(columns.select(rows))
    along = _others(columns, rows, image.shape)
    along = along if beside is None else np.concatenate([along, beside])
    shapes = shapes.with_usual(apart_from(along, shapes.positions, OWN * float(np.median(shapes.major))))
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


def _others(columns: Columns, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Places (M, 2) of columns whose fit failed: something stands there, which is not background."""
    return columns.positions[np.setdiff1d(np.flatnonzero(_inside(columns.positions, shape)), rows)]


def apart_from(places: np.ndarray, given: np.ndarray, least: float) -> np.ndarray:
    """Places that are far from given ones and from each other.

    Parameters
    ----------
    places : ndarray, shape (M, 2), px
    given : ndarray, shape (N, 2), px
    least : float, px
        Distance; of two places that are nearer to each other the first is kept.
    """
    if len(places) == 0:
        return places
    alone = places[cKDTree(given).query(places)[0] > least] if len(given) else places
    pairs = cKDTree(alone).query_pairs(least, output_type="ndarray") if len(alone) else np.zeros((0, 2), int)
    return np.delete(alone, np.unique(pairs.max(axis=1)), axis=0) if len(pairs) else alone


def _inside(positions: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """True for places in the image; what is not known is not."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.all((positions > -1) & (positions < np.array(shape[-2:])), axis=1))


def with_widths(columns: Columns, shape: tuple[int, ...]) -> np.ndarray:
    """Columns (K,) in the image whose width is known and whose fit did not fail; of two on one place the first.

    Parameters
    ----------
    columns : Columns
    shape : tuple of int
        (..., Y, X) of the image.

    Raises
    ------
    AtomsegError
        If there are none.
    """
    sigma = columns.features["sigma_px"].to_numpy(float)
    known = _inside(columns.positions, shape) & (sigma > 0) & (columns.features["fit"] != "failed").to_numpy()
    if not known.any():
        raise AtomsegError("no column has a width, which cross-sections need; refine the columns first")
    rows = np.flatnonzero(known)
    pairs = cKDTree(columns.positions[rows]).query_pairs(NEAREST * float(np.median(sigma[rows])), output_type="ndarray")
    return np.delete(rows, np.unique(pairs.max(axis=1))) if len(pairs) else rows


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
