"""Vectors looked for with a known cell in mind: for few, noisy or half-seen columns, whose own differences do not tell them."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

_REACH = 2.6  # cells: differences up to here do not blur by a bend
_PAIRS = 3000  # differences that are looked at
_TURN = np.radians(0.75)  # step of the search
_SCALES = np.linspace(0.93, 1.07, 15)  # of the pixel size
_WAVES = np.array([(1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2)], float)
_KEPT = 4  # best directions
_APART = 5  # steps between two of them


def hinted_bases(positions: np.ndarray, basis: np.ndarray) -> list[np.ndarray]:
    """Bases, px, of the shape of a known one, turned and scaled to repeat the columns best; the best one first.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
    basis : ndarray, shape (2, 2), px
        Of the known cell, one vector (y, x) in each row.

    Notes
    -----
    For each turn and scale, the waves of the reciprocal lattice are averaged over the differences d of nearby columns,
    sum over g of the mean of cos(2 pi g d): 1 for each wave where all differences are translations. Sites that are not seen, and
    such as do not belong to the cell, lower all directions alike. Mirrored cells are tried too.
    """
    reach = _REACH * np.sqrt(abs(np.linalg.det(basis)))
    pairs = cKDTree(positions).query_pairs(reach, output_type="ndarray")
    if not len(pairs):
        return []
    chosen = np.random.default_rng(0).permutation(len(pairs))[:_PAIRS]
    apart = positions[pairs[chosen, 1]] - positions[pairs[chosen, 0]]
    found: list[tuple[float, np.ndarray]] = []
    turns = np.arange(0.0, np.pi, _TURN)
    for mirror in (np.eye(2), np.diag([-1.0, 1.0])):
        known = basis @ mirror
        scores = np.array([[_repeats(apart, known @ _turned(turn) * scale) for scale in _SCALES] for turn in turns])
        best = scores.max(axis=1)
        for place in np.argsort(-best):
            near = best[np.arange(place - _APART, place + _APART + 1) % len(turns)]
            if best[place] >= near.max():
                scale = _SCALES[int(np.argmax(scores[place]))]
                found.append((float(best[place]), known @ _turned(float(turns[place])) * scale))
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])[: 2 * _KEPT]]


def _repeats(apart: np.ndarray, basis: np.ndarray) -> float:
    phases = (apart @ np.linalg.inv(basis)) @ _WAVES.T
    return float(np.cos(2 * np.pi * phases).mean(axis=0).sum())


def _turned(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
