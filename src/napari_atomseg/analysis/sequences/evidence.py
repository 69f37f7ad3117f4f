r"""What a frame says of each site: how likely it is with a column of the site's usual shape, and without it.

For counts n with the expectation \lambda without the column and \lambda + a g with it the logarithm of the ratio is

.. math:: L = \sum n \ln(1 + a g / \lambda) - a g,

the best test there is of the two (Neyman & Pearson, Phil. Trans. R. Soc. A 231 (1933) 289). Intensities that are no counts are
put on their scale by the gain and the offset with which their variance grows: a recording with a noise of its own is then one of
counts on a higher level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

REACH = 3.2
"""Columns are drawn out to so many standard deviations."""
SEEN = 0.6
"""Share of a column's power that has to lie on known pixels for a frame to tell whether it is there."""
LEAST_COUNTS = 1e-3
"""No place is expected to be darker than this share of the usual level, or single counts there would be worth everything."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What is expected of all frames.

    Attributes
    ----------
    places : ndarray, shape (S, 2), px, (y, x)
        Of the sites, in frame 0.
    heights : ndarray, shape (S,)
        Of a column there, above the background; negative for dark columns.
    sigma : float, px
        Width of a column, standard deviation.
    background : ndarray, shape (Y, X)
        On the grid of frame 0.
    gain, offset : float
        The variance of a pixel is gain (intensity - offset).
    """

    places: np.ndarray
    heights: np.ndarray
    sigma: float
    background: np.ndarray
    gain: float
    offset: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """What is assumed of one frame.

    Attributes
    ----------
    shift : ndarray, shape (2,), px, (y, x)
        Where the content moved since frame 0.
    presence : ndarray, shape (S,)
        Probability that a column stands at each site.
    level, contrast : float
        Of the background, and of the columns, in units of those of the scene.
    novel : float
        Height of columns that are looked for where no site is; 0 for none.
    """

    shift: np.ndarray
    presence: np.ndarray
    level: float = 1.0
    contrast: float = 1.0
    novel: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What one frame says.

    Attributes
    ----------
    ratio : ndarray, shape (S,)
        Logarithm of the likelihood with a column over that without; 0 for sites that are not seen.
    seen : ndarray of bool, shape (S,)
    height, variance : ndarray, shape (S,)
        Fitted height above what else is there, and its variance if the site is empty.
    push, stiffness : ndarray, shape (S, 2)
        First derivative of the likelihood by the place of a column, and the information on it.
    levels : ndarray, shape (2, 2)
        Level and contrast that fit best, and their variances.
    noise : ndarray, shape (5,)
        Sums over the pixels of 1, m, m^2, r^2 and r^2 m: m the expectation, r the residual.
    novelty : ndarray, float32, shape (Y, X), or None
        Logarithm of the ratio for a further column at each pixel of frame 0's grid.
    """

    ratio: np.ndarray
    seen: np.ndarray
    height: np.ndarray
    variance: np.ndarray
    push: np.ndarray
    stiffness: np.ndarray
    levels: np.ndarray
    noise: np.ndarray
    novelty: np.ndarray | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Patches:
    """Pixels around sites: flat indices (S, P), whether they are in the frame, and the column's profile and its offsets there."""

    index: np.ndarray
    inside: np.ndarray
    profile: np.ndarray
    away: np.ndarray


