"""Apertures of the probe- or image-forming lens."""

from __future__ import annotations

import torch
from torch import Tensor


def angular_grid(ky: Tensor, kx: Tensor, wavelength: Tensor) -> tuple[Tensor, Tensor]:
    """Scattering angle (B, Y, X) and azimuth (B or 1, Y, X), in rad, of spatial frequencies given per axis.

    Parameters
    ----------
    ky, kx : Tensor, shape (B, Y) and (B, X), 1/Å
        Spatial frequencies of rows and columns.
    wavelength : Tensor, shape (B, 1, 1), Å
    """
    alpha = wavelength * torch.sqrt(ky[:, :, None] ** 2 + kx[:, None, :] ** 2)
    return alpha, torch.atan2(ky[:, :, None], kx[:, None, :])


def circular_aperture(alpha: Tensor, phi: Tensor, semiangle: Tensor, angular_step: tuple[Tensor, Tensor], soft: Tensor) -> Tensor:
    """Transmission of a round aperture, in [0, 1], shape (B, Y, X).

    A soft edge falls linearly over one step of the frequency grid along the radius, as in abTEM, which takes the staircase
    from a disc drawn on a coarse grid; a hard edge is the disc itself.

    Parameters
    ----------
    alpha, phi : Tensor, shape (B, Y, X), rad
        Scattering angle and azimuth.
    semiangle : Tensor, shape (B, 1, 1), rad
    angular_step : tuple of Tensor, shape (B, 1, 1), rad
        Steps of the grid in y and x.
    soft : Tensor of bool, shape (B, 1, 1)
    """
    width = torch.sqrt((torch.cos(phi) * angular_step[1]) ** 2 + (torch.sin(phi) * angular_step[0]) ** 2)
    ramp = ((semiangle - alpha) / width + 0.5).clamp(0, 1)
    # The undiffracted beam always passes: it has no direction, and its ramp would depend on the grid alone.
    ramp = torch.where(alpha == 0, torch.ones_like(ramp), ramp)
    return torch.where(soft, ramp, (alpha <= semiangle).to(ramp))
