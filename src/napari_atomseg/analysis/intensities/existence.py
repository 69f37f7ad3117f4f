r"""Whether a column stands at a site: how likely the image is with it and without it.

The idea is that of MAP detection (Fatermans et al., Phys. Rev. Lett. 121, 056101 (2018)): the evidence of a model with the
column, its height marginalised over what heights columns of its kind have, against that of a model without. Given the fit of all
heights, which are normal with known errors, both have closed forms,

.. math:: P = \frac{\pi N(\hat h; \mu, \tau^2 + s_\mu^2)}
              {\pi N(\hat h; \mu, \tau^2 + s_\mu^2) + (1 - \pi) N(\hat h; 0, \nu^2 + s_0^2)}.

The errors s belong to what each model says is there, not to what was fitted: more is counted where a column stands, and one
that noise drew faint would else have too small an error. The share of filled sites pi, the usual height mu, its scatter tau and
the unevenness nu of what lies under empty sites are those that make all heights of the sublattice most likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import Delaunay, cKDTree

from napari_atomseg.analysis.intensities.fitted_field import neighbour_distance
from napari_atomseg.core.columns import GRAIN, SITE, SUBLATTICE

ROUNDS, AT_REST = 200, 1e-8
FEWEST = 8
"""Sites of a sublattice that tell how high its columns are; of fewer, all sites together do."""
AS_IF = 1.0
"""Sites of either kind that are taken as seen before, so that no share becomes 0 or 1."""
MOST_UNEVEN = 0.15
"""What lies under empty sites is at most so uneven, in heights of a column; what is higher is a column."""
FARTHEST = 0.3
"""Of the distance of sites: no column is expected farther from where it was found."""
SURE = 8.0
"""A column higher than so many errors stands where it was found; others are judged where their neighbours say."""
FALSE, POWER = 2.326, 1.645
"""Normal quantiles of 1 % false alarms and 5 % misses: their sum, in errors of the height, is the faintest thing that is seen."""


@dataclass(frozen=True, kw_only=True)
class NoiseLine:
    """Variance of fitted heights, a straight line in the height: what counting makes of it, and what the background has."""

    level: float
    slope: float
    least: float

    def variance(self, height: np.ndarray | float) -> np.ndarray:
        """At heights."""
        return np.maximum(self.level + self.slope * np.asarray(height, float), self.least)

    def if_it_were(self, true: float, height: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Variances (N,) of fitted heights, if all of these sites had the same true height.

        Parameters
        ----------
        true : float
            That height; 0 for sites without a column.
        height, variance : ndarray, shape (N,)
            Fitted, and the variance that the fit tells.
        """
        return np.asarray(variance * self.variance(true) / self.variance(height))


