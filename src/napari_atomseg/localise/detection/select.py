"""Which local maxima are columns: not noise, not clutter, and repeated where the image repeats itself.

Three measured facts decide, none of them a prior on the structure:
significance (the share of chance maxima among the accepted ones is held below a limit), contrast (height relative to
the strong columns around, split off by Otsu's threshold), and recurrence (a faint maximum counts if maxima like it
stand at the distances at which the strong columns of this image repeat).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import spatial

from napari_atomseg.localise.detection.crowded import among_columns
from napari_atomseg.localise.detection.peaks import Peaks
from napari_atomseg.localise.detection.recurrence import (
    FAINT_SIGNIFICANCE,
    FAINTEST,
    FEWEST_VECTORS,
    NEIGHBOURS,
    recurrence_of,
)
from napari_atomseg.localise.detection.response import expected_noise_maxima
from napari_atomseg.localise.detection.texture import of_texture

RECURRENCE = 0.3
FALSE_AMONG_COLUMNS = 0.5
"""Share of noise that is tolerated among maxima that have columns on all sides, on the assumption that there is room for it."""
FAINTEST_AMONG_COLUMNS = 0.8
"""Smallest height of these, in units of the contrast."""
BEYOND_DECOYS = 2.0
"""A maximum that is so many times as significant as the most significant dark spot is none of the noise's."""
BEYOND_CLUTTER = 2.3
"""The same for the dark spots around, of which the highest may be left out."""
DECOYS_AROUND = 30
FEWEST_ALIKE = 4
SPREAD_ALIKE = 0.15


@dataclass(frozen=True, kw_only=True, eq=False)
class Selection:
    """Verdict on each peak.

    Attributes
    ----------
    keep : ndarray of bool, shape (N,)
        The columns.
    confidence : ndarray, shape (N,)
        From 0 to 1; the rarer noise of that height is and the better it is repeated, the higher.
    clear : ndarray of bool, shape (N,)
        Stands out from everything dark around it as no noise or texture without a sign does.
    recurrence : ndarray or None, shape (N,)
        Share of the image's repeat vectors at which a like maximum stands; None if nothing repeats.
    """

    keep: np.ndarray
    confidence: np.ndarray
    clear: np.ndarray
    recurrence: np.ndarray | None


def select_columns(
    peaks: Peaks, *, otsu: float, sigma: float, shape: tuple[int, int], contrast: float, false_share: float
) -> Selection:
    """Decide which peaks are columns.

    Parameters
    ----------
    peaks : Peaks
        Maxima of the whole image.
    otsu : float
        Otsu's threshold of the response.
    sigma : float
        Width of the columns, px.
    shape : tuple of int
        Shape of the image, px.
    contrast : float
        Smallest height of a column that stands alone, relative to the strong columns around it.
    false_share : float
        Largest expected share of noise maxima among the accepted.

    Returns
    -------
    Selection
    """
    none = np.zeros(len(peaks), bool)
    nothing = Selection(keep=none, confidence=np.zeros(len(peaks)), clear=none, recurrence=None)
    area = float(np.prod(shape))
    level = significance_level(peaks.significance, sigma, area, false_share)
    if not np.isfinite(level):
        return nothing
    significant = peaks.significance > level
    strong = significant & (peaks.height > otsu)
    if strong.sum() < FEWEST_VECTORS:
        strong = significant
    relative = peaks.height / height_around(peaks, strong)
    recurrence = recurrence_of(peaks, relative, strong, significant, sigma, shape)
    clear = significant & (relative > FAINTEST) & clear_of_clutter(peaks)
    if recurrence is None:
        # Nothing repeats (single atoms, glass, noise): the image's own dark spots tell how high its noise reaches, and
        # without the witness of repetition the fainter half of the scale stays open.
        if not alike(peaks.height[significant]):
            level = max(level, _level_of_decoys(peaks, false_share))
        keep = clear | ((peaks.significance * peaks.own > level) & (relative > 0.4 * contrast))
        witness = np.full(len(peaks), 0.5)
    else:
        faint = (peaks.significance > FAINT_SIGNIFICANCE) & (relative > FAINTEST)
        keep = clear | (significant & (relative > contrast)) | (faint & (recurrence > RECURRENCE))
        keep |= _seen_among_columns(peaks, significant, sigma, area, contrast)
        own = peaks.height * peaks.own
        texture = of_texture(peaks.pixel, own, recurrence, peaks.significance > FAINT_SIGNIFICANCE)
        keep &= ~(texture & (relative < 1))
        witness = recurrence
    confidence = _confidence(peaks.significance, level, relative, witness)
    return Selection(keep=keep, confidence=confidence, clear=clear, recurrence=recurrence)


