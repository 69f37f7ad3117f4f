"""How good a network is at recognising structures, on fixed synthetic scenes that it never learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import nn

from napari_atomseg.inference.detection.interpretation import interpret
from napari_atomseg.networks.activate import activate
from napari_atomseg.networks.outputs import structure_outputs
from napari_atomseg.training.losses import LOSSES
from napari_atomseg.training.sheets import LABEL_WIDTH
from napari_atomseg.training.structure_examples import StructureExamples
from napari_atomseg.training.validation import hit_shares, matched, rms_pm

MATCH = 0.35
"""Farthest distance of a match, Angstrom."""
BORDER = 2.0
"""Structures nearer to the border are not judged, Angstrom."""
CLEAR = 5.0
"""Signal to noise of one atom above which images count as clear."""
NEIGHBOURS, BOND_REACH, AROUND_DEFECT = 3, 1.75, 3.0
"""Atoms with fewer neighbours than so many within so many Angstrom are defects, and so is what lies so near to them."""


def validate_structures(
    network: nn.Module, examples: Sequence[StructureExamples], native: float, device: torch.device | str
) -> dict[str, float]:
    """Loss over all scenes; recall, precision and rms distance over clear ones, also about defects alone.

    Parameters
    ----------
    network : nn.Module
        Left in evaluation mode.
    examples : sequence of StructureExamples
        Batches, the same every time.
    native : float, Å
        Pixel size.
    device : torch.device or str
        Where the network is.

    Returns
    -------
    dict of str to float
        Shares from 0 to 1; those about defects are named ``defect ...``. The distance ``rms_pm`` is in pm.
    """
    losses = []
    counts, broken, square_sum = np.zeros(3), np.zeros(3), 0.0
    network.eval()
    with torch.no_grad():
        for batch in examples:
            found = network(batch.image.to(device)).float().cpu()
            outputs = structure_outputs(found.shape[1] - 1)
            losses.append(float(LOSSES["likelihood"](found, batch.targets, batch.asked, outputs)))
            for row in np.flatnonzero(batch.snr > CLEAR):
                maps = activate(found[row], outputs).numpy()
                places = interpret(maps, LABEL_WIDTH / native).positions
                true, doubtful = batch.positions[row], batch.doubtful[row]
                side = maps.shape[-2:]
                hits, square, more = matched(places, true, doubtful, side, MATCH / native, BORDER / native)
                counts += (hits, *more)
                square_sum += square
                near = about_defects(np.concatenate([true, doubtful]), native, side[0])
                broken += _near_defects(places, true, doubtful, near, native, side)
    return {
        "loss": float(np.mean(losses)),
        **hit_shares(counts),
        **hit_shares(broken, "defect "),
        "rms_pm": rms_pm(square_sum, counts[0], native),
    }


def about_defects(atoms: np.ndarray, native: float, side: int) -> np.ndarray:
    """Atoms of a repeated field that are short of a neighbour.

    Parameters
    ----------
    atoms : ndarray, shape (N, 2), px, (y, x)
    native : float, Å
        Pixel size.
    side : int, px
        After which the atoms repeat along both axes.

    Returns
    -------
    ndarray, shape (K, 2), px, (y, x)
        Those with fewer than three others within 1.75 Å; all where there are no more than three.
    """
    if len(atoms) <= NEIGHBOURS:
        return atoms
    inside = atoms % side
    distance, _ = cKDTree(inside, boxsize=side).query(inside, k=NEIGHBOURS + 1)
    return np.asarray(atoms[distance[:, -1] * native > BOND_REACH])


def _near_defects(
    places: np.ndarray, true: np.ndarray, doubtful: np.ndarray, defects: np.ndarray, native: float, side: tuple[int, int]
) -> tuple[int, int, int]:
    """Found rightly, found falsely, missed, near to defects."""
    if not len(defects):
        return 0, 0, 0
    tree, reach = cKDTree(defects), AROUND_DEFECT / native

    def close(given: np.ndarray) -> np.ndarray:
        return np.asarray(tree.query(given)[0] <= reach) if len(given) else np.zeros(0, bool)

    # What matches an atom just outside is no false one.
    aside = np.concatenate([doubtful, true[~close(true)]])
    hits, _, more = matched(places[close(places)], true[close(true)], aside, side, MATCH / native, BORDER / native)
    return hits, *more
