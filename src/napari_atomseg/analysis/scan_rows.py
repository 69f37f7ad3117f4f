r"""How far the scan had strayed in each row, told from the columns that share the row, and positions freed of it.

A scanned image writes its rows one after the other; what shakes probe or specimen meanwhile displaces whole rows. A
column takes part in a dozen rows and cannot tell such a displacement from its own. All columns of these rows together can,
where the lattice says where they would stand. The residuals r of the columns from the lattice are taken for

.. math:: r_i = f_{\mathrm{site}(i)}(y_i, x_i) + s(y_i) + e_i,

with a smooth field f for each site of the motif on its own, so that sublattices may be shifted against each other, in
domains too; s common to all columns at the same height y, a Gaussian process whose correlation length and size are those
of the greatest marginal likelihood (Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), Eq. 2.30); and
what is each column's own, e. Where the likelihood does not ask for s there is none.

This is what is believed of the scan, not measured in a column: a true displacement of whole atomic rows, changing from row
to row within the smoothing length, would be taken for the scan's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from scipy import linalg

from napari_atomseg.analysis.lattice import Lattice, fit_lattice
from napari_atomseg.analysis.smooth_field import SmoothField
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity

FEWEST = 30
LENGTHS = (0.7, 1.0, 1.5, 2.2, 3.2)
"""Correlation lengths that are tried, in units of the columns' sigma: rows that a column averages over move as one."""
RATIOS = np.geomspace(0.02, 50, 14)
"""Variances of s that are tried, in units of that of e."""
CONVINCING = 10.0
"""Logarithm of the likelihood ratio that asks for s."""
KNOTS_PER_LENGTH = 2.0
OUTLIER = 3.5
PASSES = 4


@dataclass(frozen=True, kw_only=True)
class ScanRowsParams:
    """How the displacements of rows are told from the columns.

    Attributes
    ----------
    window : float
        Standard deviation, in cells, of the surroundings over which sites of one kind may move together without that
        being taken for the scan.
    """

    window: Annotated[float, Quantity(unit="cells", low=1, high=50, decimals=1)] = 3.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class ScanRows:
    """Displacements of rows.

    Attributes
    ----------
    shift : ndarray, shape (N, 2), px, (y, x)
        How far each column was displaced with its rows; 0 where nothing is known.
    std : ndarray, shape (N, 2), px
        Standard deviation of that.
    rms : ndarray, shape (2,), px
        Size of the displacements along y and x.
    share : ndarray, shape (2,)
        Share of the variance of the columns' residuals that their rows have in common.
    evidence : ndarray, shape (2,)
        Logarithm of the likelihood ratio for common displacements against none.
    """

    shift: np.ndarray
    std: np.ndarray
    rms: np.ndarray
    share: np.ndarray
    evidence: np.ndarray


def estimate_scan_rows(columns: Columns, lattice: Lattice, params: ScanRowsParams | None = None) -> ScanRows:
    """Displacements of rows, from the columns' residuals from their lattice.

    Parameters
    ----------
    columns : Columns
        Of one frame, with `sigma_px`.
    lattice : Lattice
        Of these columns.
    params : ScanRowsParams, optional

    Raises
    ------
    AtomsegError
        If fewer than thirty columns stand on a site.
    """
    params = params or ScanRowsParams()
    usable = (lattice.site >= 0) & np.isfinite(lattice.residual).all(axis=1)
    usable &= (columns.features["fit"] != "failed").to_numpy()
    if usable.sum() < FEWEST:
        raise AtomsegError(
            f"{int(usable.sum())} columns stand on a lattice, and rows can be told only from {FEWEST} or more; find more columns first"
        )
    sigma = float(columns.features["sigma_px"].median())
    if not np.isfinite(sigma):
        sigma = 0.2 * lattice.site_distance
    positions = columns.positions
    reach = params.window * float(np.sqrt(abs(np.linalg.det(lattice.basis))))
    # A column's own error must not choose the rows that are asked to explain it: the site does.
    positions = np.where(np.isfinite(lattice.residual), positions - lattice.residual, positions)
    results = [_along(positions, lattice.residual[:, axis], lattice.site, usable, sigma, reach) for axis in (0, 1)]
    shift, std, rms, share, evidence = (np.array(values) for values in zip(*results, strict=True))
    return ScanRows(shift=shift.T, std=std.T, rms=rms, share=share, evidence=evidence)


