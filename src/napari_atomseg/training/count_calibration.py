"""How honest the probabilities of a network that counts atoms are, and the numbers on its card that make them so."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from torch import nn

from napari_atomseg.inference.count_probabilities import (
    LEAN,
    LEAN_SLOPE,
    SERIES,
    SINGLE,
    SLOPE,
    USUAL_NOISE,
    honest_probabilities,
    noise_seen,
)
from napari_atomseg.inference.detection.interpretation import interpret
from napari_atomseg.networks.activate import activate
from napari_atomseg.networks.outputs import count_outputs
from napari_atomseg.training.count_validation import BORDER, MATCH
from napari_atomseg.training.particle_examples import COLUMN_LABEL_WIDTH, ParticleExamples

FEWEST = 50
"""With fewer columns nothing is changed."""
STEEPEST = 1.0
"""Slopes beyond this are not believed."""

Seen = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Probabilities (M, K) of columns, their true numbers of atoms (M,), and the noise of their images (M,)."""


def network_calibration(network: nn.Module, examples: Iterable[ParticleExamples], native: float) -> dict[str, float]:
    """What a card says of its probabilities: that with which the true numbers are likeliest, for series and for single images.

    Parameters
    ----------
    network : nn.Module
        Left in evaluation mode.
    examples : iterable of ParticleExamples
        Of particles that it has not learnt from.
    native : float, Å
        Pixel size.

    Returns
    -------
    dict of str to float
        See :func:`~napari_atomseg.inference.count_probabilities.honest_probabilities`.
    """
    seen: dict[str, list[Seen]] = {SERIES: [], SINGLE: []}
    network.eval()
    with torch.no_grad():
        for batch in examples:
            found = network(batch.image).float()
            outputs = count_outputs(found.shape[1] - 1)
            for row in range(len(found)):
                maps = activate(found[row], outputs).numpy()
                alone = bool(batch.alone[row])
                chance, heights = _of_true_columns(maps, batch.positions[row], batch.heights[row], native)
                # The first image that is there, as where it is used.
                first = batch.image.shape[1] // 2 if alone else 0
                noise = np.full(len(heights), noise_seen(batch.image[row, first].numpy()))
                seen[SINGLE if alone else SERIES].append((chance, heights, noise))
    every = np.concatenate([noise for parts in seen.values() for _, _, noise in parts] or [np.zeros(0)])
    usual = float(np.exp(np.mean(np.log(every)))) if len(every) else 1.0
    found_all = {USUAL_NOISE: round(usual, 5)}
    for kind, parts in seen.items():
        found_all |= kind_calibration(parts, kind, found_all[USUAL_NOISE])
    return found_all


def _of_true_columns(maps: np.ndarray, true: np.ndarray, heights: np.ndarray, native: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (M, K) of the columns that are found, and their true numbers of atoms (M,)."""
    found = interpret(maps, COLUMN_LABEL_WIDTH / native)
    if not len(found.positions) or not len(true):
        return np.zeros((0, len(maps) - 1)), np.zeros(0, int)
    distance, nearest = cKDTree(true).query(found.positions)
    edge, side = BORDER / native, np.array(maps.shape[-2:]) - 1
    inside = np.all((found.positions > edge) & (found.positions < side - edge), axis=1)
    chosen = inside & (distance < MATCH / native)
    return found.probabilities[chosen], heights[nearest[chosen]]


def kind_calibration(parts: list[Seen], kind: str, usual: float) -> dict[str, float]:
    """Temperature and lean at the usual noise with which the true numbers are likeliest, and how both go with the noise.

    Parameters
    ----------
    parts : list of tuple of ndarray
        Of each image the probabilities (M, K) of its columns, their true numbers of atoms (M,), and its noise (M,).
    kind : str
        ``series`` or ``single``.
    usual : float
        Noise.
    """
    chance, heights, noise = (np.concatenate(some) for some in zip(*parts, strict=True)) if parts else (np.zeros(0),) * 3
    if len(chance) < FEWEST:
        return _named(kind, np.zeros(4))
    rows, right = np.arange(len(chance)), heights.astype(int) - 1

    def surprise(at: np.ndarray) -> float:
        calibration = {USUAL_NOISE: usual, **_named(kind, at)}
        honest = honest_probabilities(chance, calibration, kind, noise)[rows, right]
        return float(-np.log(np.maximum(honest, 1e-12)).mean())

    found = minimize(surprise, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7, "maxfev": 4000}).x
    return {name: round(value, 3) for name, value in _named(kind, found).items()}


def _named(kind: str, at: np.ndarray) -> dict[str, float]:
    """What is fitted, as a card names it."""
    slope = float(np.clip(at[1], -STEEPEST, STEEPEST))
    return {kind: float(np.exp(at[0])), kind + SLOPE: slope, kind + LEAN: float(at[2]), kind + LEAN_SLOPE: float(at[3])}
