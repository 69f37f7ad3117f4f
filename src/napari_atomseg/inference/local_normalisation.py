"""Subtractive and divisive normalisation by what lies around (Madsen et al., Adv. Theory Simul. 1, 1800037 (2018), Eq. 2-3)."""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 12.0
"""Standard deviation of the Gaussian window, Angstrom; the paper leaves it out, its code has 12 for graphene."""
CUT = 3.0
"""The window ends at so many standard deviations."""
COARSEST = 0.1
"""Local means are taken on pixels of at most this share of the window's width: what varies slowly needs no more of them."""
LEAST = 1e-5
"""Deviations below this share of the images' largest value are none: a constant image stays one of zeros."""


def locally_normalised(images: Tensor, width: float) -> Tensor:
    r"""Images less their local mean, in units of their local deviation; all images of a series share both.

    Parameters
    ----------
    images : Tensor, shape (B, F, Y, X)
        F images of each place.
    width : float, px
        Standard deviation of the Gaussian window.

    Returns
    -------
    Tensor, shape (B, F, Y, X)

    Notes
    -----
    .. math:: G = I - \frac1F \sum_k w * I_k, \qquad H = G \Big/ \frac1F \sum_k \sqrt{w * G_k^2}

    The window is cut off at the border of the image and made to sum to 1 there. The deviation is the mean over the series, as
    in the published code, where Eq. 3 leaves the order of root and sum open.
    """
    level = local_mean(images, width).mean(dim=1, keepdim=True)
    without = images - level
    deviation = local_mean(without.square(), width).clamp_min(0).sqrt().mean(dim=1, keepdim=True)
    least = LEAST * images.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-30)
    return without / torch.maximum(deviation, least)


def local_mean(images: Tensor, width: float) -> Tensor:
    """Images (B, F, Y, X) averaged with a Gaussian window of a standard deviation in px, renormalised at the borders.

    Parameters
    ----------
    images : Tensor, shape (B, F, Y, X)
    width : float, px
        Standard deviation of the window.
    """
    step = max(1, int(COARSEST * width))
    rows, columns = images.shape[-2:]
    coarse = torch.nn.functional.avg_pool2d(images, step, ceil_mode=True, count_include_pad=False)
    smooth = _windowed(_windowed(coarse, width / step, -1), width / step, -2)
    if step == 1:
        return smooth
    wide = torch.nn.functional.interpolate(smooth, scale_factor=step, mode="bilinear", align_corners=False)
    return wide[..., :rows, :columns]


def _windowed(images: Tensor, width: float, axis: int) -> Tensor:
    """Gaussian mean along one axis as a product with a matrix, whose rows sum to 1."""
    place = torch.arange(images.shape[axis], dtype=images.dtype, device=images.device)
    apart = (place[:, None] - place) / width
    weight = torch.exp(-apart.square() / 2) * (apart.abs() <= CUT)
    weight = weight / weight.sum(dim=1, keepdim=True)
    return images @ weight.T if axis == -1 else weight @ images
