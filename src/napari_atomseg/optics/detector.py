"""Sharpness of a camera: modulation transfer functions, all 1 at zero frequency, so that the flux is kept.

Where the transfer acts is a choice, :func:`through_camera`: on the expected image, on the counting noise, which it colours, or on
both, which is what a camera does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.optics.batch import per_sample

_Nyquists = Annotated[float, Quantity(low=1e-3, high=1e3, decimals=3)]
_Share = Annotated[float, Quantity(low=0, high=1, decimals=3)]


@dataclass(frozen=True, kw_only=True)
class MtfParams:
    """Modulation transfer of one camera.

    Attributes
    ----------
    model : {"none", "double gaussian", "rational"}
        No camera (identity); Lobato et al., Eq. 28-29; Madsen et al., Eq. 5.
    narrow_share : float
        a of Eq. 29: share of the first Gaussian.
    narrow_width : float, Nyquist frequencies
        b of Eq. 29: standard deviation of the first Gaussian.
    wide_width : float, Nyquist frequencies
        c of Eq. 29: standard deviation of the second Gaussian.
    pixel : bool
        Whether Lobato's transfer holds the area of the pixel, the sinc functions of Eq. 28.
    height : float
        c1 of Madsen's code: value at zero, taken out by the normalisation to 1.
    floor : float
        c2 of Madsen's code (c1 of Eq. 5): value at high frequency.
    knee : float, Nyquist frequencies
        c3 of Madsen's code (c2 of Eq. 5): half of the frequency where the falling part is at one half.
    steepness : float
        c4 of Madsen's code (c3 of Eq. 5): exponent of the fall.
    acts_on : {"signal and noise", "signal", "noise"}
        What :func:`through_camera` applies it to; "noise" suits an expected image that holds the transfer already.
    """

    model: Literal["none", "double gaussian", "rational"] = "none"
    narrow_share: _Share = 0.5
    narrow_width: _Nyquists = 0.2
    wide_width: _Nyquists = 0.6
    pixel: bool = True
    height: Annotated[float, Quantity(low=1e-3, high=10, decimals=3)] = 1.0
    floor: _Share = 0.05
    knee: _Nyquists = 0.5
    steepness: Annotated[float, Quantity(low=0.1, high=20, decimals=2)] = 2.5
    acts_on: Literal["signal and noise", "signal", "noise"] = "signal and noise"

    def __post_init__(self) -> None:
        check(self)


def modulation_transfer(
    params: Sequence[MtfParams], shape: tuple[int, int], device: torch.device | str | None = None, samples_per_pixel: float = 1.0
) -> Tensor:
    r"""Modulation transfer of every camera of a batch, in the order of :func:`torch.fft.rfft2`.

    Parameters
    ----------
    params : sequence of MtfParams, length B
    shape : tuple of int
        (Y, X) of the image.
    device : torch device, optional
    samples_per_pixel : float
        Samples of the image in one pixel of the camera, if the image is finer than the camera.

    Returns
    -------
    Tensor, float32, shape (B, Y, X // 2 + 1)
        1 at zero frequency.

    Notes
    -----
    With frequencies in units of the Nyquist frequency of the camera, :math:`g = \sqrt{u^2 + v^2}`:

    .. math:: M_L = \left[a e^{-g^2 / 2b^2} + (1 - a) e^{-g^2 / 2c^2}\right]
                    \operatorname{sinc}(\pi u / 2) \operatorname{sinc}(\pi v / 2), \qquad
              M_M = \frac{1}{c_1}\left[\frac{c_1 - c_2}{1 + (g / 2c_3)^{c_4}} + c_2\right]

    References
    ----------
    Lobato et al., npj Comput. Mater. 10 (2024) 10, Eq. 28-29. Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, Eq. 5, with the
    free height of their published code; they measure g in Nyquist frequencies in print and in 1/Å in the code: here as in print.
    """
    v = torch.fft.fftfreq(shape[0], dtype=torch.float64, device=device)[None, :, None] * (2 * samples_per_pixel)
    u = torch.fft.rfftfreq(shape[1], dtype=torch.float64, device=device)[None, None, :] * (2 * samples_per_pixel)
    squared = u**2 + v**2

    def of(name: str) -> Tensor:
        return per_sample([getattr(one, name) for one in params], device)

    a = of("narrow_share")
    gaussians = a * torch.exp(-squared / (2 * of("narrow_width") ** 2)) + (1 - a) * torch.exp(
        -squared / (2 * of("wide_width") ** 2)
    )
    pixel = torch.where(of("pixel") > 0, torch.sinc(u / 2) * torch.sinc(v / 2), torch.ones_like(squared))
    fall = (of("height") - of("floor")) / (1 + (torch.sqrt(squared) / (2 * of("knee"))) ** of("steepness"))
    rational = (fall + of("floor")) / of("height")
    kind = torch.tensor([("none", "double gaussian", "rational").index(one.model) for one in params], device=device)[
        :, None, None
    ]
    either = torch.where(kind == 1, gaussians * pixel, rational)
    return torch.where(kind == 0, torch.ones_like(either), either).to(torch.float32)


def apply_mtf(image: Tensor, params: Sequence[MtfParams], samples_per_pixel: float = 1.0) -> Tensor:
    """Image as a camera blurs it, Lobato et al., Eq. 27.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
        Expected or counted electrons; continued by mirrors at its borders, so that nothing wraps round.
    params : sequence of MtfParams, length B
        A camera of model "none" returns its image bit for bit.
    samples_per_pixel : float
        As for :func:`modulation_transfer`.

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
    """
    on = [n for n, one in enumerate(params) if one.model != "none"]
    if not on:
        return image
    which = torch.tensor(on, device=image.device)
    some = image[which]
    height, width = some.shape[-2:]
    mirrored = torch.cat([some, some.flip(-1)], dim=-1)
    mirrored = torch.cat([mirrored, mirrored.flip(-2)], dim=-2)
    transfer = modulation_transfer([params[n] for n in on], (2 * height, 2 * width), image.device, samples_per_pixel)
    blurred = torch.fft.irfft2(torch.fft.rfft2(mirrored) * transfer[:, None], s=(2 * height, 2 * width))
    return image.index_copy(0, which, blurred[..., :height, :width].to(image.dtype))


def through_camera(expected: Tensor, counted: Tensor, params: Sequence[MtfParams]) -> Tensor:
    """Counted electrons as a camera shows them, with its transfer on the signal, on the noise, or on both.

    Parameters
    ----------
    expected : Tensor, shape (B, 1, Y, X)
        Noiseless image, in the unit of the counts.
    counted : Tensor, shape (B, 1, Y, X)
        The same with its counting noise.
    params : sequence of MtfParams, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X)

    References
    ----------
    Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, text before Eq. 5: noise that is white tells a network where to look.
    """
    on_signal = [one if "signal" in one.acts_on else MtfParams() for one in params]
    on_noise = [one if "noise" in one.acts_on else MtfParams() for one in params]
    if on_signal == on_noise:
        return apply_mtf(counted, on_signal)
    return apply_mtf(expected, on_signal) + apply_mtf(counted - expected, on_noise)
