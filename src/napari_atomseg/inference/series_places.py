"""Where the images of a focal series lie on each other, by the columns that a network sees in each of them alone.

A crystal looks much the same after a shift by a period of its lattice; what tells is its outline, and how many atoms its
columns have. All images are compared with each other at once, so that one that shows little is not the only witness.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

LEAST_IN_COMMON = 0.3
"""Correlation of what is seen in two images below which their shift is not known."""
CLEARLY = 0.01
"""By so much the mean correlation has to be higher for images to be moved, and the best places above others to be sure of them.
Set with 42 particles of 34 to 102 columns at 300 e/Å² in three images; with more dose, all differ by more."""
REACH = 2
"""Places so near to each other count as one, px along each axis."""
ANOTHER = 3.0
"""Places farther apart than this are different ones, px."""
CHOICES, COMBINED = 9, 6000
"""Shifts that are tried for each image, and combinations of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Where images lie.

    Attributes
    ----------
    shifts : ndarray, shape (F, 2), px, (y, x)
        What lies at p in the middle image lies at p + shift in each.
    sure : bool
        False where other places, a period of the lattice away, fit about as well.
    """

    shifts: np.ndarray
    sure: bool


def presence(chances: np.ndarray) -> np.ndarray:
    """What is compared of an image: whether there is a column, and of how many atoms, of unit length.

    Parameters
    ----------
    chances : ndarray, shape (K, Y, X)
        Probability of every number of atoms.

    Returns
    -------
    ndarray, shape (K + 1, Y, X)
        All zero where nothing is seen. The product of two is the mean of two correlations: of the probabilities that there is a
        column, and of the distributions of its atoms (Bhattacharyya's coefficient).
    """
    there = chances.sum(axis=0, dtype=float)
    parts = [part / max(float(np.linalg.norm(part)), 1e-12) for part in (there[None], np.sqrt(chances, dtype=float))]
    return np.concatenate(parts) / np.sqrt(2)


def places_of(seen: Sequence[np.ndarray]) -> Places:
    """Where images lie, the middle one in its place.

    Parameters
    ----------
    seen : sequence of ndarray, shape (C, Y, X)
        As :func:`presence` gives it for each image.

    Notes
    -----
    They are moved only where the mean correlation of all pairs rises clearly; an image that has too little in common with the
    middle one stays where it is.
    """
    count, middle = len(seen), len(seen) // 2
    pairs = {pair: correlation(seen[pair[0]], seen[pair[1]]) for pair in itertools.combinations(range(count), 2)}
    kept = max(2, min(CHOICES, int(COMBINED ** (1 / max(1, count - 1)))))
    choices = [
        [np.zeros(2, int)] if place == middle else _choices(_between(pairs, middle, place), kept) for place in range(count)
    ]
    tried = list(itertools.product(*choices))
    scores = np.array([_score(pairs, shifts) for shifts in tried])
    still = _score(pairs, [np.zeros(2, int)] * count)
    best = int(scores.argmax())
    chosen = np.array(tried[best] if scores[best] > still + CLEARLY else np.zeros((count, 2), int))
    other = [np.hypot(*(np.array(shifts) - chosen).T).max() > ANOTHER for shifts in tried]
    lead = _score(pairs, list(chosen)) - (scores[other].max() if any(other) else -np.inf)
    exact = [_exactly(_between(pairs, middle, place), shift) if place != middle else shift for place, shift in enumerate(chosen)]
    return Places(shifts=np.array(exact, float), sure=bool(lead > CLEARLY))


def correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum of products of two images (C, Y, X) at every shift of the second against the first, shape (2 Y, 2 X), periodic."""
    wide = [2 * side for side in first.shape[-2:]]
    spectrum = sum(np.fft.rfft2(b, wide) * np.conj(np.fft.rfft2(a, wide)) for a, b in zip(first, second, strict=True))
    return np.asarray(np.fft.irfft2(spectrum, wide))


def _between(pairs: dict[tuple[int, int], np.ndarray], first: int, second: int) -> np.ndarray:
    """The correlation of two images, whichever of them comes first."""
    if first < second:
        return pairs[first, second]
    return np.roll(pairs[second, first][::-1, ::-1], (1, 1), (0, 1))


def _choices(found: np.ndarray, number: int) -> list[np.ndarray]:
    """No shift, and those at the highest maxima of a correlation, px."""
    shifts = [np.zeros(2, int)]
    if found.max() < LEAST_IN_COMMON:
        return shifts
    top = (ndimage.maximum_filter(found, 2 * REACH + 1, mode="wrap") == found) & (found > found.max() / 2)
    order = np.argsort(-found[top])[: number - 1]
    sides = np.array(found.shape)
    return shifts + [np.where(one > sides // 2, one - sides, one) for one in np.argwhere(top)[order]]


def _score(pairs: dict[tuple[int, int], np.ndarray], shifts: Sequence[np.ndarray]) -> float:
    """Mean correlation of all pairs of images at given shifts."""
    return float(np.mean([_around(found, shifts[b] - shifts[a]).max() for (a, b), found in pairs.items()]))


def _around(found: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """A correlation at shifts near to a given one, shape (2 R + 1, 2 R + 1)."""
    y, x = (np.arange(step - REACH, step + REACH + 1) % side for step, side in zip(shift, found.shape, strict=True))
    return np.asarray(found[np.ix_(y, x)])


def _exactly(found: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The maximum of a correlation near to a shift, between the pixels, by parabolas along both axes; 0 where there is none."""
    near = _around(found, shift)
    if near.max() < LEAST_IN_COMMON:
        return np.zeros(2)
    top = shift + np.array(np.unravel_index(int(near.argmax()), near.shape)) - REACH
    part = []
    for axis in (0, 1):
        step = np.eye(2, dtype=int)[axis]
        low, here, high = (found[tuple((top + way * step) % found.shape)] for way in (-1, 0, 1))
        bend = low - 2 * here + high
        part.append(0.0 if bend >= 0 else float(np.clip((low - high) / (2 * bend), -1, 1)))
    return np.asarray(top + np.array(part))
