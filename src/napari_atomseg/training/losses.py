"""How far maps are from what they should be."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_atomseg.core.tasks import TASKS

MAPS = 2
"""The first heads are maps in [0, 1], the others images."""
COLUMNS_WEIGHT, MASK_WEIGHT, IMAGE_WEIGHT = 10.0, 1.0, 0.15
LEAST_SQUARE = 1e-5
"""Mean square error, in squares of the contrast, below which an image is good enough."""


def likelihood_loss(found: Tensor, targets: Tensor, asked: Tensor) -> Tensor:
    """Cross entropy of the maps and log mean square error of the images.

    The logarithm gives each image the same say: noise of a bad day does not drown what good ones teach, and what falls is the
    average in decibels.

    Parameters
    ----------
    found, targets : Tensor, shape (B, 5, Y, X)
        Logits first, see :class:`~napari_atomseg.networks.unet.Unet`.
    asked : Tensor, shape (B, 1, Y, X)
        Where maps are judged.
    """
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(found[:, :MAPS], targets[:, :MAPS], reduction="none")
    maps = (entropy * asked).mean(dim=(0, 2, 3))
    square = (found[:, MAPS:] - targets[:, MAPS:]).square().mean(dim=(2, 3))
    images = torch.log(square + LEAST_SQUARE).sum(dim=1).mean()
    return COLUMNS_WEIGHT * maps[0] + MASK_WEIGHT * maps[1] + IMAGE_WEIGHT * images


def chi_square_loss(found: Tensor, targets: Tensor, asked: Tensor) -> Tensor:
    r"""Modified chi-square of Lin et al., Sci. Rep. 11, 5386 (2021): :math:`\langle (p - t)^2 / (t + \max(t)/10) \rangle`.

    Targets of images are taken from their lowest value, since the denominator has to be positive.
    """
    maps = torch.cat([found[:, :MAPS].sigmoid(), found[:, MAPS:]], dim=1)
    low = targets.amin(dim=(2, 3), keepdim=True)
    label = targets - low
    weight = label + label.amax(dim=(2, 3), keepdim=True).clamp_min(0.1) / 10
    judged = torch.cat([asked.expand(-1, MAPS, -1, -1), torch.ones_like(found[:, MAPS:])], dim=1)
    return len(TASKS) * ((maps - targets).square() / weight * judged).mean()


LOSSES = {"likelihood": likelihood_loss, "chi_square": chi_square_loss}
