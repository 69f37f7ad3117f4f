"""Sites within the cell of a lattice, and whether a larger cell tells them apart by their intensity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

_GRID = 128  # points along each side of the folded cell
_BLUR = 0.12  # of the distance of nearest neighbours: finer structure of a site is scatter
_APART = 0.5  # of that distance: nearer maxima are one site
_DIFFERENT = 2.5  # scatter of equal columns: what differs by more is another kind of column
_LARGEST_MULTIPLE = 4
_LEAST_SCATTER = 0.03  # of the intensity: differences below 8 % are no other kind, however quiet the image
_SURROUNDINGS = 25  # columns that tell the local level of intensity
_FEWEST = 6  # columns of each kind


@dataclass(frozen=True, kw_only=True, eq=False)
class Motif:
    """Sites (K, 2) in units of the basis, and how many columns stand near each, (K,)."""

    sites: np.ndarray
    counts: np.ndarray


def fold(fractional: np.ndarray, basis: np.ndarray, positions: np.ndarray, occupancy: float) -> Motif:
    """Places of the cell at which columns gather.

    Parameters
    ----------
    fractional : ndarray, shape (N, 2)
        Undistorted positions in units of the basis.
    basis : ndarray, shape (2, 2), px
    positions : ndarray, shape (N, 2), px
        The same columns in the image, for their distances.
    occupancy : float
        Sites with less than this share of the columns of the fullest site are left out.
    """
    nearest = float(np.median(cKDTree(positions).query(positions, k=2)[0][:, 1]))
    peaks = _maxima(_density(fractional, basis, _BLUR * nearest), basis, _APART * nearest)
    for _ in range(3):
        offset = fractional[:, None] - peaks
        offset -= np.rint(offset)
        length = np.linalg.norm(offset @ basis, axis=-1)
        mine = np.argmin(length, axis=1)
        near = np.take_along_axis(length, mine[:, None], axis=1)[:, 0] <= _APART * nearest
        counts = np.bincount(mine[near], minlength=len(peaks))
        kept = counts >= max(1.0, occupancy * counts.max(initial=0))
        moved = [peak + offset[near & (mine == row), row].mean(axis=0) for row, peak in enumerate(peaks) if kept[row]]
        peaks, counts = np.array(moved).reshape(-1, 2), counts[kept]
    return Motif(sites=peaks, counts=counts)


def superlattice(
    positions: np.ndarray, indices: np.ndarray, site: np.ndarray, intensity: np.ndarray, basis: np.ndarray
) -> np.ndarray:
    """Integer matrix (2, 2) that makes the smallest cell whose sites are each of one intensity; the identity if it is so now.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px
    indices, site : ndarrays of int, shapes (N, 2) and (N,)
        Of columns on sites.
    intensity : ndarray, shape (N,)
        NaN where unknown.
    basis : ndarray, shape (2, 2), px
    """
    matrix = np.eye(2, dtype=int)
    known = np.isfinite(intensity)
    if np.count_nonzero(known) < 2 * _FEWEST:
        return matrix
    indices, site, intensity = indices[known], site[known], intensity[known]
    near = cKDTree(positions[known]).query(positions[known], k=min(_SURROUNDINGS, len(intensity)))[1]
    for _ in range(3):
        larger = _next_multiple(indices, site, intensity, near)
        if larger is None:
            break
        indices, site, _ = recell(indices, site, larger)
        matrix = larger @ matrix
    return matrix


def recell(indices: np.ndarray, site: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices and sites in the basis ``matrix @ basis``; each site becomes as many as the cell has grown.

    Parameters
    ----------
    indices : ndarray of int, shape (N, 2)
    site : ndarray of int, shape (N,)
    matrix : ndarray of int, shape (2, 2)
        Of the new basis in the old one.

    Returns
    -------
    indices, site : ndarrays of int, shapes (N, 2) and (N,)
    offset : ndarray, shape (N, 2)
        Place of the old cell in the new one, in units of the new basis.
    """
    places = indices @ np.linalg.inv(matrix)
    cells = np.floor(places + 1e-6)
    offset = places - cells
    multiple = abs(round(float(np.linalg.det(matrix))))
    # Offsets are multiples of 1 / multiple; equal ones are one coset.
    code = np.rint(offset * multiple).astype(int) @ np.array([multiple + 1, 1])
    kinds, coset = np.unique(code, return_inverse=True)
    return cells.astype(int), site * len(kinds) + coset, offset


