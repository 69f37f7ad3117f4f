"""What is expected of the frames of a sequence, from their average, and better from pass to pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from napari_atomseg.analysis.sequences.evidence import Evidence, Scene, drawn, patches_of

ROUNDS, FAINT = 12, 1e-3
WIDTHS = 0.05
"""Share by which widths of columns are varied."""
CLEAR_OF_COLUMNS = 2.0
"""In widths of a column: what is farther from all of them is background to begin with."""
LARGEST_STEP = 0.5
"""A place moves by at most so much in a pass, in widths of a column."""
LEAST_HEIGHT = 0.1
"""Scatter of the heights of columns that come and go, at least, in units of their median."""
FEWEST = 6
"""Sites that come and go which tell how high their columns are; if there are fewer, all sites do."""
RARE, FREQUENT = 0.03, 0.95
"""Shares of frames between which a site's column comes and goes."""


def neighbour_distance(places: np.ndarray) -> float:
    """The usual distance (px) of the nearest neighbours of places (S, 2); infinite for fewer than two."""
    if len(places) < 2:
        return float("inf")
    return float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))


def scene_of(average: np.ndarray, places: np.ndarray, sigma: float) -> Scene:
    """What the average of all frames shows: mean heights, and a smooth background.

    Parameters
    ----------
    average : ndarray, shape (Y, X)
        On the grid of frame 0; NaN where it is unknown.
    places : ndarray, shape (S, 2), px, (y, x)
    sigma : float, px
        Width of a column.
    """
    shape = (average.shape[0], average.shape[1])
    known = np.isfinite(average)
    image = np.where(known, average, 0.0)
    patches = patches_of(places, sigma, shape)
    profile = patches.profile * known.ravel()[patches.index]
    rows = np.repeat(np.arange(len(places)), patches.index.shape[1])
    design = sparse.csr_matrix((profile.ravel(), (rows, patches.index.ravel())), shape=(len(places), image.size))
    normal = (design @ design.T + sparse.identity(len(places)) * 1e-6).tocsc()
    wide = _smoothing(places, sigma)
    clear = known & (drawn(patches, np.ones(len(places)), shape) < np.exp(-(CLEAR_OF_COLUMNS**2) / 2))
    background, smooth = _Smooth(clear if clear.any() else known, wide).of(image), _Smooth(known, wide)
    heights = np.zeros(len(places))
    for _ in range(ROUNDS if len(places) else 0):
        heights = np.atleast_1d(spsolve(normal, design @ (known * (image - background)).ravel()))
        background = smooth.of(image - drawn(patches, heights, shape))
    rest = float(np.var((image - background - drawn(patches, heights, shape))[known])) if known.any() else 1.0
    return Scene(places=places, heights=heights, sigma=sigma, background=background, gain=max(rest, 1e-12), offset=-1.0)


def _smoothing(places: np.ndarray, sigma: float) -> float:
    apart = neighbour_distance(places)
    return max(apart if np.isfinite(apart) else 0.0, 3 * sigma)


class _Smooth:
    """Gaussian means over the pixels of a mask; far from all of them the mean of the whole mask.

    Parameters
    ----------
    where : ndarray of bool, shape (Y, X)
    sigma : float, px
    """

    def __init__(self, where: np.ndarray, sigma: float) -> None:
        self._where, self._sigma = where, sigma
        self._share = ndimage.gaussian_filter(where.astype(float), sigma, mode="nearest")

    def of(self, image: np.ndarray) -> np.ndarray:
        """The means of an image (Y, X)."""
        total = ndimage.gaussian_filter(np.where(self._where, image, 0.0), self._sigma, mode="nearest")
        overall = float(image[self._where].mean()) if self._where.any() else 0.0
        return np.asarray((total + FAINT * overall) / (self._share + FAINT))


def noise_of(sums: np.ndarray) -> tuple[float, float]:
    """Gain and offset of the noise, from the sums of :class:`Evidence` over all frames: variance = gain (mean - offset)."""
    _, mean, square, variance, mixed = sums / max(float(sums[0]), 1.0)
    spread = square - mean**2
    gain = (mixed - mean * variance) / spread if spread > 0 else 0.0
    # A noise that hardly grows with the intensity is one of counts on a high level.
    gain = max(float(gain), float(variance) / (50 * np.sqrt(max(spread, 1e-30)) + abs(mean)), 1e-12)
    return gain, float(mean - variance / gain)


