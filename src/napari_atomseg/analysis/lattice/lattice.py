r"""The visible lattice of a set of columns: two basis vectors, the motif, and how far each column is from its site.

For display and for filling in; not for crystallography: it knows the projection only, and of the columns only those that
were found. The lattice may bend: the phases of two of its own waves, averaged over a few cells, follow slow distortions and
drift as in geometric phase analysis (Hytch, Snoeck and Kilaas, Ultramicroscopy 74 (1998) 131), here on positions, not pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import QhullError, cKDTree

from napari_atomseg.analysis.lattice.motif import Motif, fold, recell, superlattice
from napari_atomseg.analysis.lattice.params import LatticeParams
from napari_atomseg.analysis.lattice.smooth_field import SmoothField
from napari_atomseg.analysis.lattice.straight_lattice import around_site_means, brightest_first, occupancy_of, straight_lattice
from napari_atomseg.analysis.lattice.translations import find_basis, reduce_basis
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError

FEWEST = 10
_WAVES = [(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2), (2, -1), (1, -2), (2, 0), (0, 2)]
# Two waves that tell where the lattice is, by how much each pair is preferred. Those that belong to a finer lattice leave the
# places of islands open by a part of the cell; but of a superstructure they are the only clear ones.
_WAVE_PAIRS = {
    (one, two): 1.0 if abs(area) == 1 else 0.3
    for one in _WAVES
    for two in _WAVES
    if (area := one[0] * two[1] - one[1] * two[0]) != 0
}
_CLEAREST = 0.05  # share of columns that must agree on a translation: random points reach 0.03
_ORDERED = 0.55  # local share of columns on sites below which there is no lattice, or another grain's
_CONVINCING = 22.0  # logarithm of odds; see _evidence
_STRONGEST_BEND = 0.08  # relative: 4.6 degrees or 8 % from the rest of the lattice; what differs more is another grain
_TOLERANCES = (0.2, 0.45)  # least and largest distance from a site, of the distance between sites


@dataclass(frozen=True, kw_only=True, eq=False)
class Lattice:
    """Lattice, motif, and the site of each column.

    A column stands at ``origin + (indices + motif[site]) @ basis + displacement + residual``.

    Attributes
    ----------
    origin : ndarray, shape (2,), px, (y, x)
        Undistorted place of site 0 in cell (0, 0), near the middle of the columns.
    basis : ndarray, shape (2, 2), px
        The two shortest vectors, one (y, x) in each row: the shorter one first, pointing right (+x), the other
        counter-clockwise of it on the screen, at 60 to 120 degrees. Means over the image.
    basis_std : ndarray, shape (2, 2), px
        Standard errors, from sixteen parts of the image, so that slow distortions count.
    motif : ndarray, shape (K, 2)
        Sites in units of the basis, in [0, 1); site 0 at (0, 0) is the brightest.
    motif_std : ndarray, shape (K, 2), px
        Standard errors of the sites, (y, x).
    occupancy : ndarray, shape (K,)
        Share of the cells in which a site holds a column.
    intensity : ndarray, shape (K,)
        Median intensity of each site; NaN if unknown.
    indices : ndarray of int, shape (N, 2)
        Cell of each column; 0 where it fits no site.
    site : ndarray of int, shape (N,)
        Row of the motif; -1 for columns that fit no site.
    residual : ndarray, shape (N, 2), px
        From the site as its surroundings predict it to the column; NaN where it fits no site.
    displacement : ndarray, shape (N, 2), px
        Slow distortion there, from the undistorted lattice to the prediction.
    explained : float
        Share of the columns that stand on a site.
    tolerance : float, px
        Largest distance from a site.
    evidence : float
        Logarithm of the odds for scatter about sites against an even spread of the columns.
    """

    origin: np.ndarray
    basis: np.ndarray
    basis_std: np.ndarray
    motif: np.ndarray
    motif_std: np.ndarray
    occupancy: np.ndarray
    intensity: np.ndarray
    indices: np.ndarray
    site: np.ndarray
    residual: np.ndarray
    displacement: np.ndarray
    explained: float
    tolerance: float
    evidence: float = 0.0

    @property
    def rms_residual(self) -> float:
        """Root mean square of the residuals along one axis, px."""
        return float(np.sqrt(np.nanmean(self.residual**2)))

    @property
    def site_distance(self) -> float:
        """Shortest distance between two sites, px."""
        return shortest_distance(self.motif, self.basis)

    def predicted(self, indices: np.ndarray, site: np.ndarray, displacement: np.ndarray | float = 0.0) -> np.ndarray:
        """Places (M, 2), px, of sites in cells, undistorted unless a displacement is given.

        Parameters
        ----------
        indices : ndarray of int, shape (M, 2)
            Of the cells.
        site : ndarray of int, shape (M,)
            Row of the motif.
        displacement : ndarray, shape (M, 2), px, or float
            Of the lattice there.
        """
        return np.asarray(self.origin + (indices + self.motif[site]) @ self.basis + displacement)


def fit_lattice(columns: Columns, params: LatticeParams | None = None, basis: np.ndarray | None = None) -> Lattice:
    """Lattice that most of the columns share.

    Parameters
    ----------
    columns : Columns
        Of one image or one frame, at least ten.
    params : LatticeParams, optional
    basis : ndarray, shape (2, 2), px, optional
        Vectors of one grain, nearly; they are looked for if they are not given.

    Returns
    -------
    Lattice
        Of several grains, the one with the most columns; the others' columns fit no site. Grains turned by
        less than about four degrees are followed as a bend; :func:`.grains.find_grains` parts them.

    Raises
    ------
    AtomsegError
        If there are fewer than ten columns, several frames, or no lattice.
    """
    params = params or LatticeParams()
    if len(np.unique(columns.frame)) > 1:
        raise AtomsegError("the columns are of several frames; choose one of them to estimate its lattice")
    finite = np.isfinite(columns.positions).all(axis=1)
    positions = columns.positions[finite]
    if len(positions) < FEWEST:
        raise AtomsegError(f"a lattice needs at least {FEWEST} columns, there are {len(positions)}; find or add more first")
    if not np.ptp(positions, axis=0).any():
        raise AtomsegError("the columns stand in one place; find or add more first")
    try:
        basis, share = find_basis(positions) if basis is None else (basis, 1.0)
    except QhullError:
        raise AtomsegError("the columns stand on one line, so there is no lattice in the plane; find or add more first") from None
    # Few columns agree by chance more often.
    if share < _CLEAREST + 1.0 / np.sqrt(len(positions)):
        raise no_lattice()
    intensity = columns.features["intensity"].to_numpy(float)[finite]
    fit = _assign(positions, intensity, basis, params)
    evidence = 0.0 if fit is None else _evidence(fit, basis)
    if fit is None or evidence < _CONVINCING:
        raise no_lattice()
    result = replace(_summed_up(positions, intensity, basis, fit, params.by_intensity), evidence=evidence)
    return result if finite.all() else among_all(result, finite)


def no_lattice() -> AtomsegError:
    """What is said of columns without periodic order."""
    return AtomsegError("the columns show no lattice; remove false ones, or draw a region that holds one grain only")


def among_all(lattice: Lattice, which: np.ndarray) -> Lattice:
    """The same lattice with a row for every column; those that it was not estimated from stand on no site.

    Parameters
    ----------
    lattice : Lattice
    which : ndarray of bool, shape (N,)
        The columns that it was estimated from.
    """
    return replace(
        lattice,
        indices=_filled(lattice.indices, which, 0),
        site=_filled(lattice.site, which, -1),
        residual=_filled(lattice.residual, which, np.nan),
        displacement=_filled(lattice.displacement, which, np.nan),
        explained=lattice.explained * float(np.mean(which)),
    )


def shortest_distance(motif: np.ndarray, basis: np.ndarray) -> float:
    """Shortest distance between two sites of a motif in units of a basis, px.

    Parameters
    ----------
    motif : ndarray, shape (S, 2)
        In units of the basis.
    basis : ndarray, shape (2, 2), px
        One vector (y, x) a row.
    """
    around = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), -1).reshape(-1, 2)
    apart = (motif[:, None, None] - motif[None, :, None] + around) @ basis
    distances = np.hypot(apart[..., 0], apart[..., 1])
    return float(distances[distances > 1e-6].min())


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """Sites in units of the basis, with the slow displacement of each column in the same units."""

    motif: Motif
    indices: np.ndarray
    site: np.ndarray
    residual: np.ndarray
    shift: np.ndarray
    tolerance: float


def _assign(positions: np.ndarray, intensity: np.ndarray, basis: np.ndarray, params: LatticeParams) -> _Fit | None:
    """Motif and site of each column, for a basis that may still be a little wrong; None if nothing repeats."""
    cell = float(np.sqrt(abs(np.linalg.det(basis))))
    field = SmoothField(positions, 0.5 * cell, params.window * cell)
    fractional = positions @ np.linalg.inv(basis)
    shift = _wave_shift(field, positions, fractional)
    shortest = float(np.hypot(*basis.T).min())
    fit = None
    straight = _straight(field, positions, shift @ basis)
    trusted = straight if np.count_nonzero(straight) >= FEWEST else np.ones(len(positions), bool)
    # Wide at first: near the borders the waves alone do not say well how the lattice bends.
    for tolerance in (*[_TOLERANCES[1]] * 4, params.tolerance):
        motif = fold((fractional - shift)[trusted], basis, positions[trusted], params.occupancy)
        if len(motif.sites) == 0:
            return None
        distance = min(shortest, shortest_distance(motif.sites, basis)) if len(motif.sites) > 1 else shortest
        fit = _nearest_sites(positions, fractional - shift, basis, motif, distance, tolerance)
        ordered = straight & _ordered(field, positions, straight & (fit.site >= 0))
        fit = replace(fit, site=np.where(ordered, fit.site, -1), shift=shift)
        trusted = fit.site >= 0
        if np.count_nonzero(trusted) < FEWEST:
            return None
        rest = field.mean(positions[trusted], (fit.residual @ np.linalg.inv(basis))[trusted], positions)
        shift = shift + rest
        fit = replace(fit, residual=fit.residual - rest @ basis, shift=shift)
    return fit


def _evidence(fit: _Fit, basis: np.ndarray) -> float:
    """Logarithm of the odds for scatter about sites against an even spread over the cell, less the choice of who fits."""
    on = fit.site >= 0
    share = float(np.mean(on))
    if np.count_nonzero(on) < FEWEST:
        return 0.0
    variance = max(float(np.mean(fit.residual[on] ** 2)), 1e-6 * abs(np.linalg.det(basis)))
    gain = np.log(abs(np.linalg.det(basis)) / (len(fit.motif.sites) * 2 * np.pi * np.e * variance))
    off = 1 - share
    choice = -share * np.log(share) - (off * np.log(off) if off > 0 else 0.0)
    return float(len(on) * (share * gain - choice))


def _wave_shift(field: SmoothField, positions: np.ndarray, fractional: np.ndarray) -> np.ndarray:
    """Slow displacement (N, 2), in units of the basis, from the phases of the two clearest waves of the lattice."""
    from skimage.restoration import unwrap_phase

    weight = np.maximum(field.sums(positions, np.ones(len(positions))), 1e-9)
    waves = {wave: field.sums(positions, np.exp(2j * np.pi * (fractional @ np.array(wave, float)))) / weight for wave in _WAVES}
    clarity = {wave: float(np.mean(field.at(np.abs(grid), positions) ** 2)) for wave, grid in waves.items()}
    pair = max(_WAVE_PAIRS, key=lambda both: min(clarity[both[0]], clarity[both[1]]) * _WAVE_PAIRS[both])
    seen = weight > 0.05 * weight.max()
    phases = []
    for wave in pair:
        phase = np.ma.masked_array(np.angle(waves[wave]), mask=~seen)
        unwrapped = np.ma.filled(unwrap_phase(phase, rng=0), 0.0)
        # Between two grid points a phase is that of the mean of the waves, not the mean of their phases near a seam.
        mean = np.angle(field.at(waves[wave].real, positions) + 1j * field.at(waves[wave].imag, positions))
        rough = field.at(unwrapped, positions)
        phases.append(mean + 2 * np.pi * np.rint((rough - mean) / (2 * np.pi)))
    return np.asarray(np.linalg.solve(np.array(pair, float), np.array(phases)).T / (2 * np.pi))


def _nearest_sites(
    positions: np.ndarray, fractional: np.ndarray, basis: np.ndarray, motif: Motif, distance: float, tolerance: float | None
) -> _Fit:
    """Site and cell of each column; of two columns at one site the nearer one keeps it."""
    apart = fractional[:, None] - motif.sites
    cells = np.rint(apart)
    vectors = (apart - cells) @ basis
    lengths = np.hypot(vectors[..., 0], vectors[..., 1])
    site = np.argmin(lengths, axis=1)
    rows = np.arange(len(positions))
    residual, length = vectors[rows, site], lengths[rows, site]
    near = length[length < _TOLERANCES[1] * distance]
    # The median distance of a two-dimensional Gaussian is 1.18 sigma.
    sigma = float(np.median(near)) / 1.18 if len(near) else 0.0
    share = tolerance if tolerance is not None else float(np.clip(3.5 * sigma / distance, *_TOLERANCES))
    indices = cells[rows, site].astype(int)
    fits = length <= share * distance
    fits &= ~_doubles(positions, indices, site, length, fits, distance)
    return _Fit(
        motif=motif,
        indices=indices,
        site=np.where(fits, site, -1),
        residual=residual,
        shift=np.zeros_like(residual),
        tolerance=share * distance,
    )


def _doubles(
    positions: np.ndarray, indices: np.ndarray, site: np.ndarray, length: np.ndarray, fits: np.ndarray, distance: float
) -> np.ndarray:
    """True for columns at a site that a nearer column holds; beside a dislocation two far ones may bear one name."""
    doubled = np.zeros(len(positions), bool)
    rows = np.flatnonzero(fits)
    for one, two in cKDTree(positions[rows]).query_pairs(0.95 * distance):
        first, second = rows[one], rows[two]
        if site[first] == site[second] and np.array_equal(indices[first], indices[second]):
            doubled[first if length[first] > length[second] else second] = True
    return doubled


def _straight(field: SmoothField, positions: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """True where the lattice is neither turned nor stretched much against the mean one."""
    weight = np.maximum(field.sums(positions, np.ones(len(positions))), 1e-9)
    squares = np.zeros(field.shape)
    for along in displacement.T:
        for slope in np.gradient(field.sums(positions, along) / weight, field.step):
            squares += slope**2
    return np.asarray(field.at(np.sqrt(squares), positions) < _STRONGEST_BEND * np.sqrt(2))


def _ordered(field: SmoothField, positions: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """True where most of the columns around fit their sites."""
    return np.asarray(field.mean(positions, fits.astype(float), positions) > _ORDERED)


def _summed_up(positions: np.ndarray, intensity: np.ndarray, basis: np.ndarray, fit: _Fit, by_intensity: bool) -> Lattice:
    """Undistorted lattice by least squares through all columns on sites, and everything relative to it."""
    on = fit.site >= 0
    indices, site = fit.indices[on], fit.site[on]
    indices = indices - np.rint(np.median(indices, axis=0)).astype(int)
    matrix = superlattice(positions[on], indices, site, intensity[on], basis) if by_intensity else np.eye(2, dtype=int)
    matrix = reduce_basis(matrix @ basis)[1] @ matrix
    indices, site, _ = recell(indices, site, matrix)
    site, bright = brightest_first(site, intensity[on])
    basis, *_ = straight_lattice(positions[on], indices, site)
    # The first estimate is not sharp enough to say which of two like vectors is the shorter.
    indices, site, _ = recell(indices, site, reduce_basis(basis)[1])
    basis, places, basis_std = straight_lattice(positions[on], indices, site)
    motif = (places - places[0]) @ np.linalg.inv(basis)
    whole = np.floor(motif + 1e-6).astype(int)
    motif, indices = motif - whole, indices + whole[site]
    residual, spread = around_site_means(fit.residual[on], site)
    deviation = positions[on] - places[0] - (indices + motif[site]) @ basis
    return Lattice(
        origin=places[0],
        basis=basis,
        basis_std=basis_std,
        motif=motif,
        motif_std=spread,
        occupancy=occupancy_of(indices, site),
        intensity=bright,
        indices=_filled(indices, on, 0),
        site=_filled(site, on, -1),
        residual=_filled(residual, on, np.nan),
        displacement=_filled(deviation - residual, on, np.nan),
        explained=float(np.mean(on)),
        tolerance=fit.tolerance,
    )


def _filled(values: np.ndarray, where: np.ndarray, unknown: float) -> np.ndarray:
    """Values of some rows among all rows."""
    result = np.full((len(where), *values.shape[1:]), unknown, dtype=values.dtype)
    result[where] = values
    return result
