r"""Strain and rotation about each column, by local least squares on one sublattice.

The displacements of the sublattice's columns around are fitted by a constant and a gradient,

.. math:: u(X_j) = u_0 + G \, (X_j - X_i),

where X are sites of the undistorted reference lattice; the infinitesimal strain is the symmetric part of G, the rotation the
antisymmetric one (as Galindo et al., Ultramicroscopy 107 (2007) 1186, from positions). Only one sublattice is used, since
polar displacements of the other one would look like strain at domain walls. At columns of other sublattices the same fit is
made about their own site, so that nothing has to be interpolated.

At borders and beside empty sites the fit reaches out for as many columns as elsewhere: on one side only, the same window would be
three times as noisy. There the curvature of u would be taken for slope; so second-order terms are fitted too, and held to the
size that they have in the inner of the grain (ridge regression with a known prior, Hoerl and Kennard, Technometrics 12 (1970)
55), which then counts in the errors. In full surroundings these terms do not disturb the slopes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_atomseg.analysis.lattice.indexed import Indexed
from napari_atomseg.core.errors import AtomsegError

_PARAMETERS = 3  # along each axis: a constant and two slopes
_SECOND_ORDER = 3  # further terms
_WORST_CONDITION = 1e10  # of the normal matrix of a fit
_INDEPENDENT = 2.0  # fits of second-order terms for each set of columns
_LEAST_LEFT = 0.05  # of a variance, where nearly all columns are in one fit
_FEWEST = 4  # columns in a local fit
_WIDEST = 2.0  # times the window: so far a fit reaches for as many columns at a border as elsewhere; in a corner just enough
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


def local_fit(grain: Indexed, reference: np.ndarray | None, sublattice: int, window: float) -> LocalFit:
    """Displacement gradients about each column of a grain.

    Parameters
    ----------
    grain : Indexed
    reference : ndarray, shape (2, 2), Angstrom, or None
        Vectors of the undistorted lattice, one (y, x) in each row; None for the mean ones of the grain, which leave strains
        a smaller error, as they were fitted to the same columns.
    sublattice : int
        Row of the motif whose columns are fitted.
    window : float
        Radius of the surroundings in units of the root of the cell's area; at borders it is up to twice as large.

    Raises
    ------
    AtomsegError
        If nowhere enough columns of the sublattice are near each other.
    """
    table, low = grain.table()
    against_mean = reference is None
    reference = grain.basis if reference is None else reference
    places = (grain.indices + grain.motif[grain.site]) @ reference
    moved = grain.positions - places
    known = np.isfinite(grain.std).all(axis=1)
    std = np.where(known[:, None], grain.std, 1.0) if known.any() else np.ones_like(grain.std)
    weight = np.where(known | (not known.any()), 1.0 / np.mean(std**2, axis=1), 0.0)
    around = _Surroundings(table=table[sublattice], low=low, motif=grain.motif, sublattice=sublattice, reference=reference)
    radius = window * np.sqrt(abs(np.linalg.det(reference)))
    excess, bend = _how_it_bends(grain, around, radius, weight, moved, std)
    gradient, variance = np.full((len(places), 2, 2), np.nan), np.full((len(places), 2, 2), np.nan)
    for site in range(len(grain.motif)):
        rows = np.flatnonzero(grain.site == site)
        whole, near = around.of(site, grain.indices[rows], radius)
        short = np.any(near < 0, axis=1)
        for some, reach in ((~short, radius), (short, _WIDEST * radius)):
            if some.any():
                offsets, near = around.of(site, grain.indices[rows[some]], reach)
                weights = np.where(_nearest(near >= 0, np.hypot(*offsets.T), len(whole)), weight[near], 0.0)
                gradient[rows[some]], variance[rows[some]] = _solve(offsets, weights, moved[near], std[near], bend)
    if not np.isfinite(gradient).any():
        raise AtomsegError(
            f"strain needs {_FEWEST} or more columns of sublattice {sublattice} around a column, not in one row; "
            "choose a wider window or a larger image"
        )
    if against_mean:
        variance = _less(variance, _of_mean(places, std, grain.site == sublattice))
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Surroundings:
    """Columns of one sublattice around sites of any: table (U, V) of rows, and the cell of its first entry."""

    table: np.ndarray
    low: np.ndarray
    motif: np.ndarray
    sublattice: int
    reference: np.ndarray

    def of(self, site: int, cells: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Offsets (K, 2), Angstrom, from a site within a radius, and the rows (n, K) there about cells (n, 2); -1 for none."""
        shift = self.motif[self.sublattice] - self.motif[site]
        reach = int(np.ceil(radius / np.sqrt(abs(np.linalg.det(self.reference))))) + 2
        steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
        offsets = (steps + shift) @ self.reference
        near = np.hypot(*offsets.T) <= radius + 1e-9
        return offsets[near], _held(self.table, cells[:, None] + steps[near] - self.low)


