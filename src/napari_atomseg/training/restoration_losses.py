"""How far a restored image is from the true one: the losses of Lobato et al., npj Comput. Mater. 10, 10 (2024), Eq. 4 to 15.

All take images (B, C, Y, X) and give one number. Where the paper divides by a standard deviation it is held above
:data:`LEAST_DEVIATION`. Norms are means over the pixels, so that no loss depends on the size of the patch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad, softplus

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity

LEAST_DEVIATION = 0.1
"""Smallest standard deviation that is divided by, in units of the images."""
WINDOWS = (2, 4, 8, 16)
"""Sides of the windows of the whitening transform, px."""
GAMMA = 0.125
"""Power of the Fourier coefficients; small ones, as high frequencies have, count nearly as much as large ones."""
SMALLEST = 1e-12
"""Added to squares under a root, whose slope would be infinite at zero."""


@dataclass(frozen=True, kw_only=True)
class RestorationWeights:
    """Weights of the losses of a restored image (Eq. 13 and 14); 0 leaves one out.

    Attributes
    ----------
    absolute, square : float
        Of the mean absolute and the mean square difference.
    whitened : float
        Of the difference after local whitening.
    fourier : float
        Of the difference in Fourier space.
    mean, deviation : float
        Of the difference of the means and of the standard deviations.
    adversarial : float
        Of what the discriminator says.
    """

    absolute: Annotated[float, Quantity(low=0, high=1e6)] = 10.0
    square: Annotated[float, Quantity(low=0, high=1e6)] = 0.0
    whitened: Annotated[float, Quantity(low=0, high=1e6)] = 0.0
    fourier: Annotated[float, Quantity(low=0, high=1e6)] = 0.0
    mean: Annotated[float, Quantity(low=0, high=1e6)] = 0.0
    deviation: Annotated[float, Quantity(low=0, high=1e6)] = 0.0
    adversarial: Annotated[float, Quantity(low=0, high=1e6)] = 0.0

    def __post_init__(self) -> None:
        check(self)


def restoration_loss(found: Tensor, true: Tensor, weights: RestorationWeights) -> Tensor:
    """Weighted sum of the losses between a restored image and the true one (Eq. 14); the adversarial one is not among them.

    Parameters
    ----------
    found, true : Tensor, shape (B, 1, Y, X)
        What the network gives, and what it should.
    weights : RestorationWeights
    """
    total = found.new_zeros(())
    for name, loss in PIXEL_LOSSES.items():
        weight = getattr(weights, name)
        if weight:
            total = total + weight * loss(found, true)
    return total


def absolute_loss(found: Tensor, true: Tensor) -> Tensor:
    """Mean absolute difference, each image in units of the true one's standard deviation (Eq. 4 and 5).

    Parameters
    ----------
    found, true : Tensor, shape (B, 1, Y, X)
        What the network gives, and what it should.
    """
    return ((found - true).abs().mean(dim=(1, 2, 3)) * _contrast_weight(true)).mean()


def square_loss(found: Tensor, true: Tensor) -> Tensor:
    """Mean square difference, each image divided by the true one's standard deviation (Eq. 6).

    Parameters
    ----------
    found, true : Tensor, shape (B, 1, Y, X)
        What the network gives, and what it should.
    """
    return ((found - true).square().mean(dim=(1, 2, 3)) * _contrast_weight(true)).mean()


def whitened_loss(found: Tensor, true: Tensor) -> Tensor:
    """Mean absolute difference after local whitening with windows of four sizes (Eq. 8): faint detail counts as strong does.

    Parameters
    ----------
    found, true : Tensor, shape (B, 1, Y, X)
        What the network gives, and what it should.
    """
    return torch.stack([(whitened(found, side) - whitened(true, side)).abs().mean() for side in WINDOWS]).mean()


def fourier_loss(found: Tensor, true: Tensor) -> Tensor:
    """Mean of the absolute Fourier coefficients of the difference to the power of 0.125 (Eq. 9).

    Parameters
    ----------
    found, true : Tensor, shape (B, 1, Y, X)
        What the network gives, and what it should.
    """
    coefficients = torch.fft.fft2(found - true, norm="ortho")
    return (coefficients.real.square() + coefficients.imag.square() + SMALLEST).pow(GAMMA / 2).mean()


def mean_loss(found: Tensor, true: Tensor) -> Tensor:
    """Difference of the mean intensities (Eq. 10), averaged over the images.

    Parameters
    ----------
    found, true : Tensor, shape (B, 1, Y, X)
        What the network gives, and what it should.
    """
    return (found.mean(dim=(1, 2, 3)) - true.mean(dim=(1, 2, 3))).abs().mean()


def deviation_loss(found: Tensor, true: Tensor) -> Tensor:
    """Difference of the standard deviations (Eq. 11), averaged over the images.

    Parameters
    ----------
    found, true : Tensor, shape (B, 1, Y, X)
        What the network gives, and what it should.
    """
    return (_deviation(found) - _deviation(true)).abs().mean()


PIXEL_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "absolute": absolute_loss,
    "square": square_loss,
    "whitened": whitened_loss,
    "fourier": fourier_loss,
    "mean": mean_loss,
    "deviation": deviation_loss,
}
"""By the names of their weights."""


def whitened(images: Tensor, side: int) -> Tensor:
    """Images (B, C, Y, X) less the mean, and divided by the standard deviation, of the window about each pixel (Eq. 7).

    Parameters
    ----------
    images : Tensor
    side : int, px
        Of the square window; the border is repeated beyond the image.
    """
    before = side // 2
    wide = pad(images, (before, side - 1 - before) * 2, mode="replicate")
    mean = avg_pool2d(wide, side, stride=1)
    # From the mean square about the image's own mean: squares of large intensities would cancel in single precision.
    centre = images.mean(dim=(2, 3), keepdim=True)
    variance = avg_pool2d((wide - centre).square(), side, stride=1) - (mean - centre).square()
    return (images - mean) / variance.clamp_min(LEAST_DEVIATION**2).sqrt()


def discriminator_loss(true_verdict: Tensor, found_verdict: Tensor) -> Tensor:
    """Loss of a relativistic average discriminator (Eq. 15), from its verdicts before the sigmoid (Eq. 2 and 3).

    Parameters
    ----------
    true_verdict, found_verdict : Tensor, shape (B, 1, Y, X)
        Of true and of restored images.
    """
    return (softplus(-(true_verdict - found_verdict.mean())) + softplus(found_verdict - true_verdict.mean())).mean()


def adversarial_loss(true_verdict: Tensor, found_verdict: Tensor) -> Tensor:
    """The same for the network that restores (Eq. 12): lowest when what it gives looks more real than the true images.

    Parameters
    ----------
    true_verdict, found_verdict : Tensor, shape (B, 1, Y, X)
        Of true and of restored images.
    """
    return discriminator_loss(found_verdict, true_verdict)


def _contrast_weight(true: Tensor) -> Tensor:
    """Inverse standard deviation of each image, shape (B,)."""
    return 1 / _deviation(true).clamp_min(LEAST_DEVIATION)


def _deviation(images: Tensor) -> Tensor:
    """Standard deviation of each image, shape (B,)."""
    return (images.var(dim=(1, 2, 3), correction=0) + SMALLEST).sqrt()