def patches_of(places: np.ndarray, sigma: float, shape: tuple[int, int]) -> Patches:
    """Pixels around sites and the profile of a column of height 1 there.

    Parameters
    ----------
    places : ndarray, shape (S, 2), px, (y, x)
    sigma : float, px
    shape : tuple of int
        Of the frame.
    """
    radius = int(np.ceil(REACH * sigma))
    steps = np.stack(np.meshgrid(*[np.arange(-radius, radius + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
    steps = steps[np.hypot(*steps.T) <= radius]
    pixels = np.rint(places).astype(int)[:, None] + steps
    inside = np.all((pixels >= 0) & (pixels < np.array(shape)), axis=2)
    pixels = np.clip(pixels, 0, np.array(shape) - 1)
    away = pixels - places[:, None]
    profile = np.exp(-(away**2).sum(axis=2) / (2 * sigma**2)) * inside
    return Patches(index=pixels[..., 0] * shape[1] + pixels[..., 1], inside=inside, profile=profile, away=away)


def drawn(patches: Patches, heights: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The image (Y, X) of columns.

    Parameters
    ----------
    patches : Patches
        Where the columns are, and their profiles.
    heights : ndarray, shape (S,)
    shape : tuple of int
        (Y, X).
    """
    return np.bincount(
        patches.index.ravel(), (heights[:, None] * patches.profile).ravel(), minlength=shape[0] * shape[1]
    ).reshape(shape)


def look(frame: np.ndarray, moment: Moment, scene: Scene) -> Evidence:
    """What a frame says of the sites.

    Parameters
    ----------
    frame : ndarray, shape (Y, X)
        What is not finite is unknown.
    moment : Moment
    scene : Scene
    """
    shape = (frame.shape[0], frame.shape[1])
    known = np.isfinite(frame)
    patches = patches_of(scene.places + moment.shift, scene.sigma, shape)
    ground = _read_at(scene.background, -moment.shift)
    columns = drawn(patches, moment.presence * scene.heights, shape)
    expected = moment.level * ground + moment.contrast * columns
    residual = np.where(known, frame - expected, 0.0)
    counts = np.where(known, frame, 0.0) - scene.offset
    darkest = LEAST_COUNTS * max(float(np.mean(expected)) - scene.offset, scene.gain)
    light = np.maximum(expected - scene.offset, darkest)
    own = moment.contrast * scene.heights[:, None] * patches.profile
    use = patches.inside & known.ravel()[patches.index]
    at = patches.index
    without = np.maximum((expected - scene.offset).ravel()[at] - moment.presence[:, None] * own, darkest)
    full = np.maximum(without + own, darkest)
    seen = ((patches.profile * use) ** 2).sum(axis=1) >= SEEN * np.pi * scene.sigma**2
    ratio = np.sum(use * (counts.ravel()[at] * np.log(full / without) - (full - without)), axis=1) / scene.gain
    left = np.where(use, counts.ravel()[at] - without, 0.0)
    weight = use * patches.profile / full
    power = np.maximum(np.sum(weight * patches.profile, axis=1), 1e-30)
    height = np.sum(weight * left, axis=1) / power / moment.contrast
    variance = scene.gain * np.sum(weight**2 * without, axis=1) / power**2 / moment.contrast**2
    slope = own[..., None] * patches.away / scene.sigma**2 * use[..., None]
    unexplained = left - own
    push = moment.presence[:, None] * np.sum(slope * (unexplained / full)[..., None], axis=1) / scene.gain
    stiffness = moment.presence[:, None] * np.sum(slope**2 / full[..., None], axis=1) / scene.gain
    return Evidence(
        ratio=np.where(seen, ratio, 0.0),
        seen=seen,
        height=np.where(seen, height, np.nan),
        variance=variance,
        push=push,
        stiffness=stiffness,
        levels=_levels(frame, known, ground, columns, light, scene),
        noise=_noise_sums(residual[known], expected[known]),
        novelty=_novelty(residual, known, light, moment, scene) if moment.novel else None,
    )


def _read_at(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The image between its pixels: at each pixel plus a shift, linearly; as at its border beyond that."""
    found = image
    for axis, step in enumerate(shift):
        number = image.shape[axis]
        places = np.clip(np.arange(number) + step, 0, number - 1)
        before = np.minimum(places.astype(int), max(number - 2, 0))
        share = (places - before).reshape((-1, 1) if axis == 0 else (1, -1))
        after = np.minimum(before + 1, number - 1)
        found = found.take(before, axis) * (1 - share) + found.take(after, axis) * share
    return found


def on_first_grid(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """What a frame shows, on the grid of frame 0: float32 (Y, X), NaN beyond the frame.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    shift : ndarray, shape (2,), px, (y, x)
        Where the content moved.
    """
    found = _read_at(image, shift).astype(np.float32)
    for axis, step in enumerate(shift):
        places = np.arange(image.shape[axis]) + step
        beyond = (places < 0) | (places > image.shape[axis] - 1)
        found[beyond if axis == 0 else (slice(None), beyond)] = np.nan
    return found


def _levels(
    frame: np.ndarray, known: np.ndarray, ground: np.ndarray, columns: np.ndarray, light: np.ndarray, scene: Scene
) -> np.ndarray:
    """Level and contrast by weighted least squares, and their variances, shape (2, 2)."""
    weight = known / (scene.gain * light)
    a, b, c = np.sum(weight * ground**2), np.sum(weight * ground * columns), np.sum(weight * columns**2)
    data = np.where(known, frame, 0.0)
    right = np.array([np.sum(weight * ground * data), np.sum(weight * columns * data)])
    normal = np.array([[a, b], [b, c]])
    if np.linalg.det(normal) <= 1e-9 * max(a, c, 1e-300) ** 2:
        return np.array([[1.0, 1.0], [np.inf, np.inf]])
    return np.array([np.linalg.solve(normal, right), np.diag(np.linalg.inv(normal))])


def _noise_sums(residual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    square = residual**2
    return np.array([len(residual), expected.sum(), (expected**2).sum(), square.sum(), (square * expected).sum()], dtype=float)


def _novelty(residual: np.ndarray, known: np.ndarray, light: np.ndarray, moment: Moment, scene: Scene) -> np.ndarray:
    """Logarithm of the ratio for a further column at each pixel, to second order in its height; on the grid of frame 0."""
    height = moment.novel * moment.contrast
    # Half of the column's own light is there on average while it is looked for.
    weight = known / (scene.gain * np.maximum(light + max(height, 0.0) / 4, 1e-30))
    area = 2 * np.pi * scene.sigma**2
    matched = area * ndimage.gaussian_filter(residual * weight, scene.sigma, mode="constant", truncate=REACH)
    power = area / 2 * ndimage.gaussian_filter(weight, scene.sigma / np.sqrt(2), mode="constant", truncate=REACH)
    found = np.where(known, height * matched - height**2 * power / 2, np.nan)
    return np.nan_to_num(on_first_grid(found, moment.shift))
