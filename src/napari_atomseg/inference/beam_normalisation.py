"""Images in parts of the beam that lies around, less one: contrast keeps its size, by which atoms are counted.

A lens moves intensity about but keeps its sum, so that the mean over more than it moves it is that of the beam.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_atomseg.inference.local_normalisation import local_mean

WIDTH = 12.0
"""Standard deviation of the Gaussian window, Angstrom."""
LEAST = 1e-3
"""Means below this share of the largest are none: where an image is dark there is nothing."""


def beam_normalised(images: Tensor, width: float) -> Tensor:
    r"""Images divided by their local mean, less one; all images of a series share the mean.

    Parameters
    ----------
    images : Tensor, shape (B, F, Y, X)
        F images of each place. One that is zero everywhere is missing, and stays zero.
    width : float, px
        Standard deviation of the Gaussian window.

    Returns
    -------
    Tensor, shape (B, F, Y, X)

    Notes
    -----
    .. math:: G_k = I_k \Big/ \frac1F \sum_j w * I_j - 1
    """
    given = (images != 0).flatten(2).any(dim=2)[..., None, None]
    number = given.sum(dim=1, keepdim=True).clamp_min(1)
    level = local_mean(images, width).sum(dim=1, keepdim=True) / number
    least = LEAST * level.abs().amax(dim=(2, 3), keepdim=True).clamp_min(1e-30)
    return torch.where(given, images / torch.maximum(level, least) - 1, 0.0)
