"""From the pixels of a micrograph to those of a network, and back."""

from __future__ import annotations

import torch
from torch import Tensor


def resample(images: Tensor, shape: tuple[int, int]) -> Tensor:
    """Images (B, C, Y, X) with another number of pixels over the same field; averaged where pixels become larger.

    The corners of the field stay in place, so that position p becomes ``(p + 0.5) * new / old - 0.5``.

    Parameters
    ----------
    images : Tensor, shape (B, C, Y, X)
    shape : tuple of int
        The new (Y, X).
    """
    if tuple(images.shape[-2:]) == tuple(shape):
        return images
    return torch.nn.functional.interpolate(images, size=shape, mode="bicubic", align_corners=False, antialias=True)
