"""How well a network counts the atoms of columns, on fixed synthetic scenes that it never learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import nn

from napari_atomseg.inference.detection.interpretation import interpret
from napari_atomseg.networks.activate import activate
from napari_atomseg.networks.outputs import count_outputs
from napari_atomseg.training.losses import LOSSES
from napari_atomseg.training.particle_examples import COLUMN_LABEL_WIDTH, ParticleExamples
from napari_atomseg.training.validation import hit_shares, matched, rms_pm

MATCH = 1.0
"""Farthest distance of a match, Angstrom."""
BORDER = 2.5
"""Columns nearer to the border are not judged, Angstrom."""


def validate_counts(
    network: nn.Module, examples: Sequence[ParticleExamples], native: float, device: torch.device | str
) -> dict[str, float]:
    """Loss, recall, precision and rms distance over all scenes; shares of columns counted rightly, and within one.

    Parameters
    ----------
    network : nn.Module
        Left in evaluation mode.
    examples : sequence of ParticleExamples
        Batches, the same every time.
    native : float, Å
        Pixel size.
    device : torch.device or str
        Where the network is.

    Returns
    -------
    dict of str to float
        Shares from 0 to 1, of the columns that were found; those of single images are named ``single ...``. The distance
        ``rms_pm`` is in pm.
    """
    losses, places = [], np.zeros(3)
    square_sum = 0.0
    counted: dict[bool, list[np.ndarray]] = {False: [], True: []}
    network.eval()
    with torch.no_grad():
        for batch in examples:
            found = network(batch.image.to(device)).float().cpu()
            outputs = count_outputs(found.shape[1] - 1)
            losses.append(float(LOSSES["likelihood"](found, batch.targets, batch.asked, outputs)))
            for row in range(len(found)):
                seen = interpret(activate(found[row], outputs).numpy(), COLUMN_LABEL_WIDTH / native)
                true, side = batch.positions[row], (int(found.shape[-2]), int(found.shape[-1]))
                hits, square, more = matched(seen.positions, true, batch.doubtful[row], side, MATCH / native, BORDER / native)
                places += (hits, *more)
                square_sum += square
                errors = errors_of(seen.positions, seen.classes + 1, true, batch.heights[row], native)
                counted[bool(batch.alone[row])].append(errors)
    return {
        "loss": float(np.mean(losses)),
        **hit_shares(places),
        "rms_pm": rms_pm(square_sum, places[0], native),
        **_shares(np.concatenate(counted[False] or [np.zeros(0)]), ""),
        **_shares(np.concatenate(counted[True] or [np.zeros(0)]), "single "),
    }


def errors_of(found: np.ndarray, counts: np.ndarray, true: np.ndarray, heights: np.ndarray, native: float) -> np.ndarray:
    """Atoms too many of the found columns that are next to a true one, shape (M,).

    Parameters
    ----------
    found, true : ndarray, shape (N, 2), px, (y, x)
    counts, heights : ndarray of int, shape (N,)
        Their atoms.
    native : float, Å
        Pixel size.
    """
    if not len(found) or not len(true):
        return np.zeros(0)
    distance, nearest = cKDTree(true).query(found)
    near = distance < MATCH / native
    return np.asarray(counts[near] - heights[nearest[near]], float)


def _shares(errors: np.ndarray, about: str) -> dict[str, float]:
    number = max(1, len(errors))
    return {
        f"{about}exact": float((errors == 0).sum()) / number,
        f"{about}within one": float((np.abs(errors) <= 1).sum()) / number,
    }
