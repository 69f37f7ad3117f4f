"""One normalisation for a whole image, the same in training: robust against hot pixels, unmoved by gain and offset."""

from __future__ import annotations

import torch
from torch import Tensor

DARK, BRIGHT = 0.02, 0.995
"""Quantiles of the smoothed image that become 0 and 1."""
FARTHEST = 20.0
"""Values beyond so many contrasts are cut off: hot pixels, or the few counts of an image of nothing."""
SAMPLED = 1_000_000
"""Pixels that quantiles are taken of, at most."""


def contrast_of(images: Tensor) -> tuple[Tensor, Tensor]:
    """Dark level and contrast of images (B, 1, Y, X), each of shape (B, 1, 1, 1); the contrast is positive.

    Quantiles are those of the image averaged over 3 x 3 px, so that neither single hot pixels nor counting noise decide.
    """
    smooth = torch.nn.functional.avg_pool2d(images, 3, stride=1)
    step = max(1, round((smooth.shape[-1] * smooth.shape[-2] / SAMPLED) ** 0.5))
    values = smooth[..., ::step, ::step].flatten(1)
    levels = torch.quantile(values, torch.tensor([DARK, BRIGHT], device=images.device, dtype=images.dtype), dim=1)
    dark, bright = levels[0].reshape(-1, 1, 1, 1), levels[1].reshape(-1, 1, 1, 1)
    contrast = bright - dark
    return dark, torch.where(contrast > 1e-6 * bright.abs(), contrast, torch.ones_like(contrast)).clamp_min(1e-20)


def normalised(images: Tensor, dark: Tensor, contrast: Tensor) -> Tensor:
    """Images (B, 1, Y, X) as networks take them: 0 where it is dark, 1 where it is bright.

    Parameters
    ----------
    images : Tensor, shape (B, 1, Y, X)
        Counts.
    dark, contrast : Tensor, shape (B,) or ()
        Level that becomes 0, and what becomes 1 above it.
    """
    return ((images - dark) / contrast).clamp(-FARTHEST, FARTHEST)
