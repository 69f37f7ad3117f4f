"""Electrons that the sensor sets free without any light, unequally in its pixels, and their shot noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p, sqrt
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import DoseScale
from napari_atomseg.optics.batch import per_image

_Electrons = Annotated[float, Quantity(unit="e", low=0, high=1e6, decimals=3)]
_HOT_FROM, _HOT_TO = 5.0, 8.0
"""Hot pixels lie between mean + 5 and mean + 8 standard deviations, Eq. 32."""


@dataclass(frozen=True, kw_only=True)
class DarkCurrentParams:
    """Dark current of one sample, Eq. 32-33.

    Attributes
    ----------
    mean : float, e
        Mean mu of the log-normal main body: electrons per pixel and exposure.
    sigma : float, e
        Standard deviation sigma of the main body.
    hot : float
        Share of hot pixels, to which the uniform distribution of Eq. 32 is added.
    dose_scale : float, e
        Electrons per unit of image intensity, alpha of Eq. 30; Eq. 33 has it as 1.
    """

    mean: _Electrons = 0.0
    sigma: _Electrons = 0.0
    hot: Fraction = 0.0
    dose_scale: DoseScale = 1.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.mean > 0)
def dark_current(image: Tensor, params: Sequence[DarkCurrentParams], seeds: Sequence[int]) -> Tensor:
    r"""The image plus the counted dark electrons of every pixel.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of DarkCurrentParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    Notes
    -----
    .. math:: x \leftarrow x + P(\mathrm{DCNU}) / \alpha

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 33, doi:10.1038/s41524-023-01188-0.
    """
    dark = seeded.poisson(dark_map(image.shape[1:], params, seeds, image.device), seeds, stream=3)
    return image + dark / per_image([one.dose_scale for one in params], image)


def dark_map(
    shape: Sequence[int], params: Sequence[DarkCurrentParams], seeds: Sequence[int], device: torch.device | str = "cpu"
) -> Tensor:
    r"""Expected dark electrons of every pixel, the dark-current non-uniformity (DCNU), shape (B, *shape), e.

    Parameters
    ----------
    shape : sequence of int
        Of one image.
    params : sequence of DarkCurrentParams, length B
    seeds : sequence of int, length B
    device : torch.device or str

    Notes
    -----
    .. math:: \mathrm{DCNU} = \ln N(\mu, \sigma) + U(\mu + 5 \sigma, \mu + 8 \sigma)

    mu and sigma are taken as mean and standard deviation of the log-normal numbers themselves, not of their logarithms,
    so that the limits of the uniform distribution make sense; and that is for the hot pixels only, as the paper's text has it.

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 32, doi:10.1038/s41524-023-01188-0.
    """
    body = seeded.normal(shape, seeds, device)
    mean, sigma, hot = (per_image([getattr(one, name) for one in params], body) for name in ("mean", "sigma", "hot"))
    # Of the logarithms: the relative variance is exp(spread^2) - 1.
    spread = per_image([sqrt(log1p((one.sigma / max(one.mean, 1e-12)) ** 2)) for one in params], body)
    body = mean * torch.exp(spread * body - spread * spread / 2)
    if not bool(hot.any()):
        return body
    extra = mean + sigma * (_HOT_FROM + (_HOT_TO - _HOT_FROM) * seeded.uniform(shape, seeds, device, stream=1))
    return torch.where(seeded.uniform(shape, seeds, device, stream=2) < hot, body + extra, body)