def _density(fractional: np.ndarray, basis: np.ndarray, blur: float) -> np.ndarray:
    """Folded positions on the cell's grid, blurred by a round Gaussian of `blur` px."""
    bins = np.floor((fractional % 1.0) * _GRID).astype(int) % _GRID
    counts = np.bincount(bins[:, 0] * _GRID + bins[:, 1], minlength=_GRID**2).reshape(_GRID, _GRID)
    orders = np.fft.fftfreq(_GRID, 1 / _GRID)
    waves = np.stack(np.meshgrid(orders, orders, indexing="ij"), -1) @ np.linalg.inv(basis).T
    damping = np.exp(-2 * np.pi**2 * blur**2 * (waves**2).sum(axis=-1))
    return np.asarray(np.fft.ifft2(np.fft.fft2(counts) * damping).real)


def _maxima(density: np.ndarray, basis: np.ndarray, apart: float) -> np.ndarray:
    """Maxima (K, 2) of a periodic density in units of the basis, the highest first, at least `apart` px from one another."""
    peaks = np.argwhere((ndimage.maximum_filter(density, size=3, mode="wrap") == density) & (density > 0.05 * density.max()))
    peaks = peaks[np.argsort(density[tuple(peaks.T)])[::-1]][:200]
    kept: list[np.ndarray] = []
    for peak in (peaks + 0.5) / _GRID:
        offset = np.array(kept).reshape(-1, 2) - peak
        offset -= np.rint(offset)
        if np.all(np.linalg.norm(offset @ basis, axis=-1) >= apart):
            kept.append(peak)
    return np.array(kept).reshape(-1, 2)


def _next_multiple(indices: np.ndarray, site: np.ndarray, intensity: np.ndarray, near: np.ndarray) -> np.ndarray | None:
    """The smallest multiple of the cell that tells sites apart, the clearest of its kind; None if none does."""
    for multiple in range(2, _LARGEST_MULTIPLE + 1):
        cells = _cells_of(multiple)
        contrasts = [_contrast(site, recell(indices, site, cell)[1], multiple, intensity, near) for cell in cells]
        if max(contrasts) > _DIFFERENT:
            return cells[int(np.argmax(contrasts))]
    return None


def _cells_of(multiple: int) -> list[np.ndarray]:
    """Every superlattice of the given index, by its Hermite normal form."""
    divisors = [one for one in range(1, multiple + 1) if multiple % one == 0]
    return [np.array([[one, slope], [0, multiple // one]]) for one in divisors for slope in range(multiple // one)]


def _contrast(site: np.ndarray, finer: np.ndarray, multiple: int, intensity: np.ndarray, near: np.ndarray) -> float:
    """Largest difference of intensity between finer sites that are one site now, in units of the scatter of equal ones."""
    kinds, kind = np.unique(finer, return_inverse=True)
    middles = np.array([np.median(intensity[kind == one]) for one in range(len(kinds))])
    if not np.all(np.abs(middles) > 0):
        return 0.0
    # Thickness and illumination change from place to place alike for every kind.
    level = intensity / np.mean((intensity / middles[kind])[near], axis=1)
    clearest = 0.0
    for group in np.unique(site):
        parts = [level[finer == group * multiple + coset] for coset in range(multiple)]
        if min(len(part) for part in parts) < _FEWEST:
            continue
        heights = np.array([np.median(part) for part in parts])
        scatter = 1.48 * np.median(np.concatenate([np.abs(part - height) for part, height in zip(parts, heights, strict=True)]))
        clearest = max(clearest, float(np.ptp(heights) / max(scatter, _LEAST_SCATTER * np.abs(heights).max())))
    return clearest
