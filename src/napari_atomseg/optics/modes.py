"""Fourier series with few modes: exact shifts, exact sampling on any grid, no interpolation.

A *spectrum* holds the Fourier coefficients of real images that repeat after a period of (Y, X) pixels: modes -K..K in y and
0..K in x, the others being their complex conjugates. What a lens lets through has few modes, and sums over few
modes are small matrix products, which are exact for sub-pixel places and faster than transforms of padded images.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def row_modes(count: int, device: torch.device | str | None = None) -> Tensor:
    """Mode numbers -K..K in y, shape (2K + 1,), float64.

    Parameters
    ----------
    count : int
        K, the highest.
    device : torch.device or str, optional
    """
    return torch.arange(-count, count + 1, dtype=torch.float64, device=device)


def column_modes(count: int, device: torch.device | str | None = None) -> Tensor:
    """Mode numbers 0..K in x, shape (K + 1,), float64.

    Parameters
    ----------
    count : int
        K, the highest.
    device : torch.device or str, optional
    """
    return torch.arange(count + 1, dtype=torch.float64, device=device)


def waves(places: Tensor, count: int, period: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the phase that modes 0..K have at places, each of shape (..., N, K + 1).

    Parameters
    ----------
    places : Tensor, shape (..., N), px
    count : int
        Highest mode K.
    period : float, px
    """
    modes = torch.arange(count + 1, dtype=places.dtype, device=places.device)
    phase = (places * (2 * math.pi / period))[..., None] * modes
    return torch.cos(phase), torch.sin(phase)


def sample_spectrum(spectrum: Tensor, period: tuple[float, float], shape: tuple[int, int]) -> Tensor:
    r"""Values of a Fourier series at the centres of pixels.

    Parameters
    ----------
    spectrum : Tensor, complex, shape (B, 2 Ky + 1, Kx + 1)
        Integrals over one period, so that its mode (0, 0) is the flux.
    period : tuple of float, px, (y, x)
    shape : tuple of int
        (Y, X); pixel (0, 0) lies at the origin. Modes above the Nyquist frequency fold, as they do in a scan with too
        large steps.

    Returns
    -------
    Tensor, shape (B, Y, X)
        Density per pixel: its sum over one period is the flux.

    Notes
    -----
    .. math:: I(y, x) = \frac{1}{P_y P_x} \sum_{m,n} S_{mn}\, e^{2\pi i (m y / P_y + n x / P_x)}
    """
    high_y, high_x = spectrum.shape[-2] // 2, spectrum.shape[-1] - 1
    real = spectrum.real.dtype
    y = torch.arange(shape[0], dtype=torch.float64, device=spectrum.device)
    x = torch.arange(shape[1], dtype=torch.float64, device=spectrum.device)
    cos_y, sin_y = waves(y, high_y, period[0])
    cos_x, sin_x = waves(x, high_x, period[1])
    above, below = spectrum[:, high_y:], spectrum[:, : high_y + 1].flip(1)
    even, odd = above + below, 1j * (above - below)
    even = torch.cat([spectrum[:, high_y : high_y + 1], even[:, 1:]], dim=1)
    twice = torch.full((high_x + 1,), 2.0, dtype=torch.float64, device=spectrum.device)
    twice[0] = 1.0
    across = torch.stack([cos_x * twice, -sin_x * twice], dim=-1).flatten(1).T / (period[0] * period[1])
    along = torch.cat([cos_y, sin_y], dim=1).to(real)
    rows = along @ torch.view_as_real(torch.cat([even, odd], dim=1)).flatten(2)
    return rows @ across.to(real)