def straighten_rows(columns: Columns, params: ScanRowsParams | None = None) -> tuple[Columns, ScanRows]:
    """Columns freed of the displacements of their rows, and these.

    The positions change by `scan_shift_y_px`, `scan_shift_x_px`, which are kept as features: adding them gives back what
    was measured. The standard deviations take up those of the shifts.

    Raises
    ------
    AtomsegError
        If no lattice is found, or too few columns stand on it.
    """
    rows = estimate_scan_rows(columns, fit_lattice(columns), params)
    std = np.hypot(columns.features[["y_std_px", "x_std_px"]].to_numpy(dtype=float), rows.std)
    freed = columns.with_features(
        y_std_px=std[:, 0], x_std_px=std[:, 1], scan_shift_y_px=rows.shift[:, 0], scan_shift_x_px=rows.shift[:, 1]
    )
    return replace(freed, positions=columns.positions - rows.shift), rows


def _along(
    positions: np.ndarray, residual: np.ndarray, site: np.ndarray, usable: np.ndarray, sigma: float, reach: float
) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """Shift (N,), its deviation (N,), rms, share and evidence along one axis."""
    count = len(positions)
    shift, deviation = np.zeros(count), np.zeros(count)
    kept = usable.copy()
    best = None
    for _ in range(PASSES):
        own = _fields(positions, residual - shift, site, kept, reach)
        left = residual - own
        kept = usable & _regular(left - shift, usable)
        best = _process(positions[kept, 0], left[kept], sigma)
        shift, deviation = best.at(positions[:, 0])
    assert best is not None
    spread = float(np.var(residual[kept]))
    rms = float(np.sqrt(np.mean(shift[kept] ** 2)))
    return shift, deviation, rms, min(1.0, rms**2 / spread) if spread > 0 else 0.0, best.evidence


def _fields(positions: np.ndarray, values: np.ndarray, site: np.ndarray, kept: np.ndarray, reach: float) -> np.ndarray:
    """Mean of the values around each column over columns of its own kind, shape (N,)."""
    found = np.zeros(len(positions))
    field = SmoothField(positions, reach / 2, reach)
    for kind in np.unique(site[kept]):
        mine = site == kind
        mean = field.mean(positions[kept & mine], values[kept & mine, None], positions[mine])
        found[mine] = np.nan_to_num(mean[:, 0])
    return found


def _regular(values: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """False for outliers, shape (N,)."""
    spread = 1.4826 * np.median(np.abs(values[usable] - np.median(values[usable])))
    return np.asarray(np.abs(values - np.median(values[usable])) <= max(OUTLIER * spread, 1e-9))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Process:
    """A Gaussian process on knots along y, given values with noise."""

    knots: np.ndarray
    weights: np.ndarray
    covariance: np.ndarray
    length: float
    evidence: float

    def at(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation at heights y, each (M,)."""
        if self.evidence < CONVINCING:
            return np.zeros(len(y)), np.zeros(len(y))
        design = _design(y, self.knots, self.length)
        variance = np.einsum("mk,kl,ml->m", design, self.covariance, design)
        return design @ self.weights, np.sqrt(np.maximum(variance, 0.0))


def _process(y: np.ndarray, values: np.ndarray, sigma: float) -> _Process:
    """The process of the greatest marginal likelihood."""
    white = float(-0.5 * len(values) * np.log(np.mean(values**2) + 1e-300))
    candidates = []
    for length in LENGTHS:
        knots = np.arange(y.min() - 2 * length * sigma, y.max() + 2 * length * sigma, length * sigma / KNOTS_PER_LENGTH)
        design = _design(y, knots, length * sigma)
        square, along = design.T @ design, design.T @ values
        for ratio in RATIOS:
            # Convolving white weights with a Gaussian makes the process; its variance at one point is `power`.
            power = ratio / (KNOTS_PER_LENGTH * np.sqrt(np.pi))
            factor = linalg.cho_factor(square + np.eye(len(knots)) / power, lower=True)
            weights = linalg.cho_solve(factor, along)
            noise = float(values @ values - along @ weights) / len(values)
            determinant = 2 * np.sum(np.log(np.diag(factor[0]))) + len(knots) * np.log(power)
            likelihood = -0.5 * (len(values) * np.log(max(noise, 1e-300)) + determinant)
            candidates.append((likelihood, noise, weights, factor, knots, length * sigma))
    likelihood, noise, weights, factor, knots, length = max(candidates, key=lambda item: item[0])
    covariance = noise * linalg.cho_solve(factor, np.eye(len(knots)))
    return _Process(knots=knots, weights=weights, covariance=covariance, length=length, evidence=float(likelihood - white))


def _design(y: np.ndarray, knots: np.ndarray, length: float) -> np.ndarray:
    """Gaussians around the knots at heights y, shape (M, K); their products correlate over `length`."""
    return np.asarray(np.exp(-((y[:, None] - knots) ** 2) / length**2))
