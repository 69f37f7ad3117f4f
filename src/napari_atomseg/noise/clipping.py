"""Saturation: values that the converter or the sensor cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import Level
from napari_atomseg.optics.batch import per_image


@dataclass(frozen=True, kw_only=True)
class ClippingParams:
    """Limits of one sample, Eq. 39 and 54.

    Attributes
    ----------
    upper : float or None
        Highest value T_u; no limit without one.
    lower : float or None
        Lowest value; ours, for converters that start at zero.
    """

    upper: Level | None = None
    lower: Level | None = None

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.upper is not None or params.lower is not None)
def clipping(image: Tensor, params: Sequence[ClippingParams], seeds: Sequence[int]) -> Tensor:
    r"""The image, nowhere above the upper or below the lower limit.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of ClippingParams, length B
    seeds : sequence of int, length B
        Not used: the effect has nothing random.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    Notes
    -----
    .. math:: x \leftarrow \min(x, T_u)

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 39 (TEM) and 54 (STEM),
    doi:10.1038/s41524-023-01188-0.
    """
    upper = per_image([inf if one.upper is None else one.upper for one in params], image)
    lower = per_image([-inf if one.lower is None else one.lower for one in params], image)
    return torch.minimum(torch.maximum(image, lower), upper)
