r"""How far the scan had strayed in each row, told from the columns that share the row, and positions freed of it.

A scanned image writes its rows one after the other; what shakes probe or specimen meanwhile displaces whole rows. A
column takes part in a dozen rows and cannot tell such a displacement from its own. All columns of these rows together can,
where the lattice says where they would stand. The residuals r of the columns from the lattice are taken for

.. math:: r_i = f_{\mathrm{site}(i)}(y_i, x_i) + s(y_i) + e_i,

with a smooth field f for each site of the motif on its own, so that sublattices may be shifted against each other, in
domains too; s common to all columns at the same height y, a Gaussian process whose correlation length and size are those
of the greatest marginal likelihood (Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), Eq. 2.30); and
what is each column's own, e. Where the likelihood does not ask for s there is none.

Slow displacements, over more than the cells that f is smoothed over, stay: they look like a bent lattice. What is taken
off is what is believed of the scan, and not measured in a column: a true displacement of whole atomic rows, changing from row
to row within the smoothing length, would be taken for the scan's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse

from napari_atomseg.analysis.lattice.lattice import Lattice, fit_lattice
from napari_atomseg.analysis.lattice.smooth_field import SmoothField
from napari_atomseg.analysis.params import ScanRowsParams
from napari_atomseg.core.columns import SCAN_SHIFT, Columns
from napari_atomseg.core.errors import AtomsegError

FEWEST = 30
LENGTHS = (0.7, 1.0, 1.5, 2.2, 3.2)
"""Correlation lengths that are tried, in units of the columns' sigma: rows that a column averages over move as one."""
RATIOS = np.geomspace(0.02, 50, 12)
"""Variances of s that are tried, in units of that of e."""
CONVINCING = 6.0
"""Logarithm of the likelihood ratio that asks for s."""
KNOTS_PER_LENGTH = 2.0
REACH = 6
"""Knots farther off, three correlation lengths, give nothing."""
BANDS = 2 * REACH + 1
OUTLIER = 3.5
FEW_ROWS = 0.3
"""Where the median displacement asks for less than this share of the likeliest variance, a few rows have made that."""
MEDIAN_OF_SQUARES = 0.455
"""Of a normal distribution of unit variance."""
PASSES = 3


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
            f"{int(usable.sum())} columns stand on a lattice, but displaced rows show only in {FEWEST} or more; find more first"
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

    Parameters
    ----------
    columns : Columns
        Of one image or frame, fitted.
    params : ScanRowsParams, optional

    Returns
    -------
    columns : Columns
        Moved, with `scan_shift_y_px`, `scan_shift_x_px` and larger deviations.
    rows : ScanRows

    Raises
    ------
    AtomsegError
        If no lattice is found, or too few columns stand on it.
    """
    rows = estimate_scan_rows(columns, fit_lattice(columns), params)
    std = np.hypot(columns.features[["y_std_px", "x_std_px"]].to_numpy(dtype=float), rows.std)
    freed = columns.with_features(y_std_px=std[:, 0], x_std_px=std[:, 1], **dict(zip(SCAN_SHIFT, rows.shift.T, strict=True)))
    return replace(freed, positions=columns.positions - rows.shift), rows


def _along(
    positions: np.ndarray, residual: np.ndarray, site: np.ndarray, usable: np.ndarray, sigma: float, reach: float
) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """Shift (N,), its deviation (N,), rms, share and evidence along one axis."""
    count = len(positions)
    shift = np.zeros(count)
    kept = usable.copy()
    for _ in range(PASSES):
        own = _fields(positions, residual - shift, site, kept, reach)
        left = residual - own
        kept = usable & _regular(left - shift, usable)
        best = _process(positions[kept, 0], left[kept], sigma)
        shift = best.at(positions[:, 0])
    spread = float(np.var(residual[kept]))
    rms = float(np.sqrt(np.mean(shift[kept] ** 2)))
    return shift, best.deviation(positions[:, 0]), rms, min(1.0, rms**2 / spread) if spread > 0 else 0.0, best.evidence


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
    """A Gaussian process on knots along y, given values with noise; `bands` is the Cholesky factor of its precision."""

    knots: np.ndarray
    weights: np.ndarray
    bands: np.ndarray
    length: float
    noise: float
    ratio: float
    evidence: float

    def at(self, y: np.ndarray) -> np.ndarray:
        """Mean at heights y, shape (M,)."""
        if self.evidence < CONVINCING:
            return np.zeros(len(y))
        return np.asarray(_design(y, self.knots, self.length) @ self.weights)

    def deviation(self, y: np.ndarray) -> np.ndarray:
        """Standard deviation at heights y, shape (M,)."""
        if self.evidence < CONVINCING:
            return np.zeros(len(y))
        covariance = self.noise * linalg.cho_solve_banded((self.bands, True), np.eye(len(self.knots)))
        design = _design(y, self.knots, self.length)
        return np.sqrt(np.maximum(np.asarray(design.multiply(design @ covariance).sum(axis=1)).ravel(), 0.0))


def _process(y: np.ndarray, values: np.ndarray, sigma: float) -> _Process:
    """The process of the greatest marginal likelihood, no larger than most of the rows ask for.

    Where a few rows stand far from their sites, at the wall of a domain, that is no scan.
    """
    best = max((_likeliest(y, values, length * sigma, RATIOS) for length in LENGTHS), key=lambda process: process.evidence)
    if best.evidence < CONVINCING:
        return best
    usual = float(np.median(best.at(y) ** 2)) / MEDIAN_OF_SQUARES / best.noise
    return best if usual > FEW_ROWS * best.ratio else _likeliest(y, values, best.length, np.array([max(usual, 1e-6)]))


def _likeliest(y: np.ndarray, values: np.ndarray, length: float, ratios: np.ndarray) -> _Process:
    """The likeliest process of a correlation length, px, among variances in units of that of the noise."""
    knots = np.arange(y.min() - 2 * length, y.max() + 2 * length, length / KNOTS_PER_LENGTH)
    design = _design(y, knots, length)
    square, along = design.T @ design, design.T @ values
    bands = np.zeros((min(BANDS, len(knots)), len(knots)))
    for offset in range(len(bands)):
        bands[offset, : len(knots) - offset] = square.diagonal(offset)
    white = len(values) * np.log(max(float(np.mean(values**2)), 1e-300))
    found = []
    for ratio in ratios:
        # White weights on the knots make the process; at one place it has this variance for weights of variance one.
        power = ratio / (KNOTS_PER_LENGTH * np.sqrt(np.pi / 2))
        precision = bands.copy()
        precision[0] += 1 / power
        factor = linalg.cholesky_banded(precision, lower=True)
        weights = linalg.cho_solve_banded((factor, True), along)
        noise = max(float(values @ values - along @ weights) / len(values), 1e-300)
        determinant = 2 * np.sum(np.log(factor[0])) + len(knots) * np.log(power)
        evidence = -0.5 * float(len(values) * np.log(noise) + determinant - white)
        found.append(
            _Process(
                knots=knots, weights=weights, bands=factor, length=length, noise=noise, ratio=float(ratio), evidence=evidence
            )
        )
    return max(found, key=lambda process: process.evidence)


def _design(y: np.ndarray, knots: np.ndarray, length: float) -> sparse.csr_array:
    """Gaussians around the knots at heights y, shape (M, K); their products correlate over `length`."""
    step = knots[1] - knots[0]
    nearest = np.rint((y - knots[0]) / step).astype(int)
    around = nearest[:, None] + np.arange(-REACH, REACH + 1)
    values = np.exp(-((y[:, None] - (knots[0] + around * step)) ** 2) / length**2)
    inside = (around >= 0) & (around < len(knots))
    rows = np.broadcast_to(np.arange(len(y))[:, None], around.shape)
    return sparse.coo_array((values[inside], (rows[inside], around[inside])), shape=(len(y), len(knots))).tocsr()