def _how_it_bends(
    grain: Indexed, around: _Surroundings, radius: float, weight: np.ndarray, moved: np.ndarray, std: np.ndarray
) -> tuple[float, np.ndarray]:
    """Excess of the scatter, and the usual squares (2, 3) of the second-order terms of both displacements in units of its square.

    From the columns of the sublattice whose surroundings are all there: about them second-order terms do not disturb slopes.
    """
    rows = np.flatnonzero(grain.site == around.sublattice)
    offsets, near = around.of(around.sublattice, grain.indices[rows], radius)
    used = np.count_nonzero(near >= 0, axis=1)
    near = near[used == used.max(initial=0)]
    weights = np.where(near >= 0, weight[near], 0.0)
    if not len(near) or len(offsets) < 2 * _SECOND_ORDER:
        return float("nan"), np.zeros((2, 3))
    excess = _scatter(offsets, weights, moved[near], std[near])
    if np.any(used.max() < len(offsets)) or not np.isfinite(excess):
        return excess, np.zeros((2, 3))
    design = _design(offsets)
    normal = np.einsum("nk,ka,kb->nab", weights, design, design)
    good = np.linalg.cond(normal) < _WORST_CONDITION
    inverse = np.linalg.inv(normal[good])
    terms = np.einsum("nab,nk,kb,nkc->nca", inverse, weights[good], design, moved[near[good]], optimize=True)[..., 3:]
    noise = np.mean(np.diagonal(inverse, axis1=1, axis2=2)[:, None, 3:], axis=0) * excess**2
    squares = np.mean(terms**2, axis=0)
    # Windows overlap: so many of them are independent of each other. What is within their scatter is no bend.
    free = max(_INDEPENDENT * len(terms) / len(offsets), 1.0)
    return excess, np.where(squares > noise * (1 + np.sqrt(2 / free)), squares - noise, 0.0) / max(excess, 1e-12) ** 2