def _seen_among_columns(peaks: Peaks, significant: np.ndarray, sigma: float, area: float, contrast: float) -> np.ndarray:
    """True for maxima with columns on all sides that are fainter than those that may stand alone, shape (N,)."""
    among = among_columns(peaks.pixel, significant)
    if not among.any():
        return among
    level = significance_level(peaks.significance[among], sigma, area * float(among.mean()), FALSE_AMONG_COLUMNS)
    own = peaks.significance * peaks.own
    dark = decoy_level(own, peaks.decoys, FALSE_AMONG_COLUMNS)
    relative = peaks.height / height_around(peaks, significant)
    return among & (peaks.significance > level) & (own > dark) & (relative > FAINTEST_AMONG_COLUMNS * contrast)


def significance_level(significance: np.ndarray, sigma: float, area: float, false_share: float) -> float:
    """Lowest significance above which at most `false_share` of the maxima are expected to be noise; infinity if none is.

    The false discovery rate of Benjamini and Hochberg, J. R. Stat. Soc. B 57, 289 (1995), with the closed form for
    the maxima of filtered white noise instead of p-values.

    Parameters
    ----------
    significance : ndarray, shape (N,)
        Of all maxima, in standard deviations of filtered noise.
    sigma : float, px
        Width of the filter.
    area : float, px
        Number of pixels that were searched.
    false_share : float
        Largest share of noise, 0 to 1.

    Returns
    -------
    float
        From 2 to 8, or infinity.
    """
    levels = np.linspace(2.0, 8.0, 61)
    return _lowest(levels, expected_noise_maxima(sigma, area, levels), _above(significance, levels), false_share)


def decoy_level(significance: np.ndarray, decoys: np.ndarray, false_share: float) -> float:
    """As :func:`significance_level`, with the maxima of the inverted image for noise: right for all noise that has no sign.

    The target-decoy method of Elias and Gygi, Nat. Methods 4, 207 (2007), carried over.

    Parameters
    ----------
    significance : ndarray, shape (N,)
        Of the maxima.
    decoys : ndarray, shape (M,)
        Of the maxima of the inverted image.
    false_share : float
        Largest share of noise, 0 to 1.

    Returns
    -------
    float
        From 2 to 200, or infinity.
    """
    levels = np.geomspace(2.0, 200.0, 200)
    return _lowest(levels, _above(decoys, levels) + 1.0, _above(significance, levels), false_share)


def _level_of_decoys(peaks: Peaks, false_share: float) -> float:
    """That of the decoys, or where there are too few columns for a share of them, well above the highest decoy."""
    darkest = float(np.max(peaks.decoys, initial=0.0))
    own = peaks.significance * peaks.own
    return min(decoy_level(own, peaks.decoys, false_share), BEYOND_DECOYS * darkest)


def alike(height: np.ndarray) -> bool:
    """True for heights (N,) of which all are nearly the same, as those of noise never are."""
    return len(height) >= FEWEST_ALIKE and float(np.std(height)) < SPREAD_ALIKE * float(np.mean(height))


def clear_of_clutter(peaks: Peaks) -> np.ndarray:
    """True for maxima (N,) that stand out from all that is dark around them as nothing does that has no sign."""
    if len(peaks.decoys) == 0:
        return np.ones(len(peaks), bool)
    count = min(DECOYS_AROUND, len(peaks.decoys))
    _, near = spatial.cKDTree(peaks.dark).query(peaks.pixel, k=count)
    around = np.quantile(peaks.decoys[near].reshape(len(peaks), count), 0.9, axis=1)
    return np.asarray(peaks.significance * peaks.own > BEYOND_CLUTTER * around)


def _above(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """How many of the values exceed each level."""
    return len(values) - np.searchsorted(np.sort(values), levels, side="right")


def _lowest(levels: np.ndarray, false: np.ndarray, found: np.ndarray, share: float) -> float:
    fine = (false < share * found) & (found >= 1)
    return float(levels[np.argmax(fine)]) if fine.any() else float("inf")


def height_around(peaks: Peaks, strong: np.ndarray) -> np.ndarray:
    """Median height of the nearest ten strong maxima; follows thickness and illumination.

    Parameters
    ----------
    peaks : Peaks
    strong : ndarray of bool, shape (N,)
        True for at least one.

    Returns
    -------
    ndarray, shape (N,), in units of the image
    """
    tree = spatial.cKDTree(peaks.pixel[strong])
    count = min(NEIGHBOURS, int(strong.sum()))
    _, near = tree.query(peaks.pixel, k=count)
    heights = peaks.height[strong][near].reshape(len(peaks), count)
    return np.asarray(np.median(heights, axis=1))


def _confidence(significance: np.ndarray, level: float, relative: np.ndarray, recurrence: np.ndarray) -> np.ndarray:
    """Geometric mean of three witnesses, each saturating at 1."""
    rare = np.clip(significance / (2 * level), 0, 1)
    clear = np.clip(relative, 0, 1)
    repeated = np.clip(recurrence / 0.6, 0.1, 1)
    return np.asarray((rare * clear * repeated) ** (1 / 3))
