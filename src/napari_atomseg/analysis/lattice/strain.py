r"""Strain and rotation about each column, by local least squares on one sublattice.

The displacements of the sublattice's columns around are fitted by a constant and a gradient,

.. math:: u(X_j) = u_0 + G \, (X_j - X_i),

where X are sites of the undistorted reference lattice; the infinitesimal strain is the symmetric part of G, the rotation the
antisymmetric one (as Galindo et al., Ultramicroscopy 107 (2007) 1186, from positions). Only one sublattice is used, since
polar displacements of the other one would look like strain at domain walls. At columns of other sublattices the same fit is
made about their own site, so that nothing has to be interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_atomseg.analysis.lattice.indexed import Indexed
from napari_atomseg.core.errors import AtomsegError

_PARAMETERS = 3  # along each axis: a constant and two slopes
_FEWEST = 4  # columns in a local fit
_FLATTEST = 0.05  # ratio of the second moments of the surroundings: fits on a line have no gradient across it


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalFit:
    """Displacement gradients about columns.

    Attributes
    ----------
    gradient : ndarray, shape (N, 2, 2)
        Entry (c, a) is the derivative of displacement c along axis a, both in the order (y, x); NaN where too few columns
        of the sublattice are near.
    variance : ndarray, shape (N, 2, 2)
        Variance of each entry.
    excess : float
        Root of the usual square sum of the fits' residuals for each degree of freedom, in units of the errors of the
        positions; of errors that are not known, the scatter itself in Angstrom.
    """

    gradient: np.ndarray
    variance: np.ndarray
    excess: float

    def scaled(self, factor: float) -> LocalFit:
        """The same for errors of the positions that are larger by a factor."""
        return replace(self, variance=self.variance * factor**2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Strain:
    """Strain and rotation, with one standard deviation of each: arrays of shape (N, 4) in the order xx, yy, xy, rotation."""

    values: np.ndarray
    std: np.ndarray


def local_fit(grain: Indexed, reference: np.ndarray, sublattice: int, window: float) -> LocalFit:
    """Displacement gradients about each column of a grain.

    Parameters
    ----------
    grain : Indexed
    reference : ndarray, shape (2, 2), Angstrom
        Vectors of the undistorted lattice, one (y, x) in each row.
    sublattice : int
        Row of the motif whose columns are fitted.
    window : float
        Radius of the surroundings in units of the root of the cell's area.

    Raises
    ------
    AtomsegError
        If nowhere enough columns of the sublattice are near each other.
    """
    table, low = grain.table()
    places = (grain.indices + grain.motif[grain.site]) @ reference
    moved = grain.positions - places
    known = np.isfinite(grain.std).all(axis=1)
    std = np.where(known[:, None], grain.std, 1.0) if known.any() else np.ones_like(grain.std)
    weight = 1.0 / np.mean(std**2, axis=1)
    weight = np.where(known | (not known.any()), weight / np.median(weight), 0.0)
    gradient, variance = np.full((len(places), 2, 2), np.nan), np.full((len(places), 2, 2), np.nan)
    excess = np.nan
    radius = window * np.sqrt(abs(np.linalg.det(reference)))
    for site in range(len(grain.motif)):
        rows = np.flatnonzero(grain.site == site)
        steps = _steps(grain.motif[sublattice] - grain.motif[site], reference, radius)
        near = table[(sublattice, *np.moveaxis(grain.indices[rows][:, None] + steps - low, -1, 0))]
        weights = np.where(near >= 0, weight[near], 0.0)
        offsets = (steps + grain.motif[sublattice] - grain.motif[site]) @ reference
        found, spread, squares = _solve(offsets, weights, moved[near], std[near])
        gradient[rows], variance[rows] = found, spread
        if site == sublattice:
            excess = squares
    if not np.isfinite(gradient).any():
        raise AtomsegError(
            f"strain needs {_FEWEST} or more columns of sublattice {sublattice} around a column, not in one row; "
            "choose a wider window or a larger image"
        )
    return LocalFit(gradient=gradient, variance=variance, excess=excess)


def strain_of(fit: LocalFit) -> Strain:
    """Strain and rotation from displacement gradients; errors of y and x count as independent.

    Parameters
    ----------
    fit : LocalFit
    """
    g, v = fit.gradient, fit.variance
    cross = (v[:, 1, 0] + v[:, 0, 1]) / 4
    values = [g[:, 1, 1], g[:, 0, 0], (g[:, 1, 0] + g[:, 0, 1]) / 2, (g[:, 0, 1] - g[:, 1, 0]) / 2]
    return Strain(values=np.stack(values, axis=1), std=np.sqrt(np.stack([v[:, 1, 1], v[:, 0, 0], cross, cross], axis=1)))


def _steps(shift: np.ndarray, reference: np.ndarray, radius: float) -> np.ndarray:
    """Cells (M, 2) whose site at a shift lies within the radius."""
    reach = int(np.ceil(radius / np.sqrt(abs(np.linalg.det(reference))))) + 2
    cells = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
    length = np.linalg.norm((cells + shift) @ reference, axis=1)
    return np.asarray(cells[length <= radius + 1e-9])


def _solve(offsets: np.ndarray, weights: np.ndarray, moved: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Gradients (n, 2, 2), their variances, and the root of the usual reduced square sum, of fits with weights (n, K)."""
    design = np.column_stack([np.ones(len(offsets)), offsets])
    outer = design[:, :, None] * design[:, None]
    normal = np.einsum("nk,kab->nab", weights, outer)
    used = np.count_nonzero(weights, axis=1)
    middle = normal[:, 0, 1:] / np.maximum(normal[:, :1, 0], 1e-12)
    spread = normal[:, 1:, 1:] / np.maximum(normal[:, 0, 0], 1e-12)[:, None, None] - middle[:, :, None] * middle[:, None]
    moments = np.linalg.eigvalsh(spread)
    good = (used >= _FEWEST) & (moments[:, 0] > _FLATTEST * moments[:, 1])
    inverse = np.linalg.inv(np.where(good[:, None, None], normal, np.eye(_PARAMETERS)))
    right = np.einsum("nk,ka,nkc->nca", weights, design, moved)
    found = np.einsum("nab,ncb->nca", inverse, right)
    error = np.einsum("nk,nkc,kab->ncab", weights**2, std**2, outer)
    covariance = np.einsum("nab,ncbd,nde->ncae", inverse, error, inverse)
    rest = moved - np.einsum("ka,nca->nkc", design, found)
    free = 2 * (used - _PARAMETERS)
    squares = np.sum(np.where(weights[..., None] > 0, (rest / std) ** 2, 0.0), axis=(1, 2))
    full = good & (used >= 0.8 * used.max(initial=0))
    gradient = np.where(good[:, None, None], found[:, :, 1:], np.nan)
    variance = np.where(good[:, None, None], np.diagonal(covariance, axis1=2, axis2=3)[:, :, 1:], np.nan)
    return gradient, variance, _usual(squares[full], free[full])


def _usual(squares: np.ndarray, free: np.ndarray) -> float:
    """Root of the median of reduced square sums, for a Gaussian scatter (Wilson and Hilferty 1931); NaN for none."""
    some = free > 0
    if not some.any():
        return float("nan")
    return float(np.sqrt(np.median(squares[some] / (free[some] * (1 - 2 / (9 * free[some])) ** 3))))