def _of_mean(places: np.ndarray, std: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Variances (2, 2) of the gradient of the mean lattice, which was fitted to some of the columns with equal weights."""
    apart = places[own] - places[own].mean(axis=0)
    slopes = apart @ np.linalg.inv(apart.T @ apart)
    return np.asarray((std[own] ** 2).T @ slopes**2)


def _less(variance: np.ndarray, of_mean: np.ndarray) -> np.ndarray:
    """Variances of the differences from a mean that holds the same columns: its covariance with a part is its own variance."""
    return np.asarray(np.maximum(variance - of_mean, _LEAST_LEFT * variance))


def _design(offsets: np.ndarray) -> np.ndarray:
    """A constant, two slopes and three second-order terms at offsets (K, 2): shape (K, 6)."""
    y, x = offsets.T
    return np.column_stack([np.ones(len(offsets)), y, x, y * y, y * x, x * x])


def _held(table: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Entries of a table (U, V) at cells (..., 2); -1 beyond it."""
    inside = np.all((cells >= 0) & (cells < table.shape), axis=-1)
    found = table[tuple(np.moveaxis(np.where(inside[..., None], cells, 0), -1, 0))]
    return np.where(inside, found, -1)


def _nearest(held: np.ndarray, distance: np.ndarray, count: int) -> np.ndarray:
    """Of those held (n, K), the `count` nearest, and what is as near as the farthest of them."""
    order = np.argsort(distance, kind="stable")
    so_far = np.cumsum(held[:, order], axis=1)
    last = np.argmax(so_far >= np.minimum(count, so_far[:, -1:]), axis=1)
    return np.asarray(held & (distance <= distance[order][last][:, None] + 1e-6))


def _solve(
    offsets: np.ndarray, weights: np.ndarray, moved: np.ndarray, std: np.ndarray, bend: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients (n, 2, 2) and their variances, of fits with weights (n, K) and second-order terms of usual squares (2, 3)."""
    first = _design(offsets)[:, :_PARAMETERS]
    normal = np.einsum("nk,ka,kb->nab", weights, first, first)
    used = np.count_nonzero(weights, axis=1)
    middle = normal[:, 0, 1:] / np.maximum(normal[:, :1, 0], 1e-300)
    spread = normal[:, 1:, 1:] / np.maximum(normal[:, 0, 0], 1e-300)[:, None, None] - middle[:, :, None] * middle[:, None]
    moments = np.linalg.eigvalsh(spread)
    good = (used >= _FEWEST) & (moments[:, 0] > _FLATTEST * moments[:, 1])
    gradient, variance = np.full((len(weights), 2, 2), np.nan), np.full((len(weights), 2, 2), np.nan)
    weights, moved, std = weights[good], moved[good], std[good]
    for along in (0, 1):
        # Terms that are 0 everywhere are left out of the fit.
        kept = np.append([True] * _PARAMETERS, bend[along] > 0)
        design = _design(offsets)[:, kept]
        prior = np.append(np.zeros(_PARAMETERS), 1.0 / bend[along][bend[along] > 0])
        normal = np.einsum("nk,ka,kb->nab", weights, design, design, optimize=True) + np.diag(prior)
        inverse = np.linalg.inv(normal)
        found = np.einsum("nab,nk,kb,nk->na", inverse, weights, design, moved[..., along], optimize=True)
        error = np.einsum("nk,ka,kb->nab", weights**2 * std[..., along] ** 2, design, design, optimize=True) + np.diag(prior)
        covariance = np.einsum("nab,nbc,ncd->nad", inverse, error, inverse, optimize=True)
        gradient[good, along] = found[:, 1:_PARAMETERS]
        variance[good, along] = np.diagonal(covariance, axis1=1, axis2=2)[:, 1:_PARAMETERS]
    return gradient, variance


def _scatter(offsets: np.ndarray, weights: np.ndarray, moved: np.ndarray, std: np.ndarray) -> float:
    """Root of the usual reduced square sum about gradients; NaN for none."""
    design = _design(offsets)[:, :_PARAMETERS]
    normal = np.einsum("nk,ka,kb->nab", weights, design, design)
    good = np.linalg.cond(normal) < _WORST_CONDITION
    weights, moved, std = weights[good], moved[good], std[good]
    found = np.einsum("nab,nk,kb,nkc->nca", np.linalg.inv(normal[good]), weights, design, moved, optimize=True)
    rest = moved - np.einsum("ka,nca->nkc", design, found)
    squares = np.sum(np.where(weights[..., None] > 0, (rest / std) ** 2, 0.0), axis=(1, 2))
    return _usual(squares, 2 * (np.count_nonzero(weights, axis=1) - _PARAMETERS))


def _usual(squares: np.ndarray, free: np.ndarray) -> float:
    """Root of the median of reduced square sums, for a Gaussian scatter (Wilson and Hilferty 1931); NaN for none."""
    some = free > 0
    if not some.any():
        return float("nan")
    return float(np.sqrt(np.median(squares[some] / (free[some] * (1 - 2 / (9 * free[some])) ** 3))))