def levels_of(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level and contrast of each frame, shape (T,) each: 1 as far as the differences of the frames are noise alone.

    Parameters
    ----------
    found : ndarray, shape (T, 2, 2)
        Level and contrast of each frame, and their variances.
    """
    kept = []
    for values, variances in ((found[:, 0, k], found[:, 1, k]) for k in range(2)):
        good = np.isfinite(values) & np.isfinite(variances)
        if good.sum() < 3:
            kept.append(np.ones(len(values)))
            continue
        middle = float(np.median(values[good]))
        scatter = float(np.var(values[good]))
        real = max(0.0, 1 - float(np.mean(variances[good])) / max(scatter, 1e-30))
        kept.append(np.where(good, 1 + real * (values / max(middle, 1e-12) - 1), 1.0))
    return np.clip(kept[0], 0.05, 20), np.clip(kept[1], 0.05, 20)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """The evidence of all frames.

    Attributes
    ----------
    ratio, height, variance : ndarray, shape (S, T)
    seen : ndarray of bool, shape (S, T)
    push, stiffness : ndarray, shape (S, 2)
    levels : ndarray, shape (T, 2, 2)
    noise : ndarray, shape (5,)
    novelty : ndarray, shape (Y, X), or None
        Logarithm of the likelihood ratio for a site at each pixel that is occupied now and then.
    """

    ratio: np.ndarray
    height: np.ndarray
    variance: np.ndarray
    seen: np.ndarray
    push: np.ndarray
    stiffness: np.ndarray
    levels: np.ndarray
    noise: np.ndarray
    novelty: np.ndarray | None


class Gathering:
    """Takes the evidence of one frame after the other, and keeps no frame.

    Parameters
    ----------
    sites, frames : int
    shape : tuple of int
        Of a frame.
    shares : sequence of float
        Shares of the frames in which a new site may be occupied; the likeliest one holds at each pixel.
    """

    def __init__(self, sites: int, frames: int, shape: tuple[int, int], shares: Sequence[float] = ()) -> None:
        self._tables = np.zeros((3, sites, frames))
        self._seen = np.zeros((sites, frames), bool)
        self._place, self._noise = np.zeros((2, sites, 2)), np.zeros(5)
        self._levels = np.full((frames, 2, 2), np.nan)
        self._shares, self._novelty = tuple(shares), np.zeros((len(shares), *shape))

    def take(self, frame: int, one: Evidence) -> None:
        """Add the evidence of a frame, by its number."""
        self._tables[:, :, frame] = one.ratio, one.height, one.variance
        self._seen[:, frame] = one.seen
        self._place += (one.push, one.stiffness)
        self._noise += one.noise
        self._levels[frame] = one.levels
        if one.novelty is not None:
            ratio = np.exp(np.clip(one.novelty, -60, 60).astype(float))
            for share, total in zip(self._shares, self._novelty, strict=True):
                total += np.log1p(share * (ratio - 1))

    def all(self) -> Gathered:
        """What has been taken so far."""
        return Gathered(
            ratio=self._tables[0],
            height=self._tables[1],
            variance=self._tables[2],
            seen=self._seen,
            push=self._place[0],
            stiffness=self._place[1],
            levels=self._levels,
            noise=self._noise,
            novelty=self._novelty.max(axis=0) if len(self._shares) else None,
        )


def first_heights(found: Gathered) -> np.ndarray:
    """Heights of columns (S,) that are there in an unknown share of the frames, from the first two moments of what was fitted.

    A height a in a share q of the frames gives the mean q a and, above the noise, the mean square q a^2.
    """
    known = np.isfinite(found.height)
    number = np.maximum(known.sum(axis=1), 1)
    heights = np.where(known, found.height, 0.0)
    mean = heights.sum(axis=1) / number
    square = np.where(known, found.height**2 - found.variance, 0.0).sum(axis=1) / number
    error = np.sqrt(np.where(known, found.variance, 0.0).sum(axis=1)) / number
    sure = np.abs(mean) > 4 * error
    ratio = np.where(sure, square / np.where(sure, mean, 1.0), 0.0)
    sign = np.sign(np.median(mean)) or 1.0
    usual = float(np.median(ratio[sure])) if sure.any() else sign
    typical = abs(usual) if usual else 1.0
    return sign * np.clip(np.where(sure, np.abs(ratio), typical), 0.2 * typical, 5 * typical)


def novel_height(heights: np.ndarray, presence: np.ndarray) -> tuple[float, float]:
    """Height of the columns that come and go, and its scatter; of all columns if few come and go.

    Parameters
    ----------
    heights : ndarray, shape (S,)
    presence : ndarray, shape (S, T)
    """
    if not len(heights):
        return 0.0, 1.0
    share = np.nanmean(presence, axis=1)
    some = heights[(share > RARE) & (share < FREQUENT)]
    some = some if len(some) >= FEWEST else heights
    middle = float(np.median(some))
    return middle, max(1.4826 * float(np.median(np.abs(some - middle))), LEAST_HEIGHT * abs(middle))


def improved(scene: Scene, found: Gathered, presence: np.ndarray, average: np.ndarray) -> Scene:
    """The scene after a pass: heights, places, width, background and noise that suit what was seen.

    Parameters
    ----------
    scene : Scene
    found : Gathered
    presence : ndarray, shape (S, T)
        Probability of a column at each site in each frame that was looked at.
    average : ndarray, shape (Y, X)
        Of these frames, on the grid of frame 0.
    """
    tiny = 1 / (LARGEST_STEP * scene.sigma) ** 2
    steps = np.clip(found.push / (found.stiffness + tiny), -LARGEST_STEP * scene.sigma, LARGEST_STEP * scene.sigma)
    mean = _best_width(average, scene.places + steps, scene.sigma)
    usual, scatter = novel_height(scene.heights, presence)
    weight = np.where(np.isfinite(found.height), presence / np.maximum(found.variance, 1e-30), 0.0)
    heights = (np.sum(weight * np.nan_to_num(found.height), axis=1) + usual / scatter**2) / (weight.sum(axis=1) + scatter**-2)
    share = presence.mean(axis=1)
    # The average tells light of columns from that below them; the frames tell it from that of empty sites.
    heights = np.where(share > FREQUENT, mean.heights / np.maximum(share, FREQUENT), heights)
    gain, offset = noise_of(found.noise)
    return replace(mean, heights=heights, gain=gain, offset=min(offset, float(mean.background.min()) - 1e-9))


def _best_width(average: np.ndarray, places: np.ndarray, sigma: float) -> Scene:
    """What the average shows, with the width of columns near `sigma` that suits it best."""
    widths = sigma * np.array([1 - WIDTHS, 1.0, 1 + WIDTHS])
    left = np.array([scene_of(average, places, width).gain for width in widths])
    bend = left[0] - 2 * left[1] + left[2]
    step = 0.5 * (left[0] - left[2]) / bend if bend > 0 else float(np.argmin(left)) - 1
    return scene_of(average, places, float(sigma * (1 + WIDTHS * np.clip(step, -1, 1))))
