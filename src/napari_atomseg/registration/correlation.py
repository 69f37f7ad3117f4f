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
    known = np.isfinite(seen), np.isfinite(expected)
    least = max(_LEAST_OVERLAP * min(int(known[0].sum()), int(known[1].sum())), LEAST_SIDE**2)
    shifts = _shifts_that_overlap(seen.shape, expected.shape, least)
    sums = (_whole_sums if known[0].all() and known[1].all() else _known_sums)(seen, expected, shifts)
    count = np.maximum(sums.count, 1.0)
    mean_seen, mean_expected = sums.seen / count, sums.expected / count
    covariance = sums.product / count - mean_seen * mean_expected
    variances = (sums.seen_square / count - mean_seen**2) * (sums.expected_square / count - mean_expected**2)
    floor = 1e-6 * float(np.nanvar(seen)) * float(np.nanvar(expected))
    good = (count >= least) & (variances > floor)
    found = np.full([a + b - 1 for a, b in zip(seen.shape, expected.shape, strict=True)], np.nan)
    found[shifts] = np.where(good, covariance / np.sqrt(np.maximum(variances, floor + 1e-300)), np.nan)
    return found


_Shifts = tuple[slice, slice]
"""Along y and x, counted from that at which the images just touch."""


def _shifts_that_overlap(seen: tuple[int, ...], expected: tuple[int, ...], least: float) -> _Shifts:
    """Those that could leave so many pixels in common, if they left all of the other axis; at least one."""
    lengths = [
        np.minimum(np.minimum(np.arange(1, a + b), np.arange(a + b - 1, 0, -1)), min(a, b))
        for a, b in zip(seen, expected, strict=True)
    ]
    slices = []
    for length, other in zip(lengths, lengths[::-1], strict=True):
        enough = np.flatnonzero(length * int(other.max()) >= min(least, int(length.max()) * int(other.max())))
        slices.append(slice(int(enough[0]), int(enough[-1]) + 1))
    return slices[0], slices[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sums:
    """Sums over the known pixels of the overlap, for every shift; all of one shape."""

    count: np.ndarray
    seen: np.ndarray
    expected: np.ndarray
    product: np.ndarray
    seen_square: np.ndarray
    expected_square: np.ndarray


def _known_sums(seen: np.ndarray, expected: np.ndarray, shifts: _Shifts) -> _Sums:
    """Where some pixels are unknown: every sum is a correlation of its own."""
    fast = _transformed_shape(seen, expected)
    first, second = ([np.isfinite(image).astype(float), np.nan_to_num(image)] for image in (seen, expected[::-1, ::-1]))
    one, two = ([fft.rfft2(part, fast) for part in (*parts, parts[1] ** 2)] for parts in (first, second))

    def summed(a: int, b: int) -> np.ndarray:
        return np.asarray(fft.irfft2(one[a] * two[b], fast)[shifts])

    return _Sums(
        count=summed(0, 0),
        seen=summed(1, 0),
        expected=summed(0, 1),
        product=summed(1, 1),
        seen_square=summed(2, 0),
        expected_square=summed(0, 2),
    )


def _whole_sums(seen: np.ndarray, expected: np.ndarray, shifts: _Shifts) -> _Sums:
    """Where all pixels are known: the overlap is a rectangle, over which running sums tell all but the product."""
    fast = _transformed_shape(seen, expected)
    product = fft.irfft2(fft.rfft2(seen, fast) * fft.rfft2(expected[::-1, ::-1], fast), fast)[shifts]
    own, other = _overlaps(seen.shape, expected.shape, shifts)
    rows, columns = (ends[1] - ends[0] for ends in own)
    return _Sums(
        count=(rows[:, None] * columns).astype(float),
        seen=_over_rectangles(seen, own),
        expected=_over_rectangles(expected, other),
        product=np.asarray(product),
        seen_square=_over_rectangles(seen**2, own),
        expected_square=_over_rectangles(expected**2, other),
    )


def _transformed_shape(seen: np.ndarray, expected: np.ndarray) -> list[int]:
    """Lengths that hold all shifts and are quick to transform."""
    return [fft.next_fast_len(a + b - 1, real=True) for a, b in zip(seen.shape, expected.shape, strict=True)]


_Ends = list[tuple[np.ndarray, np.ndarray]]
"""First pixel of the overlap and the one behind its last, for each shift along y and along x."""


def _overlaps(seen: tuple[int, ...], expected: tuple[int, ...], shifts: _Shifts) -> tuple[_Ends, _Ends]:
    """The overlap in what is seen and in what is expected."""
    own, other = [], []
    for length, width, chosen in zip(seen, expected, shifts, strict=True):
        shift = np.arange(1 - width, length)[chosen]
        begin, end = np.maximum(shift, 0), np.minimum(shift + width, length)
        own.append((begin, end))
        other.append((begin - shift, end - shift))
    return own, other


def _over_rectangles(image: np.ndarray, ends: _Ends) -> np.ndarray:
    """Sum of an image over each overlap, one row of the result after the other."""
    (top, bottom), (left, right) = ends
    rows = np.zeros((image.shape[0] + 1, image.shape[1]))
    np.cumsum(image, axis=0, out=rows[1:])
    columns = np.zeros((len(top), image.shape[1] + 1))
    np.cumsum(rows[bottom] - rows[top], axis=1, out=columns[:, 1:])
    return np.asarray(columns[:, right] - columns[:, left])


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
