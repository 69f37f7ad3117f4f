"""The best of several placements, and which others are as good: crystals are periodic."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace

import numpy as np

from napari_atomseg.core.jobs import Progress
from napari_atomseg.registration.pixel_noise import pixel_noise
from napari_atomseg.registration.placement import LEAST_SIDE, Limits, Placement
from napari_atomseg.registration.refine import overlapping, refine_placement, unexplained_share
from napari_atomseg.registration.spline_image import SplineImage, points_of

RANKED = 25_000  # pixels that take part in the fit of each candidate
_SIGNIFICANT = 100.0  # difference of chi squared beyond which a shift is better: bright pixels are noisier than the mean
_MUCH_LESS = 0.75  # overlap in parts of another's, with which a shift has to be better by much to be chosen:
_LESS = 0.97  # the same, of two places in which the simulation is the same
_FITTED_AWAY = 0.5  # by so much of the variance that is neither explained nor noise
_SAME = 1e-4  # difference of squared correlations that interpolation may make
_AS_GOOD = 0.02  # relative difference of the unexplained variance of shifts that are told


def choose_placement(
    starts: list[Placement],
    same: np.ndarray,
    simulated: np.ndarray,
    experimental: np.ndarray,
    pixels: tuple[tuple[float, float], tuple[float, float]],
    limits: Limits,
) -> Generator[Progress, None, tuple[Placement, list[tuple[float, float]]]]:
    """The best of a few placements, of which the first moves least, and the differences of other shifts that are as good.

    That is the first one than which none is better by more than noise can make it. Images are compared that were not
    filtered: their noise is independent, and nothing differs near the borders. Where the simulation itself is the same in both
    places (`same`, shape (N, N)), a smaller overlap is never better: it only fits what the experiment shows there, such as a
    bent scan.

    Parameters
    ----------
    starts : list of Placement
        The one that moves least stands first.
    same : ndarray of bool, shape (N, N)
        Placements in which the simulation itself is the same.
    simulated, experimental : ndarray, shape (Y, X)
        Not filtered; NaN where they are unknown.
    pixels : tuple of (float, float), Å, (y, x)
        Pixel sizes of both.
    limits : Limits

    Returns
    -------
    placement : Placement
    others : list of tuple of float, Å, (y, x)
        Differences of other shifts that are as good, the shortest first.
    """
    surface, finest = SplineImage(simulated, pixels[0]), min(pixels[1])
    points, values = points_of(experimental, pixels[1], RANKED)
    placements = []
    for number, start in enumerate(starts):
        yield Progress(number, 2 * len(starts), "comparing shifts")
        placements.append(refine_placement(points, values, surface, start, limits, 1e-3 * finest, rounds=8)[0])
    placements = yield from _turned_alike(placements, points, values, surface, 1e-3 * finest)
    images = np.full((len(placements), len(points)), np.nan)
    for image, placement in zip(images, placements, strict=True):
        known, places = overlapping(points, surface, placement)
        image[known] = surface.at(places)
    gained, doubt, unexplained = _gains(values, images, _noise_share(experimental), same)
    reached = np.isfinite(images).sum(axis=1)
    smaller = reached[:, None] < _MUCH_LESS * reached
    gained = np.where(smaller & same, np.minimum(gained, 0.0), gained)
    beaten = (gained - doubt).max(axis=0)
    chosen = int(np.argmax(beaten <= 0)) if (beaten <= 0).any() else int(np.argmin(beaten))
    middle = surface.extent[None] / 2
    others: list[tuple[float, float]] = []
    for rival, placement in enumerate(placements):
        apart = (placement.on_experiment(middle) - placements[chosen].on_experiment(middle))[0]
        new = all(math.dist(apart, one) > 3 * finest for one in [(0, 0), *others])
        if new and -gained[rival, chosen] <= max(doubt[rival, chosen], _AS_GOOD * unexplained[rival, chosen]):
            others.append((float(apart[0]), float(apart[1])))
    return placements[chosen], sorted(others, key=lambda one: math.hypot(*one))


def _turned_alike(
    placements: list[Placement], points: np.ndarray, values: np.ndarray, surface: SplineImage, tolerance: float
) -> Generator[Progress, None, list[Placement]]:
    """The same shifts, all with the rotation and magnification of the placement that explains most.

    Over a small overlap these fit what happens to be there, such as the displacements of a few rows, and would make it the best.
    """
    reached = [int(overlapping(points, surface, placement)[0].sum()) for placement in placements]
    power = [
        count * (1 - unexplained_share(points, values, surface, one)) for count, one in zip(reached, placements, strict=True)
    ]
    model = placements[int(np.argmax(power))]
    middle = surface.extent[None] / 2
    found = []
    for number, one in enumerate(placements):
        yield Progress(len(placements) + number, 2 * len(placements), "comparing shifts")
        start = replace(model, shift=(0.0, 0.0))
        y, x = (one.on_experiment(middle) - start.on_experiment(middle))[0]
        start = replace(model, shift=(float(y), float(x)))
        found.append(refine_placement(points, values, surface, start, Limits(rotation=0, scale=0), tolerance, rounds=8)[0])
    return found


def _noise_share(image: np.ndarray) -> float:
    """Share of an image's variance that is noise from pixel to pixel."""
    return min(1.0, pixel_noise(np.nan_to_num(image)) ** 2 / max(float(np.nanvar(image)), np.finfo(float).tiny))


