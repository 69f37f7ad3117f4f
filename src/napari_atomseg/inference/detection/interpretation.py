"""From maps of class probabilities to structures with positions: Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, section 2.5.

Each step is a function of its own, so that what it gives can be shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from napari_atomseg.inference.structure_confidence import CORE, SURE

EPSILON, REJECTION = 0.995, 0.5
"""Epsilon and t of the paper."""
SMOOTHING = 0.6
"""Blur before minima are looked for, in widths of the labels, so that ripples of one structure are one (ours)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Structures:
    """Structures that were recognised.

    Attributes
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
        Centres of mass of the segments.
    probabilities : ndarray, shape (N, K)
        Of each class but the background, if there is a structure; rows sum to 1.
    foreground : ndarray, shape (N,)
        Mean probability of all these classes over the structure's core.
    spread : ndarray, shape (N,), px
        How far the map lets a structure be off along one axis: root mean square distance of its foreground from the centre,
        beyond that of a sure one.
    segments : ndarray of int, shape (Y, X)
        Segment of every pixel: number n belongs to row n - 1, 0 to none; also of those that were rejected.
    kept : ndarray of int, shape (N,)
        Numbers of the segments of the rows.
    """

    positions: np.ndarray
    probabilities: np.ndarray
    foreground: np.ndarray
    spread: np.ndarray
    segments: np.ndarray
    kept: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """The most probable class of each, shape (N,), counted from 0."""
        return np.argmax(self.probabilities, axis=1) if len(self.positions) else np.zeros(0, int)

    @property
    def confidence(self) -> np.ndarray:
        """Foreground in units of that of a sure structure, at most 1, shape (N,)."""
        return np.minimum(self.foreground / SURE, 1.0)


def interpret(maps: np.ndarray, width: float, epsilon: float = EPSILON, rejection: float = REJECTION) -> Structures:
    """Structures in the maps of a network.

    Parameters
    ----------
    maps : ndarray, shape (K + 1, Y, X)
        Probabilities of the classes, the background last; each pixel's sum to 1 (Eq. 1).
    width : float, px
        Standard deviation of the labels that the network learnt from.
    epsilon : float
        Minima of the background below this are looked at, and segments end there.
    rejection : float
        t of Eq. 8: a structure's classes together have to be so many times as probable as the background.
    """
    background, classes = np.asarray(maps[-1], float), np.asarray(maps[:-1], float)
    segments = segments_of(background, minima(background, width, epsilon), epsilon)
    centres = centres_of_mass(1 - background, segments)
    sums = core_sums(maps, centres, segments, CORE * width)
    foreground, behind = sums[:, :-1].sum(axis=1), sums[:, -1]
    kept = np.flatnonzero(accepted(foreground, behind, rejection))
    total = np.maximum(foreground[kept], 1e-12)
    return Structures(
        positions=centres[kept],
        probabilities=sums[kept, : len(classes)] / total[:, None],
        foreground=total / np.maximum(foreground[kept] + behind[kept], 1e-12),
        spread=spreads(1 - background, segments, centres, width)[kept],
        segments=segments,
        kept=kept + 1,
    )


def minima(background: np.ndarray, width: float, epsilon: float) -> np.ndarray:
    """Numbered minima of the background below epsilon, of int, shape (Y, X); 0 elsewhere.

    Parameters
    ----------
    background : ndarray, shape (Y, X)
        Probability that there is nothing.
    width : float, px
        Of the labels.
    epsilon : float
        From 0 to 1.
    """
    smooth = ndimage.gaussian_filter(background, SMOOTHING * width)
    lowest = (smooth == ndimage.minimum_filter(smooth, 3)) & (background < epsilon)
    return np.asarray(ndimage.label(lowest, structure=np.ones((3, 3)))[0])


def segments_of(background: np.ndarray, markers: np.ndarray, epsilon: float) -> np.ndarray:
    """Basins of the minima by Meyer's watershed, bounded by epsilon; of int, shape (Y, X).

    Parameters
    ----------
    background : ndarray, shape (Y, X)
        Probability that there is nothing.
    markers : ndarray of int, shape (Y, X)
        See :func:`minima`.
    epsilon : float
        From 0 to 1.

    References
    ----------
    Meyer, Signal Process. 38, 113 (1994), as scikit-image has it.
    """
    return np.asarray(watershed(background, markers, mask=background < epsilon))


def centres_of_mass(foreground: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Centre of every segment, weighted with the foreground, shape (N, 2), px, (y, x).

    Parameters
    ----------
    foreground : ndarray, shape (Y, X)
        One minus the background.
    segments : ndarray of int, shape (Y, X)
    """
    y, x = np.nonzero(segments)
    which, weight = segments[y, x] - 1, foreground[y, x]
    count = int(segments.max(initial=0))
    total = np.maximum(np.bincount(which, weight, count), 1e-12)
    return np.stack([np.bincount(which, weight * along, count) / total for along in (y, x)], axis=1)


def spreads(foreground: np.ndarray, segments: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Standard deviation along one axis of the foreground of every segment beyond that of a label, shape (N,), px.

    Parameters
    ----------
    foreground : ndarray, shape (Y, X)
    segments : ndarray of int, shape (Y, X)
    centres : ndarray, shape (N, 2), px, (y, x)
    width : float, px
        Of the labels.
    """
    y, x = np.nonzero(segments)
    which, weight = segments[y, x] - 1, foreground[y, x]
    square = (y - centres[which, 0]) ** 2 + (x - centres[which, 1]) ** 2
    total = np.maximum(np.bincount(which, weight, len(centres)), 1e-12)
    return np.asarray(np.sqrt(np.maximum(np.bincount(which, weight * square, len(centres)) / total / 2 - width**2, 0.0)))


def core_sums(maps: np.ndarray, centres: np.ndarray, segments: np.ndarray, radius: float) -> np.ndarray:
    """Sum of each map over what lies near the centre of each segment, and within it (Eq. 7), shape (N, K + 1).

    Parameters
    ----------
    maps : ndarray, shape (K + 1, Y, X)
        Probabilities of the classes and of the background.
    centres : ndarray, shape (N, 2), px, (y, x)
    segments : ndarray of int, shape (Y, X)
    radius : float, px
        Of the core.
    """
    y, x = np.nonzero(segments)
    which = segments[y, x] - 1
    near = np.hypot(y - centres[which, 0], x - centres[which, 1]) <= radius
    y, x, which = y[near], x[near], which[near]
    return np.stack([np.bincount(which, one[y, x], len(centres)) for one in maps], axis=1)


def accepted(foreground: np.ndarray, background: np.ndarray, rejection: float) -> np.ndarray:
    """Which segments are kept: those whose classes together are at least t times the background (Eq. 8), shape (N,).

    Parameters
    ----------
    foreground, background : ndarray, shape (N,)
        Sums over the cores.
    rejection : float
        The t of the paper.
    """
    return np.asarray((foreground >= rejection * background) & (foreground > 0))
