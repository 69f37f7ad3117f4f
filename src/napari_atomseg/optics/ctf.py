"""Contrast transfer of the objective lens of a TEM: aberrations, partial coherence and aperture, batched.

The transfer acts on a wave (quasi-coherent envelopes), as abTEM's; for a weak phase object its imaginary part is the textbook
phase contrast transfer function. The transmission cross-coefficient of strong objects is not here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.quantities import Quantity
from napari_atomseg.optics.aberrations import LensParams, chi, chi_gradient, wavelengths
from napari_atomseg.optics.aperture import angular_grid, circular_aperture
from napari_atomseg.optics.batch import per_sample
from napari_atomseg.optics.electron import wavelength

_OPEN = 1e3  # rad: an aperture that stops nothing


@dataclass(frozen=True, kw_only=True)
class CtfParams(LensParams):
    """Objective lens, coherence and aperture of a TEM; all zero and no aperture transfers the wave as it is.

    The lens itself is described in :class:`~napari_atomseg.optics.aberrations.LensParams`.

    Attributes
    ----------
    focal_spread : float, Å
        Half width of the defocus distribution at 1/e of its height (abTEM's convention; sqrt(2) standard deviations).
    angular_spread : float, mrad
        Half width of the illumination's angles at 1/e of its height.
    semiangle : float, mrad, optional
        Half angle of the objective aperture; none for an open lens.
    soft : bool
        Aperture with a soft edge, as abTEM's default; else a sharp disc.
    """

    focal_spread: Annotated[float, Quantity(unit="Å", low=0, high=1e4, decimals=1)] = 0.0
    angular_spread: Annotated[float, Quantity(unit="mrad", low=0, high=50, decimals=3)] = 0.0
    semiangle: Annotated[float, Quantity(unit="mrad", low=0.1, high=500)] | None = None
    soft: bool = True


def transfer_function(
    params: Sequence[CtfParams],
    shape: tuple[int, int],
    pixel_size: float | Sequence[float],
    device: torch.device | str | None = None,
) -> Tensor:
    r"""Factor of every Fourier component of the wave, in the order of :func:`torch.fft.fft2`.

    Parameters
    ----------
    params : sequence of CtfParams, length B
    shape : tuple of int
        (Y, X).
    pixel_size : float or sequence of float, length B, Å
    device : torch device, optional

    Returns
    -------
    Tensor, complex64, shape (B, Y, X)

    Notes
    -----
    With focal spread :math:`\delta` and angular spread :math:`\beta`, both half widths at 1/e,

    .. math:: H = A(\alpha)\, e^{-i\chi}
        \exp\left[-\left(\frac{\pi\delta\alpha^2}{2\lambda}\right)^2\right]
        \exp\left[-\frac{\beta^2}{4}\left(\left(\frac{\partial\chi}{\partial\alpha}\right)^2
        + \left(\frac{\partial\chi}{\alpha\,\partial\phi}\right)^2\right)\right]

    References
    ----------
    Kirkland (2020), Eq. 3.41-3.43; abTEM, transfer.py, for the conventions of both spreads.
    """
    sizes = [float(pixel_size)] * len(params) if isinstance(pixel_size, (int, float)) else list(pixel_size)
    size = per_sample(sizes, device)[:, 0]
    ky = torch.fft.fftfreq(shape[0], dtype=torch.float64, device=device)[None] / size
    kx = torch.fft.fftfreq(shape[1], dtype=torch.float64, device=device)[None] / size
    length = wavelengths(params, device)
    alpha, phi = angular_grid(ky, kx, length)
    focal = per_sample([one.focal_spread for one in params], device)
    damping = (math.pi / 2 * focal * alpha**2 / length) ** 2
    angular = per_sample([one.angular_spread * 1e-3 for one in params], device)
    if bool((angular > 0).any()):
        radial, across = chi_gradient(alpha, phi, params)
        damping = damping + angular**2 / 4 * (radial**2 + across**2)
    envelope = torch.exp(-damping) * _aperture(params, alpha, phi, size, shape)
    # Reduced to one turn while still in double precision: chi reaches thousands of rad at the corners.
    phase = torch.remainder(-chi(alpha, phi, params), 2 * math.pi)
    return torch.polar(envelope.to(torch.float32), phase.to(torch.float32))


def scherzer_defocus(energy: float, Cs: float) -> float:
    r"""Defocus in Å (underfocus for positive Cs) at which phase contrast has the same sign over the widest band.

    .. math:: \Delta f = \operatorname{sgn}(C_s) \sqrt{\tfrac{3}{2} |C_s| \lambda}

    Parameters
    ----------
    energy : float, eV
    Cs : float, Å

    References
    ----------
    Kirkland (2020), Eq. 3.30; the factor 3/2 as in abTEM.
    """
    return math.copysign(math.sqrt(1.5 * abs(Cs) * wavelength(energy)), Cs)


def _aperture(params: Sequence[CtfParams], alpha: Tensor, phi: Tensor, size: Tensor, shape: tuple[int, int]) -> Tensor:
    """Objective apertures of a batch, shape (B, Y, X) or a plain one."""
    if all(one.semiangle is None for one in params):
        return alpha.new_ones(())
    angles = per_sample([_OPEN if one.semiangle is None else one.semiangle * 1e-3 for one in params], alpha.device)
    length = wavelengths(params, alpha.device)
    steps = (length / (size * shape[0])[..., None], length / (size * shape[1])[..., None])
    soft = torch.tensor([one.soft for one in params], device=alpha.device)[:, None, None]
    return circular_aperture(alpha, phi, angles, steps, soft)