def noise_line(height: np.ndarray, std: np.ndarray) -> NoiseLine:
    """How the variance of heights (N,) grows with them, by least squares; constant for fewer than three sites."""
    variance = std**2
    least = float(np.min(variance, initial=np.inf)) / 2
    if len(height) < 3 or np.ptp(height) == 0:
        return NoiseLine(level=float(np.mean(variance)) if len(variance) else 1.0, slope=0.0, least=min(least, 1.0))
    slope, level = np.polyfit(height, variance, 1)
    return NoiseLine(level=float(level), slope=max(float(slope), 0.0), least=least)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How high columns of one sublattice are, and how often their sites are filled; heights as given."""

    share: float
    height: float
    scatter: float
    unevenness: float

    def probability(self, height: np.ndarray, std: np.ndarray, line: NoiseLine) -> np.ndarray:
        """That a column stands at each site, shape (N,).

        Parameters
        ----------
        height, std : ndarray, shape (N,)
            Fitted at each site, and its standard deviation.
        line : NoiseLine
            How the variance of fitted heights grows with them.
        """
        full = self.scatter**2 + line.if_it_were(self.height, height, std**2)
        bare = self.unevenness**2 + line.if_it_were(0.0, height, std**2)
        there = _log_normal(height - self.height, full) + np.log(self.share)
        empty = _log_normal(height, bare) + np.log1p(-self.share)
        # A column higher than usual is no emptier than a usual one.
        usual = np.log(self.share) + _log_normal(0.0, full)
        there = np.where(height > self.height, np.maximum(there, usual), there)
        return np.asarray(1 / (1 + np.exp(np.clip(empty - there, -700, 700))))


def learn_kind(height: np.ndarray, std: np.ndarray, present: np.ndarray, line: NoiseLine) -> Kind:
    """What makes the heights of the sites of a sublattice most likely, by expectation maximisation.

    Parameters
    ----------
    height, std : ndarray, shape (N,)
        Fitted at each site, and its standard deviation.
    present : ndarray of bool, shape (N,)
        Where a finder saw a column: where it begins.
    line : NoiseLine
    """
    here = present if present.any() else np.ones(len(height), bool)
    middle = float(np.median(height[here]))
    most = MOST_UNEVEN * abs(middle)
    kind = Kind(
        share=float((np.sum(here) + AS_IF) / (len(here) + 2 * AS_IF)),
        height=middle,
        scatter=max(float(np.std(height[here])), 0.05 * abs(middle)),
        unevenness=0.3 * most,
    )
    bare = line.if_it_were(0.0, height, std**2)
    for _ in range(ROUNDS):
        before, full = kind, kind.probability(height, std, line)
        noise = line.if_it_were(kind.height, height, std**2)
        share = float((full.sum() + AS_IF) / (len(full) + 2 * AS_IF))
        weight = full / (kind.scatter**2 + noise)
        middle = float(np.sum(weight * height) / max(np.sum(weight), 1e-300))
        scatter = _spread(full, height - middle, kind.scatter, noise, 0.05 * abs(middle))
        uneven = min(_spread(1 - full, height, kind.unevenness, bare, 0.3 * most), most)
        kind = Kind(share=share, height=middle, scatter=scatter, unevenness=uneven)
        if abs(kind.height - before.height) + abs(kind.unevenness - before.unevenness) < AT_REST * abs(kind.height):
            break
    return kind


def _spread(weight: np.ndarray, away: np.ndarray, spread: float, noise: np.ndarray, expected: float) -> float:
    """Standard deviation of true distances whose noisy ones (N,) are given, one step of expectation maximisation.

    Each true distance is normal, between what was measured and 0; `expected` counts as one more that was seen.
    """
    gain = spread**2 / (spread**2 + noise)
    total = np.sum(weight * ((gain * away) ** 2 + gain * noise)) + AS_IF * expected**2
    return float(np.sqrt(total / (weight.sum() + AS_IF)))


def faintest(std: np.ndarray) -> float:
    """Height that is seen in 95 of 100 cases where 1 % of the empty sites are taken for filled ones; errors (N,)."""
    return (FALSE + POWER) * float(np.median(std))


def expected_places(sites: pd.DataFrame) -> np.ndarray:
    """Where the neighbours of each site put it, (M, 2), px; where it is said to be if it has none.

    Parameters
    ----------
    sites : DataFrame
        Of one frame: ``grain, sublattice, site_u, site_v, y_px, x_px, present``.
    """
    places = sites[["y_px", "x_px"]].to_numpy(float)
    found = places.copy()
    for _, rows in sites.groupby([GRAIN, SUBLATTICE]).indices.items():
        index = sites[list(SITE)].to_numpy(int)[rows]
        there = sites["present"].to_numpy(bool)[rows]
        if np.count_nonzero(there) < 4:
            continue
        design = np.column_stack([np.ones(len(rows)), index])
        basis = np.linalg.lstsq(design[there], places[rows][there], rcond=None)[0][1:]
        low, high = index.min(axis=0) - 1, index.max(axis=0) + 2
        away = np.full((*(high - low), 2), np.nan)
        own = places[rows] - index @ basis
        away[tuple((index - low)[there].T)] = own[there]
        around = [away[tuple((index - low + step).T)] for step in _STEPS]
        pairs = [_nanmean(np.stack(pair)) for pair in _paired(around)]
        mean = _nanmean(np.stack(pairs))
        put = mean + index @ basis
        # Neighbours that put it elsewhere are not its own: a cell that is one of several kinds, or a wrong lattice.
        with np.errstate(invalid="ignore"):
            known = np.hypot(*(put - places[rows]).T) < FARTHEST * neighbour_distance(places)
        found[rows[known]] = put[known]
    return found


def unlisted_places(sites: pd.DataFrame) -> np.ndarray:
    """Places between the sites of each sublattice where no site is listed, (M, 2), px: where too few neighbours stand around.

    Parameters
    ----------
    sites : DataFrame
        Of one frame; see :func:`expected_places`.
    """
    listed = sites[["y_px", "x_px"]].to_numpy(float)
    apart = neighbour_distance(listed)
    found = []
    for rows in sites.groupby([GRAIN, SUBLATTICE]).indices.values():
        index = sites[list(SITE)].to_numpy(int)[rows]
        if len(rows) < 6 or min(np.ptp(index, axis=0)) < 2:
            continue
        design = np.column_stack([np.ones(len(rows)), index])
        fit = np.linalg.lstsq(design, listed[rows], rcond=None)[0]
        ranges = [np.arange(low, high + 1) for low, high in zip(index.min(axis=0), index.max(axis=0), strict=True)]
        cells = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 2)
        places = np.column_stack([np.ones(len(cells)), cells]) @ fit
        # A slow bend moves it as it moves the nearest listed one.
        nearest = cKDTree(listed[rows]).query(places)[1]
        places = places + (listed[rows] - design @ fit)[nearest]
        found.append(places[Delaunay(listed[rows]).find_simplex(places) >= 0])
    if not found or not np.isfinite(apart):
        return np.zeros((0, 2))
    places = np.concatenate(found)
    return places[cKDTree(listed).query(places)[0] > 0.6 * apart]


_STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)])


def _paired(around: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Opposite neighbours, whose mean a slow bend leaves in place; of a pair that lacks one, nothing unless all pairs do."""
    pairs = []
    for one, other in zip(around[::2], around[1::2], strict=True):
        whole = np.isfinite(one) & np.isfinite(other)
        pairs.append([np.where(whole, one, np.nan), np.where(whole, other, np.nan)])
    alone = ~np.any([np.isfinite(pair[0]).all(axis=1) for pair in pairs], axis=0)
    for pair, one, other in zip(pairs, around[::2], around[1::2], strict=True):
        pair[0][alone], pair[1][alone] = one[alone], other[alone]
    return pairs


def _nanmean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _log_normal(away: np.ndarray | float, variance: np.ndarray) -> np.ndarray:
    return np.asarray(-0.5 * away * away / variance - 0.5 * np.log(2 * np.pi * variance))
