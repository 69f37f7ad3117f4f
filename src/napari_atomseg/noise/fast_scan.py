"""Tails along the scan: the detector and its readout still ring while the beam is already on the next pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import Angle
from napari_atomseg.optics.batch import per_image

_LEAST_WEIGHT = 0.05


@dataclass(frozen=True, kw_only=True)
class FastScanParams:
    """Response of detector and readout of one sample.

    Attributes
    ----------
    alpha : float, rad px
        Parameter alpha of the detector's Lorentzian, Eq. 48, whose half width at half maximum is alpha / (2 pi) px; 0: none.
    beta : float, px
        Decay length beta of the readout's oscillation, Eq. 49; 0: none.
    gamma : float, px
        Period gamma of the readout's oscillation, Eq. 49.
    theta : float, rad
        Phase theta of the readout's oscillation, Eq. 49; pi / 2 starts at its crest.
    """

    alpha: Annotated[float, Quantity(unit="rad px", low=0, high=1e4, decimals=3)] = 0.0
    beta: Annotated[float, Quantity(unit="px", low=0, high=1e4, decimals=3)] = 0.0
    gamma: Annotated[float, Quantity(unit="px", low=0.1, high=1e6, decimals=2)] = 20.0
    theta: Angle = pi / 2

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.alpha > 0 or params.beta > 0)
def fast_scan(image: Tensor, params: Sequence[FastScanParams], seeds: Sequence[int]) -> Tensor:
    """The image with tails to the right, the later side of the fast scan, Eq. 47; rows do not mix.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of FastScanParams, length B
    seeds : sequence of int, length B
        Not used: the effect has nothing random.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32
        Before a row the beam is taken to rest on its first pixel.
    """
    width = image.shape[-1]
    kernel = fast_scan_kernel(width, params).to(image)[:, None, None]
    before = image[..., :1].expand(*image.shape[:-1], width)
    spectrum = torch.fft.rfft(torch.cat([before, image], dim=-1)).mul_(torch.fft.rfft(kernel, n=2 * width))
    # The circle is closed within the rest before the row, so that what wraps around never reaches the row itself.
    return torch.fft.irfft(spectrum, n=2 * width)[..., width:].contiguous()


def fast_scan_kernel(length: int, params: Sequence[FastScanParams]) -> Tensor:
    r"""Response of detector and readout together to one bright pixel, shape (B, length), px 0, 1, 2 ... after it; sum 1.

    Parameters
    ----------
    length : int, px
    params : sequence of FastScanParams, length B

    Raises
    ------
    AtomsegError
        If the oscillation of the readout has no positive integral, so that no normalisation can make it 1.

    Notes
    -----
    With the distance s >= 0 behind the beam, sampled at whole pixels:

    .. math:: \mathrm{psf_{detector}} \propto \frac{\alpha}{4 \pi^2 s^2 + \alpha^2}, \quad
              \mathrm{psf_{readout}} \propto e^{-s / \beta} \sin(2 \pi s / \gamma + \theta)

    The paper prints both for x <= 0, where Eq. 49 grows without bound: the decaying sense is taken, s = -x in Eq. 48 and
    s = x in Eq. 49, and a signal that comes after its cause. As printed, the integral of Eq. 48 is 1/4 and Eq. 50 is
    not the inverse of that of Eq. 49, :math:`\beta \gamma (\gamma \sin\theta + 2 \pi \beta \cos\theta) /
    (\gamma^2 + 4 \pi^2 \beta^2)`; both are normalised numerically, over the width of the image.

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 47-50, doi:10.1038/s41524-023-01188-0.
    """
    s = torch.arange(length, dtype=torch.float64)
    alpha, beta, gamma, theta = (
        per_image([getattr(one, name) for one in params], s)[:, :, 0, 0] for name in ("alpha", "beta", "gamma", "theta")
    )
    first = (s == 0).double()
    detector = torch.where(alpha > 0, alpha / (4 * pi**2 * s**2 + alpha**2).clamp(min=1e-300), first)
    readout = torch.where(beta > 0, torch.exp(-s / beta.clamp(min=1e-9)) * torch.sin(2 * pi * s / gamma + theta), first)
    if bool((readout.sum(1) < _LEAST_WEIGHT * readout.abs().sum(1)).any()):
        raise AtomsegError("the readout's oscillation has no positive integral: choose theta nearer to pi/2, or a longer gamma")
    detector, readout = (part / part.sum(1, keepdim=True) for part in (detector, readout))
    both = torch.fft.irfft(torch.fft.rfft(detector, n=2 * length) * torch.fft.rfft(readout, n=2 * length), n=2 * length)
    kernel = both[:, :length]
    return kernel / kernel.sum(1, keepdim=True)
