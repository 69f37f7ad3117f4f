"""Rounding by the analog-to-digital converter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise.batch import only_where
from napari_atomseg.optics.batch import per_image


@dataclass(frozen=True, kw_only=True)
class QuantisationParams:
    """Converter of one sample, Eq. 40 and 55.

    Attributes
    ----------
    gain : float or None
        Gain alpha of the converter, steps per unit of image intensity; no rounding without one.
    divide : bool
        Divide by the gain again, so that the image keeps its range; as printed, it is left in steps.
    """

    gain: Annotated[float, Quantity(low=1e-9, high=1e9, decimals=3)] | None = None
    divide: bool = True

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.gain is not None)
def quantisation(image: Tensor, params: Sequence[QuantisationParams], seeds: Sequence[int]) -> Tensor:
    r"""The image in whole steps of the converter.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of QuantisationParams, length B
    seeds : sequence of int, length B
        Not used: the effect has nothing random.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    Notes
    -----
    .. math:: x \leftarrow \mathrm{round}(\alpha x)

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 40 (TEM) and 55 (STEM),
    doi:10.1038/s41524-023-01188-0.
    """
    gain = per_image([one.gain or 1.0 for one in params], image)
    divisor = per_image([(one.gain or 1.0) if one.divide else 1.0 for one in params], image)
    return torch.round(image * gain) / divisor
