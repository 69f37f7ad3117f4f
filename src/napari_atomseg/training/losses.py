"""How far maps are from what they should be."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.networks.activate import activate
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, RESTORED, Output
from napari_atomseg.training.restoration_losses import RestorationWeights, restoration_loss

_FAINTEST_LABEL = 0.1
LEAST_SQUARE = 1e-5
"""Mean square error, in squares of the contrast, below which an image is good enough."""


def likelihood_loss(found: Tensor, targets: Tensor, asked: Tensor, outputs: tuple[Output, ...] = COLUMN_OUTPUTS) -> Tensor:
    """Cross entropy of maps of probability and log mean square error of images, weighted as the outputs say.

    The logarithm gives each image the same say: noise of a bad day does not drown what good ones teach, and what falls is the
    average in decibels.

    Parameters
    ----------
    found, targets : Tensor, shape (B, C, Y, X)
        One channel for each output, before its activation.
    asked : Tensor, shape (B, 1, Y, X)
        Where maps of probability count.
    outputs : tuple of Output
    """
    total = _class_entropy(found, targets, asked, outputs)
    for number, output in enumerate(outputs):
        if output.activation == "softmax":
            continue
        mine, target = found[:, number : number + 1], targets[:, number : number + 1]
        if output.loss == "cross_entropy":
            entropy = torch.nn.functional.binary_cross_entropy_with_logits(mine, target, reduction="none")
            total = total + output.weight * (entropy * asked).mean()
        else:
            square = (mine - target).square().mean(dim=(1, 2, 3))
            total = total + output.weight * torch.log(square + LEAST_SQUARE).mean()
    return total


def _class_entropy(found: Tensor, targets: Tensor, asked: Tensor, outputs: tuple[Output, ...]) -> Tensor:
    """Cross entropy of the classes of which each pixel has one; zero if there are none."""
    chosen = [number for number, output in enumerate(outputs) if output.activation == "softmax"]
    if not chosen:
        return found.new_zeros(())
    weights = found.new_tensor([outputs[number].weight for number in chosen])[:, None, None]
    entropy = -(weights * targets[:, chosen] * torch.log_softmax(found[:, chosen], dim=1)).sum(dim=1, keepdim=True)
    return (entropy * asked).mean()


def chi_square_loss(found: Tensor, targets: Tensor, asked: Tensor, outputs: tuple[Output, ...] = COLUMN_OUTPUTS) -> Tensor:
    r"""Modified chi-square of Lin et al., Sci. Rep. 11, 5386 (2021): :math:`\langle (p - t)^2 / (t + \max(t)/10) \rangle`.

    Targets of images are taken from their lowest value, since the denominator has to be positive.

    Parameters
    ----------
    found : Tensor, shape (B, C, Y, X)
        Before the activation.
    targets : Tensor, shape (B, C, Y, X)
    asked : Tensor, shape (B, 1, Y, X)
        Where maps of probability count.
    outputs : tuple of Output, length C
    """
    maps = activate(found, outputs)
    low = targets.amin(dim=(2, 3), keepdim=True)
    label = targets - low
    weight = label + label.amax(dim=(2, 3), keepdim=True).clamp_min(0.1) / 10
    return len(outputs) * ((maps - targets).square() / weight * _counted(found, asked, outputs)).mean()


def _counted(found: Tensor, asked: Tensor, outputs: tuple[Output, ...]) -> Tensor:
    """1 where a pixel of an output counts: all of an image, and what is asked of a map of probability."""
    counted = torch.ones_like(found)
    for number, output in enumerate(outputs):
        if output.unit == "probability":
            counted[:, number] = asked[:, 0]
    return counted


def printed_chi_square_loss(
    found: Tensor, targets: Tensor, asked: Tensor, outputs: tuple[Output, ...] = COLUMN_OUTPUTS
) -> Tensor:
    r"""Modified chi-square of Lin et al. as it is printed: :math:`\langle (p - t)^2 / (t + \max(t)/10) \rangle`.

    It needs targets that are nowhere below zero, as maps of probability are: else use :func:`chi_square_loss`.

    Parameters
    ----------
    found, targets : Tensor, shape (B, C, Y, X)
        Before the activation; the truth.
    asked : Tensor, shape (B, 1, Y, X)
        Where maps of probability count.
    outputs : tuple of Output, length C

    Raises
    ------
    AtomsegError
        If a target lies below zero.
    """
    if float(targets.min()) < 0:
        raise AtomsegError("the printed chi-square needs labels that are nowhere below zero; choose the loss chi_square")
    # An image without columns has a label of zeros, which the printed denominator cannot bear.
    weight = targets + targets.amax(dim=(2, 3), keepdim=True).clamp_min(_FAINTEST_LABEL) / 10
    return len(outputs) * ((activate(found, outputs) - targets).square() / weight * _counted(found, asked, outputs)).mean()


def paper_loss(found: Tensor, targets: Tensor, asked: Tensor, outputs: tuple[Output, ...] = (RESTORED,)) -> Tensor:
    """Loss of a restored image with the weights that Lobato et al. published (:mod:`.restoration_losses`).

    Parameters
    ----------
    found, targets : Tensor, shape (B, 1, Y, X)
        Restored and true image.
    asked : Tensor, shape (B, 1, Y, X)
        Pixels with 0 count as restored.
    outputs : tuple of Output
        Not used; all losses take it.

    Returns
    -------
    Tensor, a single number
    """
    # Where nothing is asked the image counts as restored.
    return restoration_loss(torch.where(asked > 0, found, targets), targets, RestorationWeights())


LOSSES = {
    "likelihood": likelihood_loss,
    "chi_square": chi_square_loss,
    "printed_chi_square": printed_chi_square_loss,
    "restoration": paper_loss,
}
