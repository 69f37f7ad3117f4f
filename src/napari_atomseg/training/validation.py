"""How good a network is on fixed synthetic scenes that it never learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from napari_atomseg.localise.detection.map_columns import map_columns
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, Output
from napari_atomseg.synthesis.labels import GAUSSIAN_WIDTH
from napari_atomseg.training.examples import Examples
from napari_atomseg.training.losses import LOSSES

MATCH = 0.6
"""Farthest distance of a match, Angstrom."""
BORDER = 1.6
"""Columns nearer to the border are not judged, Angstrom."""
CONFIDENCE = 0.5


def validate(
    network: nn.Module,
    examples: Sequence[Examples],
    native: float,
    device: torch.device | str,
    outputs: tuple[Output, ...] = COLUMN_OUTPUTS,
) -> dict[str, float]:
    """Loss, F1, rms distance (pm) and peak signal-to-noise ratios (dB) over fixed scenes.

    Columns that one may see or not count neither as found nor as missed.

    Parameters
    ----------
    network : Module
    examples : sequence of Examples
        The scenes.
    native : float, Angstrom
        Pixel size.
    device : torch.device or str
    outputs : tuple of Output
        Of the network; columns are judged on the map "columns", else on the mask.
    """
    losses, counts, square_sum = [], np.zeros(3), 0.0
    images = [(number, output.name) for number, output in enumerate(outputs) if output.unit != "probability"]
    decibels: dict[str, list[float]] = {name: [] for _, name in images}
    maps = len(images) < len(outputs)
    network.eval()
    with torch.no_grad():
        for batch in examples:
            found = network(batch.image.to(device)).float().cpu()
            losses.append(float(LOSSES["likelihood"](found, batch.targets, batch.asked, outputs)))
            for row in range(len(found) if maps else 0):
                hits, square, more = _judged(found[row, 0].sigmoid(), batch.positions[row], batch.doubtful[row], native)
                counts += (hits, *more)
                square_sum += square
            for head, name in images:
                decibels[name] += _decibels(found[:, head], batch.targets[:, head])
    right, false, missed = counts.tolist()
    on_columns = {
        "f1": float(2 * right / max(1.0, 2 * right + false + missed)),
        "rms_pm": rms_pm(square_sum, right),
    }
    return {
        "loss": float(np.mean(losses)),
        **(on_columns if maps else {}),
        **{f"psnr_{name}": float(np.mean(values)) for name, values in decibels.items()},
    }


def _judged(values: Tensor, true: np.ndarray, doubtful: np.ndarray, native: float) -> tuple[int, float, tuple[int, int]]:
    """Columns found rightly, the sum of their squared errors (A2), and those found falsely and missed."""
    shown = map_columns(values.numpy(), GAUSSIAN_WIDTH / native)
    found = shown.positions[shown.confidence >= CONFIDENCE]
    side = (int(values.shape[0]), int(values.shape[1]))
    hits, square, more = matched(found, true, doubtful, side, MATCH / native, BORDER / native)
    return hits, square * native**2, more


def matched(
    found: np.ndarray, true: np.ndarray, doubtful: np.ndarray, shape: tuple[int, int], limit: float, border: float
) -> tuple[int, float, tuple[int, int]]:
    """Places found rightly, the sum of their squared errors, and those found falsely and missed; all in px.

    Parameters
    ----------
    found, true, doubtful : ndarray, shape (N, 2), (y, x)
        What is near to doubtful ones counts neither as found nor as missed.
    shape : tuple of int
        (Y, X) of the image.
    limit : float
        Farthest distance of a match.
    border : float
        What is nearer to the border is not judged.
    """
    side = np.array(shape) - 1 - border

    def inside(places: np.ndarray) -> np.ndarray:
        return np.all((places > border) & (places < side), axis=1)

    if not len(true) or not len(found):
        return 0, 0.0, (int(inside(found).sum()), int(inside(true).sum()))
    distance, nearest = cKDTree(true).query(found)
    order = np.argsort(distance)
    _, first = np.unique(nearest[order], return_index=True)
    chosen = order[first]
    chosen = chosen[distance[chosen] < limit]
    hit = chosen[inside(true[nearest[chosen]])]
    rest = np.delete(found, chosen, axis=0)
    if len(doubtful) and len(rest):
        rest = rest[cKDTree(doubtful).query(rest)[0] > limit]
    missed = int(inside(true).sum()) - len(hit)
    return len(hit), float(np.sum(distance[hit] ** 2)), (int(inside(rest).sum()), missed)


def hit_shares(counts: np.ndarray, about: str = "") -> dict[str, float]:
    """Recall and precision from the numbers of what was found rightly, found falsely and missed.

    Parameters
    ----------
    counts : ndarray, shape (3,)
    about : str
        What the names of the shares begin with.

    Returns
    -------
    dict of str to float
        Shares from 0 to 1; 0 where there was nothing to be found.
    """
    right, false, missed = counts.tolist()
    return {f"{about}recall": right / max(1.0, right + missed), f"{about}precision": right / max(1.0, right + false)}


def rms_pm(square_sum: float, right: float, unit: float = 1.0) -> float:
    """Root mean square distance of what was found rightly, pm.

    Parameters
    ----------
    square_sum : float
        Sum of the squared distances.
    right : float
        Number of them; without any the distance is 0.
    unit : float, Å
        Unit of the distances, as the pixel size.
    """
    return 100 * unit * float(np.sqrt(square_sum / max(1.0, right)))


def _decibels(found: Tensor, target: Tensor) -> list[float]:
    """Peak signal-to-noise ratios of images that have anything to show."""
    top = target.amax(dim=(1, 2)) - target.amin(dim=(1, 2))
    square = (found - target).square().mean(dim=(1, 2)).clamp_min(1e-12)
    return [float(10 * torch.log10(peak**2 / error)) for peak, error in zip(top, square, strict=True) if peak > 0]
