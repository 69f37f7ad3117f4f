"""How honest the probabilities of a network that counts atoms are, and the temperatures that make them so."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.spatial import cKDTree
from torch import nn

from napari_atomseg.inference.detection.interpretation import interpret
from napari_atomseg.inference.detection.structures import tempered
from napari_atomseg.networks.activate import activate
from napari_atomseg.networks.outputs import count_outputs
from napari_atomseg.training.count_validation import BORDER, MATCH
from napari_atomseg.training.particle_examples import COLUMN_LABEL_WIDTH, ParticleExamples

RANGE = (0.3, 3.0)
"""Temperatures that are looked at."""
FEWEST = 50
"""With fewer columns nothing is changed."""


def fitted_temperatures(network: nn.Module, examples: Iterable[ParticleExamples], native: float) -> dict[str, float]:
    """Temperature for series, and one for single images, with which the true numbers of atoms are likeliest.

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
        ``series`` and ``single``; 1 changes nothing.
    """
    seen: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"series": [], "single": []}
    network.eval()
    with torch.no_grad():
        for batch in examples:
            found = network(batch.image).float()
            outputs = count_outputs(found.shape[1] - 1)
            for row in range(len(found)):
                maps = activate(found[row], outputs).numpy()
                kind = "single" if batch.alone[row] else "series"
                seen[kind].append(_of_true_columns(maps, batch.positions[row], batch.heights[row], native))
    return {kind: _temperature(parts) for kind, parts in seen.items()}


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


def _temperature(parts: list[tuple[np.ndarray, np.ndarray]]) -> float:
    chance = np.concatenate([one for one, _ in parts]) if parts else np.zeros((0, 1))
    heights = np.concatenate([one for _, one in parts]) if parts else np.zeros(0, int)
    if len(chance) < FEWEST:
        return 1.0

    def surprise(temperature: float) -> float:
        right = tempered(chance, temperature)[np.arange(len(chance)), heights - 1]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    return round(float(minimize_scalar(surprise, bounds=RANGE, method="bounded").x), 3)
