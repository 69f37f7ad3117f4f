"""Gaussian blur after the fact, with which people make noisy images smoother."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise.batch import only_where
from napari_atomseg.optics.batch import per_image

_REACH = 4.0
"""Standard deviations after which the Gaussian is cut."""


@dataclass(frozen=True, kw_only=True)
class BlurParams:
    """Blur of one sample.

    Attributes
    ----------
    sigma : float, px
        Standard deviation sigma of the Gaussian; the paper draws it between 0 and 1.
    """

    sigma: Annotated[float, Quantity(unit="px", low=0, high=100, decimals=3)] = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.sigma > 0)
def blur(image: Tensor, params: Sequence[BlurParams], seeds: Sequence[int]) -> Tensor:
    """The image convolved with a Gaussian; mirrored at the border, which conserves the sum.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of BlurParams, length B
    seeds : sequence of int, length B
        Not used: the effect has nothing random.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Post-processing distortions,
    doi:10.1038/s41524-023-01188-0.
    """
    weights = gaussian_weights([one.sigma for one in params], image)
    return _along(-1, _along(-2, image, weights), weights)


def gaussian_weights(sigmas: Sequence[float], image: Tensor) -> list[Tensor]:
    """Weights of the pixels 0, 1, 2 ... from the centre, each (B, 1, 1, 1); both sides together add up to one.

    Parameters
    ----------
    sigmas : sequence of float, length B, px
        Standard deviations.
    image : Tensor, shape (B, 1, Y, X)
        Whose device and type are taken.
    """
    reach = max(ceil(_REACH * sigma) for sigma in sigmas)
    sigma = per_image(sigmas, image)
    weights = [torch.exp(-0.5 * (step / sigma) ** 2) * (step <= torch.ceil(_REACH * sigma)) for step in range(reach + 1)]
    # Added up in a fixed order, so that zeros for the reach of other samples change nothing.
    total = weights[0] + 2 * sum(weights[1:], torch.zeros_like(sigma))
    return [weight / total for weight in weights]


def _along(axis: int, image: Tensor, weights: Sequence[Tensor]) -> Tensor:
    reach, length = len(weights) - 1, image.shape[axis]
    padded = image.index_select(axis, mirrored(length, reach).to(image.device))
    out = image * weights[0]
    for step, weight in enumerate(weights[1:], start=1):
        pair = padded.narrow(axis, reach - step, length) + padded.narrow(axis, reach + step, length)
        out.addcmul_(pair, weight)
    return out


def mirrored(length: int, reach: int) -> Tensor:
    """Indices -reach ... length + reach - 1, mirrored at the outer edges of the first and the last pixel.

    Parameters
    ----------
    length : int, px
    reach : int, px
        Beyond each edge.
    """
    folded = torch.arange(-reach, length + reach).remainder(2 * length)
    return torch.where(folded < length, folded, 2 * length - 1 - folded)
