"""The normalised correlation of two images over their overlap, at all shifts at once, and the shifts it proposes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from napari_atomseg.registration.peaks import peak_heights
from napari_atomseg.registration.placement import LEAST_SIDE, Placement
from napari_atomseg.registration.spectra import band_passed, on_search_grid

_LEAST_OVERLAP = 0.25  # of the smaller image
_NEAR, _LIKELY = 25, 12  # shifts that are looked at: those that move least, and those of the highest correlation
_INDEPENDENT = 12.0  # px over which the noise of an image smoothed by one px is correlated


@dataclass(frozen=True, kw_only=True, eq=False)
class Correlated:
    """A simulated image on the grid of the search, where its corner lies (Å), and its correlation for every shift."""

    placement: Placement
    expected: np.ndarray
    low: np.ndarray
    correlation: np.ndarray

    @property
    def highest(self) -> float:
        return float(np.nanmax(self.correlation, initial=-1.0))

    @property
    def lowest(self) -> float:
        return float(np.nanmin(self.correlation, initial=1.0))


def correlate_placed(
    simulated: np.ndarray, pixel_size: tuple[float, float], seen: np.ndarray, step: float, placement: Placement
) -> Correlated:
    """A simulated image (Y, X) at a rotation and magnification, correlated with what is seen on the grid of the search.

    Parameters
    ----------
    simulated : ndarray, shape (Y, X)
    pixel_size : tuple of float, Å, (y, x)
        Of the simulated image.
    seen : ndarray
        Experiment on the grid of the search, without slow and fast changes.
    step : float, Å
        Of that grid.
    placement : Placement
        Whose rotation and magnification are applied.
    """
    image, low = on_search_grid(simulated, pixel_size, step, placement)
    expected = band_passed(image)
    return Correlated(placement=placement, expected=expected, low=low, correlation=normalised_correlation(seen, expected))


def normalised_correlation(seen: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Normalised correlation over the overlap for every shift; NaN where that is small.

    Entry (i, j) belongs to the shift (i - Y + 1, j - X + 1) of an expected image of shape (Y, X).

    Parameters
    ----------
    seen, expected : ndarray, two-dimensional
        On one grid; NaN where they are unknown.

    Returns
    -------
    correlation : ndarray, shape (Y + Y' - 1, X + X' - 1)
        From -1 to 1.

    References
    ----------
    Padfield, IEEE Trans. Image Process. 21 (2012) 2706, Eq. 9.
    """
    shape = tuple(a + b - 1 for a, b in zip(seen.shape, expected.shape, strict=True))
    fast = [fft.next_fast_len(length, real=True) for length in shape]
    flipped = expected[::-1, ::-1]
    first, second = ([np.isfinite(image).astype(float), np.nan_to_num(image)] for image in (seen, flipped))
    first, second = ([*parts, parts[1] ** 2] for parts in (first, second))
    one, two = ([fft.rfft2(part, fast) for part in parts] for parts in (first, second))

    def summed(a: int, b: int) -> np.ndarray:
        return np.asarray(fft.irfft2(one[a] * two[b], fast)[: shape[0], : shape[1]])

    count = np.maximum(summed(0, 0), 1.0)
    mean_seen, mean_expected = summed(1, 0) / count, summed(0, 1) / count
    covariance = summed(1, 1) / count - mean_seen * mean_expected
    variances = (summed(2, 0) / count - mean_seen**2) * (summed(0, 2) / count - mean_expected**2)
    least = _LEAST_OVERLAP * min(first[0].sum(), second[0].sum())
    floor = 1e-6 * float(np.nanvar(seen)) * float(np.nanvar(expected))
    good = (count >= max(least, LEAST_SIDE**2)) & (variances > floor)
    return np.where(good, covariance / np.sqrt(np.maximum(variances, floor + 1e-300)), np.nan)


def candidate_shifts(found: Correlated, seen: tuple[int, ...]) -> np.ndarray:
    """Shifts (N, 2), px, of the highest peaks of the correlation and of the high ones that move the middles least.

    Those that move the middles less stand first; peaks that are lower by a tenth come after all others.

    Parameters
    ----------
    found : Correlated
    seen : tuple of int
        Shape of the experiment on the grid of the search.
    """
    filled = np.nan_to_num(found.correlation, nan=-1.0)
    # Where the least overlap ends, the correlation is cut off and not at a peak.
    inner = ndimage.binary_erosion(np.isfinite(found.correlation), np.ones((3, 3)))
    peaks = np.argwhere((filled == ndimage.maximum_filter(filled, 3)) & (filled > 0.8 * filled.max()) & inner)
    if len(peaks) == 0:
        peaks = np.argwhere(filled == filled.max())[:1]
    heights = peak_heights(filled, peaks)
    # Neither noise nor the grid of the search can make so much difference.
    likely = 1 - heights**2 <= 1.5 * (1 - heights.max() ** 2) + 0.03
    peaks, heights = peaks[likely], heights[likely]
    shifts = peaks - (np.array(found.expected.shape) - 1)
    sides = np.array(found.expected.shape)
    apart = np.hypot(*(shifts - (np.array(seen) - sides) / 2).T)
    common = np.prod(np.minimum(shifts + sides, seen) - np.maximum(shifts, 0), axis=1)
    # A high correlation over a small overlap may be chance.
    sure = heights - 2 * (1 - np.clip(heights, 0, 1) ** 2) / np.sqrt(np.maximum(common / _INDEPENDENT, 1))
    nearest = np.lexsort((apart, heights < 0.9 * heights.max()))
    kept = np.zeros(len(peaks), bool)
    kept[nearest[:_NEAR]] = True
    kept[np.argsort(-sure)[:_LIKELY]] = True
    return shifts[[row for row in nearest if kept[row]]]
