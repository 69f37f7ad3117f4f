"""Fourier modes of many points by way of a grid: each is spread over a few cells with a kernel whose transform is divided out.

The time goes with the number of points plus the number of modes, where the sum itself (:func:`.linear_adf.structure_factor`)
goes with their product.
"""

from __future__ import annotations

import math

import torch
from scipy.fft import next_fast_len
from torch import Tensor

REACH = 7
"""Cells over which a point is spread along each axis: what the kernel leaves out is about 2e-7, as single precision does."""
FINER = 2
"""Cells of the grid for each mode."""
STEEPNESS = math.pi * math.sqrt((REACH / FINER * (FINER - 0.5)) ** 2 - 0.8)
"""Of the kernel, Eq. 5 of Beatty et al."""
AT_ONCE = 1 << 16
"""Points whose cells are held in memory together."""


def quicker(points: int, images: int, modes: tuple[int, int]) -> bool:
    """Whether a grid takes less time than the sum, as measured on one core in units of the sine and cosine of one mode.

    Parameters
    ----------
    points : int
        Of all images.
    images : int
    modes : tuple of int
        Highest modes (Ky, Kx).
    """
    cells = modes[0] * modes[1]
    return 50 * points + 21 * cells * images <= points * (modes[0] + modes[1] + cells / 130)


def damped_modes(places: Tensor, weights: Tensor, widths: Tensor, modes: tuple[int, int], period: tuple[float, float]) -> Tensor:
    """As :func:`gridded_modes`, of points that are blurred by Gaussians of a few widths.

    Parameters
    ----------
    places : Tensor, shape (N, 2), px, (y, x)
    weights, widths : Tensor, shape (N,)
        Widths in px, standard deviations.
    modes : tuple of int
        Highest modes (Ky, Kx).
    period : tuple of float, px, (y, x)

    Returns
    -------
    Tensor, complex64, shape (2 Ky + 1, Kx + 1)
    """
    found = places.new_zeros((2 * modes[0] + 1, modes[1] + 1), dtype=torch.complex64)
    for width in torch.unique(widths).tolist():
        some = widths == width
        part = gridded_modes(places[some], weights[some], modes, period)
        y, x = (_damping(width, high, length, places.device) for high, length in zip(modes, period, strict=True))
        found += part * (torch.cat([y[1:].flip(0), y])[:, None] * x)
    return found


def gridded_modes(places: Tensor, weights: Tensor, modes: tuple[int, int], period: tuple[float, float]) -> Tensor:
    r"""Fourier modes of weighted points in a periodic field.

    Parameters
    ----------
    places : Tensor, shape (N, 2), px, (y, x)
    weights : Tensor, shape (N,)
    modes : tuple of int
        Highest modes (Ky, Kx).
    period : tuple of float, px, (y, x)

    Returns
    -------
    Tensor, complex64, shape (2 Ky + 1, Kx + 1)
        :math:`\sum_n w_n e^{-2 \pi i k \cdot r_n}` for modes -Ky..Ky and 0..Kx, to about 1e-6 of the sum of the weights.

    References
    ----------
    Kaiser-Bessel kernel and its exponent: Beatty, Nishimura and Pauly, IEEE Trans. Med. Imaging 24 (2005) 799, Eq. 3-5.
    """
    sides = [next_fast_len(max(FINER * (2 * high + 1), 2 * REACH), real=True) for high in modes]
    grid = torch.zeros(sides[0] * sides[1], dtype=torch.float32, device=places.device)
    for first in range(0, len(places), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        (row, along_y), (column, along_x) = (_cells(places[part, axis], period[axis], sides[axis]) for axis in (0, 1))
        along_y = along_y * weights[part, None]
        cells = (row * sides[1])[:, :, None] + column[:, None, :]
        grid.index_add_(0, cells.flatten(), (along_y[:, :, None] * along_x[:, None, :]).flatten())
    whole = torch.fft.rfft2(grid.reshape(sides[0], sides[1]))
    above, below = whole[: modes[0] + 1, : modes[1] + 1], whole[len(whole) - modes[0] :, : modes[1] + 1]
    lost = [_kernel_transform(high, side, places.device) for high, side in zip(modes, sides, strict=True)]
    along_y = torch.cat([lost[0][1:].flip(0), lost[0]])
    return torch.cat([below, above]) / (along_y[:, None] * lost[1][None])


def _cells(places: Tensor, period: float, side: int) -> tuple[Tensor, Tensor]:
    """Cells (N, R) that points reach along one axis, and how much of each point falls there."""
    at = places.double() * (side / period)
    first = torch.ceil(at - REACH / 2)
    steps = torch.arange(REACH, device=places.device)
    off = (first - at).float()[:, None] + steps
    bent = torch.sqrt((1 - (2 * off / REACH) ** 2).clamp_min(0.0))
    share = torch.special.i0e(STEEPNESS * bent) * torch.exp(STEEPNESS * (bent - 1))
    return torch.remainder(first.long()[:, None] + steps, side), torch.where(off.abs() <= REACH / 2, share, 0.0)


def _kernel_transform(high: int, side: int, device: torch.device) -> Tensor:
    """Fourier transform of the kernel at modes 0..K of a grid, as it is scaled in :func:`_cells`."""
    bent = torch.sqrt(STEEPNESS**2 - (math.pi * REACH * torch.arange(high + 1, dtype=torch.float64) / side) ** 2)
    return (REACH * torch.exp(bent - STEEPNESS) * (1 - torch.exp(-2 * bent)) / (2 * bent)).float().to(device)


def _damping(width: float, high: int, period: float, device: torch.device) -> Tensor:
    """Transform of a Gaussian, of a width in px, at modes 0..K."""
    return torch.exp(-2 * (width * (math.pi / period) * torch.arange(high + 1, dtype=torch.float32, device=device)) ** 2)
