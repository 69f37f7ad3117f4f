"""When columns stand at sites: a two-state hidden Markov model over the evidence of the frames, its rates learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_atomseg.analysis.hidden_markov import forward_backward, most_likely_path, two_states

ROUNDS, LEARNING, AT_REST = 200, 20, 1e-6
LIKE_THE_OTHERS = 12.0
"""Frames' worth of what all sites do that the rates of one site are held to."""
AS_IF = 0.5
"""Events that are taken as seen before, so that no rate becomes 0."""
SLOWEST, FASTEST = 1e-5, 0.9
SURELY_EMPTY, ENOUGH = 0.02, 50
MOST_DISPERSED = 20.0
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.95)
"""Shares of frames in which a site may be occupied, of which the likeliest one holds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Presence:
    """What each site does.

    Attributes
    ----------
    probability : ndarray, shape (S, T)
        Of a column there.
    appearing, disappearing : ndarray, shape (S, T - 1)
        Probability that it happens between a frame and the next.
    path : ndarray of bool, shape (S, T)
        The most likely course of each site as a whole.
    rates : ndarray, shape (S, 2)
        Probability of an appearance in a frame if the site is empty, and of a disappearance if it is not.
    """

    probability: np.ndarray
    appearing: np.ndarray
    disappearing: np.ndarray
    path: np.ndarray
    rates: np.ndarray


def follow(ratio: np.ndarray) -> Presence:
    """The course of all sites.

    Parameters
    ----------
    ratio : ndarray, shape (S, T)
        Logarithm of the likelihood of each frame with a column at the site over that without; 0 where nothing was seen.
    """
    sites, frames = ratio.shape
    emission = np.stack([np.zeros_like(ratio), ratio], axis=-1)
    share = np.clip(np.mean(ratio > 0, axis=1), 0.01, 0.99) if frames else np.full(sites, 0.5)
    rates = np.full((sites, 2), 0.05)
    before = -np.inf
    for _ in range(ROUNDS):
        found = forward_backward(emission, two_states(*rates.T), np.stack([1 - share, share], axis=-1))
        rates = _rates(found.pairs)
        share = np.clip(found.probabilities[..., 1].mean(axis=1), 1 / (2 * frames + 2), 1 - 1 / (2 * frames + 2))
        if found.log_likelihood - before < AT_REST * abs(found.log_likelihood):
            break
        before = found.log_likelihood
    transition, initial = two_states(*rates.T), np.stack([1 - share, share], axis=-1)
    found = forward_backward(emission, transition, initial)
    probability = found.probabilities[..., 1]
    more = np.diff(probability, axis=1)
    return Presence(
        probability=probability,
        appearing=np.clip((found.changes + more) / 2, 0, 1),
        disappearing=np.clip((found.changes - more) / 2, 0, 1),
        path=most_likely_path(emission, transition, initial).astype(bool),
        rates=rates,
    )


def _rates(pairs: np.ndarray) -> np.ndarray:
    """Rates of each site (S, 2) from its expected steps (S, 2, 2), held to those of all."""
    events = np.stack([pairs[:, 0, 1], pairs[:, 1, 0]], axis=-1)
    chances = pairs.sum(axis=2)
    usual = (events.sum(axis=0) + AS_IF) / (chances.sum(axis=0) + 2 * AS_IF)
    return np.clip((events + LIKE_THE_OTHERS * usual) / (chances + LIKE_THE_OTHERS), SLOWEST, FASTEST)


def dispersion(height: np.ndarray, variance: np.ndarray, probability: np.ndarray) -> float:
    """How much more the heights at empty sites scatter than counting makes them; 1 or more.

    Pixels whose noise is alike, and what is uneven below, make evidence look surer than it is; it is divided by this.

    Parameters
    ----------
    height, variance : ndarray, shape (S, T)
        Fitted, and what counting alone makes of it at an empty site.
    probability : ndarray, shape (S, T)
        Of a column there.
    """
    empty = (probability < SURELY_EMPTY) & np.isfinite(height)
    if empty.sum() < ENOUGH:
        return 1.0
    return float(np.clip(np.mean(height[empty] ** 2 / variance[empty]), 1.0, MOST_DISPERSED))


def site_evidence(ratio: np.ndarray) -> np.ndarray:
    """Logarithm of the likelihood ratio (S,) that a site exists, occupied in some share of the frames; `ratio` (S, T)."""
    frames = np.exp(np.clip(ratio, -60, 60))
    shares = np.array(SHARES)[:, None, None]
    return np.asarray(np.log1p(shares * (frames - 1)).sum(axis=2).max(axis=0))


def detections(seen: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Logarithm of the likelihood ratio (S, T) of frames in which a finder saw a column at a site or did not.

    How often it misses one and sees one that is not there is learnt from all sites together: a column that is there stays in
    the next frame more often than a false one.

    Parameters
    ----------
    seen, visible : ndarray of bool, shape (S, T)
        Found at the site; and whether the site lies in the frame.
    """
    missed, false = 0.1, 0.02
    ratio = np.zeros(seen.shape)
    for _ in range(LEARNING):
        ratio = visible * (seen * np.log((1 - missed) / false) + ~seen * np.log(missed / (1 - false)))
        there = follow(ratio).probability * visible
        empty = (1 - there) * visible
        missed = float(np.clip((np.sum(there * ~seen) + AS_IF) / (there.sum() + 2), 1e-4, 0.5))
        false = float(np.clip((np.sum(empty * seen) + AS_IF) / (empty.sum() + 20), 1e-5, 0.2))
    return ratio
