"""Electrons counted by a scintillator and a photomultiplier tube (PMT), as in scanned images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Annotated, Literal

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import DoseScale
from napari_atomseg.optics.batch import per_image


@dataclass(frozen=True, kw_only=True)
class ScintillatorParams:
    """Detector of one sample.

    Attributes
    ----------
    dose_scale : float, e, or None
        Dose scale factor alpha of Eq. 45, electrons per unit of image intensity; nothing is counted without one.
    photons : float
        Photons m_c collected per electron, Eq. 43.
    efficiency : float
        Detective quantum efficiency eta of the photocathode, Eq. 43.
    stage_gain : float
        Secondary gain delta of each stage of the PMT, Eq. 43.
    photon_spread : float
        Standard deviation delta_c of the number of photons per electron, Eq. 43.
    pulses : constant or single
        Whether the spread of one pulse is added to every pixel, as Eq. 46 is printed, or each electron brings its own, so
        that the variance grows with the count and a pixel without electrons stays dark.
    """

    dose_scale: DoseScale | None = 1.0
    photons: Annotated[float, Quantity(low=1, high=1e6, decimals=1)] = 100.0
    efficiency: Annotated[float, Quantity(low=1e-3, high=1, decimals=3)] = 0.25
    stage_gain: Annotated[float, Quantity(low=1.01, high=1e3)] = 5.0
    photon_spread: Annotated[float, Quantity(low=0, high=1e6, decimals=1)] = 10.0
    pulses: Literal["constant", "single"] = "constant"

    def __post_init__(self) -> None:
        check(self)


def pulse_spread(params: ScintillatorParams) -> float:
    r"""Standard deviation of the anode pulse of one electron, divided by the mean pulse.

    Notes
    -----
    Eq. 44 over the mean pulse :math:`m_c \eta G`, so that the gain G of the PMT drops out and the result is in electrons:

    .. math:: \frac{\sigma}{m_c \eta G} = \sqrt{\frac{1 - \eta + 1 / (\delta - 1)}{m_c \eta} + \frac{\delta_c^2}{m_c^2}}

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 43-44, doi:10.1038/s41524-023-01188-0.
    """
    multiplication = (1 - params.efficiency + 1 / (params.stage_gain - 1)) / (params.photons * params.efficiency)
    return sqrt(multiplication + (params.photon_spread / params.photons) ** 2)


@only_where(lambda params: params.dose_scale is not None)
def scintillator(image: Tensor, params: Sequence[ScintillatorParams], seeds: Sequence[int]) -> Tensor:
    r"""Signal of a scintillator and PMT in the image's own units, not rounded to whole electrons.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
        Expected intensity; values below zero count as zero.
    params : sequence of ScintillatorParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32
        Negative values occur, as in the electronics.

    Notes
    -----
    .. math:: x \leftarrow (P(\alpha x) + N(0, \sigma)) / \alpha

    with sigma of :func:`pulse_spread`, in electrons, or sigma times the root of the count for single pulses.

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 45-46, doi:10.1038/s41524-023-01188-0.
    """
    scale = per_image([one.dose_scale or 1.0 for one in params], image)
    spread = per_image([pulse_spread(one) for one in params], image)
    counts = seeded.poisson(image * scale, seeds)
    noise = seeded.normal(image.shape[1:], seeds, image.device, stream=1).mul_(spread)
    single = per_image([one.pulses == "single" for one in params], image).bool()
    if bool(single.any()):
        noise = torch.where(single, noise * counts.sqrt(), noise)
    return counts.add_(noise).div_(scale)