def _gains(
    values: np.ndarray, images: np.ndarray, noise_share: float, same: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much more of the variance one image explains than another, what of that noise can make, and what is left.

    Over the pixels that both reach, since noise differs from place to place; images that have none in common, over their own.

    Parameters
    ----------
    values : ndarray, shape (P,)
    images : ndarray, shape (N, P)
        NaN where they do not reach.
    noise_share : float
        Of the variance of the values; what else is not explained is the model's, and differs from place to place.
    same : ndarray of bool, shape (N, N)
        Places in which the simulation is the same: there any smaller overlap has to explain much more.

    Returns
    -------
    gained, doubt, unexplained : ndarray, shape (N, N)
        Of each image (row) over each other one.
    """
    known = np.isfinite(images).astype(float)
    level = values - values.mean()
    expected = np.where(known > 0, images - np.nanmean(images), 0.0)
    count = np.maximum(known @ known.T, 1)
    # Entry (i, j): mean over the pixels of both i and j, of the values or of image i.
    mean_seen, mean_expected = (known * level) @ known.T / count, expected @ known.T / count
    seen = (known * level**2) @ known.T / count - mean_seen**2
    power = expected**2 @ known.T / count - mean_expected**2
    product = (expected * level) @ known.T / count - mean_seen * mean_expected
    explained = np.maximum(product, 0) ** 2 / np.maximum(seen * power, np.finfo(float).tiny)
    own, number = np.diag(explained), np.diag(count)
    apart = count < LEAST_SIDE**2
    gained = np.where(apart, own[:, None] - own, explained - explained.T)
    unexplained = 1 - np.where(apart, np.maximum(own[:, None], own), np.maximum(explained, explained.T))
    # Of places that are apart the noise differs too.
    chance = 2 * math.sqrt(_SIGNIFICANT) * unexplained / np.sqrt(np.minimum(number[:, None], number))
    noise = np.where(apart, chance, _SIGNIFICANT * unexplained / count)
    # The shift too is fitted to the few rows of a small overlap.
    smaller = number[:, None] < np.where(same, _LESS, _MUCH_LESS) * number
    misfit = _FITTED_AWAY * np.maximum(unexplained - noise_share, 0.0)
    return gained, np.maximum(np.maximum(_SAME, np.where(smaller, misfit, 0.0)), noise), unexplained
