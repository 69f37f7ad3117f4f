"""Atoms of any incoherent image as a Gaussian, an exponential and a Butterworth function, after Lobato et al.

One profile per image, scaled for every element with the radius of its potential. It stands for probe, detector and
scattering at once, so it needs no lens; it does not know what a microscope could really do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import torch
from scipy.special import j0
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.imaging.linear_adf import ColumnBatch, field_of, inside_field, species_spectrum
from napari_atomseg.imaging.lobato import check_number
from napari_atomseg.imaging.scattering import rms_radii
from napari_atomseg.optics.modes import sample_spectrum

_Share = Annotated[float, Quantity(low=0, high=1, decimals=3)]

# In units of the inverse width: the transform is tabulated to here, where it is below 1e-4 of its value at zero.
_HIGHEST = 3.5
_ENTRIES = 2048


@dataclass(frozen=True, kw_only=True)
class RadialProfileParams:
    """Shape of the atoms of one image.

    Attributes
    ----------
    gaussian : float
        Height h1 of the Gaussian, Eq. 17.
    exponential : float
        Height h2 of the exponential, Eq. 17.
    butterworth : float
        Height h3 of the Butterworth function, Eq. 17.
    steepness : float
        n of the Butterworth function, Eq. 17; 4 to 16 in the paper.
    alpha : float
        Exponent of the radius, Eq. 18; 0.75 to 1.25 in the paper.
    scale : float
        Factor on all widths; not in the paper, whose 1 makes light atoms as wide as those of a medium-resolution image.
    """

    gaussian: _Share = 1.0
    exponential: _Share = 0.5
    butterworth: _Share = 0.5
    steepness: Annotated[float, Quantity(low=4, high=32, decimals=1)] = 8.0
    alpha: Annotated[float, Quantity(low=0.1, high=4)] = 1.0
    scale: Annotated[float, Quantity(low=0.01, high=100, decimals=3)] = 1.0

    def __post_init__(self) -> None:
        check(self)


def profile_widths(params: RadialProfileParams) -> Tensor:
    r"""Width of the profile of every element, shape (103,), Å; row 0 is hydrogen.

    Notes
    -----
    .. math:: r^m_Z = a\,\hat r_Z^{\,\alpha} + b, \qquad
              a = \frac{\operatorname{Std}_Z\{\hat r_Z\}}{\operatorname{Std}_Z\{\hat r_Z^{\,\alpha}\}}, \qquad
              b = \operatorname{E}_Z\{\hat r_Z\} - a \operatorname{E}_Z\{\hat r_Z^{\,\alpha}\}

    with mean and spread over all elements, so that the exponent changes the order of widths little and their range not at all.

    References
    ----------
    Lobato et al., npj Comput. Mater. 10 (2024) 10, Eq. 18-21.
    """
    radii = rms_radii()
    bent = radii**params.alpha
    a = radii.std() / bent.std()
    return params.scale * (a * bent + radii.mean() - a * bent.mean())


def radial_profile(radius: Tensor, width: float, params: RadialProfileParams) -> Tensor:
    r"""Intensity of an atom at a distance, with the integral over the plane 1.

    Parameters
    ----------
    radius : Tensor, Å
        Distance from the atom.
    width : float, Å
        r^m_Z, from :func:`profile_widths`.
    params : RadialProfileParams

    Returns
    -------
    Tensor, 1/Å^2, of the same shape

    Notes
    -----
    .. math:: f_Z(r) \propto h_1 e^{-r^2 / 2 r_m^2} + h_2 e^{-r / r_m} + \frac{h_3}{1 + (r / r_m)^{2n}}

    The condition that heavier atoms are brighter (Eq. 22) is met by weights that rise with Z, such as Z^gamma: here as an
    integral over the plane, which is what scatters, where the equation as printed integrates along the radius.

    References
    ----------
    Lobato et al., npj Comput. Mater. 10 (2024) 10, Eq. 17 and 22.
    """
    rho = radius / width
    shape = (
        params.gaussian * torch.exp(-(rho**2) / 2)
        + params.exponential * torch.exp(-rho)
        + params.butterworth / (1 + rho ** (2 * params.steepness))
    )
    return shape / (_integral(params) * width**2)


def half_maximum_width(params: RadialProfileParams) -> float:
    """Full width at half maximum of an atom in units of its r^m_Z, Eq. 17."""
    rho = torch.linspace(0, 4, 4001, dtype=torch.float64)
    value = radial_profile(rho, 1.0, params)
    return 2 * float(rho[value >= 0.5 * value[0]][-1])


def render_profiles(
    columns: ColumnBatch,
    numbers: Tensor,
    params: Sequence[RadialProfileParams],
    shape: tuple[int, int],
    pixel_size: float | Sequence[float],
    padding: float = 0.5,
) -> Tensor:
    r"""Image of atoms or columns, each with the profile of its element, integrated over every pixel.

    Parameters
    ----------
    columns : ColumnBatch
        Weights are integrated intensities; they must rise with Z to fulfil Eq. 22, as Z^gamma does.
    numbers : Tensor of int, shape (M,)
        Atomic number of each, 1 to 103.
    params : sequence of RadialProfileParams, length B
    shape : tuple of int
        (Y, X).
    pixel_size : float or sequence of float, length B, Å
    padding : float
        Room around the image in parts of its sides.

    Returns
    -------
    Tensor, float32, shape (B, 1, Y, X)

    Notes
    -----
    .. math:: y = \sum_Z \sum_i f^i_Z(|r - r_i|)

    as a sum of Fourier modes up to 3.5 / r_m, and at most 1/pixel, twice the Nyquist frequency, where the transform of a pixel
    vanishes. That rounds off the tip of the exponential and a steep edge, by up to 5e-3 of the maximum.

    References
    ----------
    Lobato et al., npj Comput. Mater. 10 (2024) 10, Eq. 16.
    """
    sizes = [float(pixel_size)] * columns.count if isinstance(pixel_size, (int, float)) else list(pixel_size)
    device = columns.positions.device
    period = field_of(shape, padding)
    widths = torch.stack([profile_widths(one) / size for one, size in zip(params, sizes, strict=True)]).to(device, torch.float32)
    tables = profile_transforms(params).to(device, torch.float32)
    modes = _modes(columns, numbers, widths, period)
    grid = _frequencies(modes, period, device)
    pixel = _pixel_transfer(modes, period, device)

    def transfer(number: int, images: list[int]) -> Tensor:
        check_number(number)
        which = torch.tensor(images, device=device)
        half = _look_up(tables[which], grid * widths[which, number - 1, None, None]) * pixel
        return torch.cat([half[:, 1:].flip(1), half], dim=1)

    near = inside_field(columns, shape, padding)
    spectrum = species_spectrum(columns.subset(near), numbers.to(device)[near], transfer, modes, period)
    return sample_spectrum(spectrum, period, shape)[:, None]


def profile_transforms(params: Sequence[RadialProfileParams]) -> Tensor:
    r"""Fourier transforms of the profiles at unit width, 1 at zero frequency.

    Returns
    -------
    Tensor, float64, shape (B, entries)
        At equal steps of the frequency from zero to 3.5 per width.

    Notes
    -----
    .. math:: \hat f(q) \propto 2 \pi h_1 e^{-2 \pi^2 q^2} + \frac{2 \pi h_2}{(1 + 4 \pi^2 q^2)^{3/2}}
              + 2 \pi h_3 \int_0^\infty \frac{J_0(2 \pi q \rho)}{1 + \rho^{2n}}\, \rho\, d\rho
    """
    q = torch.linspace(0, _HIGHEST, _ENTRIES, dtype=torch.float64)
    h1, h2, h3, n = (
        torch.tensor([getattr(one, name) for one in params], dtype=torch.float64)[:, None]
        for name in ("gaussian", "exponential", "butterworth", "steepness")
    )
    nodes, waves = _hankel()
    total = torch.tensor([_integral(one) for one in params], dtype=torch.float64)[:, None]
    butterworth = (1 / (1 + nodes ** (2 * n))) @ waves
    exponential = 2 * math.pi / (1 + (2 * math.pi * q) ** 2) ** 1.5
    return (h1 * 2 * math.pi * torch.exp(-2 * (math.pi * q) ** 2) + h2 * exponential + h3 * butterworth) / total


def _integral(params: RadialProfileParams) -> float:
    """Integral of Eq. 17 over the plane at unit width."""
    turn = math.pi / params.steepness
    disc = math.pi * turn / math.sin(turn)
    total = 2 * math.pi * (params.gaussian + params.exponential) + params.butterworth * disc
    if total <= 0:
        raise AtomsegError("A RadialProfileParams needs at least one of gaussian, exponential and butterworth above zero")
    return total


@lru_cache(maxsize=1)
def _hankel() -> tuple[Tensor, Tensor]:
    """Radii of a Gauss-Legendre rule, and weights times Bessel functions of every table entry, (nodes,) and (nodes, entries)."""
    pieces = [(0.0, 1.5, 192), (1.5, 8.0, 256)]
    rules = [(np.polynomial.legendre.leggauss(count), low, high) for low, high, count in pieces]
    nodes = np.concatenate([low + (high - low) * (rule[0] + 1) / 2 for rule, low, high in rules])
    weights = np.concatenate([(high - low) * rule[1] / 2 for rule, low, high in rules])
    q = np.linspace(0, _HIGHEST, _ENTRIES)
    waves = 2 * np.pi * (weights * nodes)[:, None] * j0(2 * np.pi * np.outer(nodes, q))
    return torch.from_numpy(nodes), torch.from_numpy(waves)


def _modes(columns: ColumnBatch, numbers: Tensor, widths: Tensor, period: tuple[int, int]) -> tuple[int, int]:
    """Highest modes that the narrowest atom of the batch needs, at most those up to 1/pixel."""
    if len(numbers) == 0:
        return 1, 1
    narrowest = float(widths[columns.sample, numbers.to(widths.device) - 1].min())
    y, x = (min(side, math.ceil(_HIGHEST / narrowest * side)) for side in period)
    return y, x


def _frequencies(modes: tuple[int, int], period: tuple[int, int], device: torch.device) -> Tensor:
    """Spatial frequency of the modes 0..Ky, 0..Kx, shape (Ky + 1, Kx + 1), 1/px."""
    y, x = (torch.arange(high + 1, device=device) / side for high, side in zip(modes, period, strict=True))
    return torch.hypot(y[:, None], x[None, :])


def _pixel_transfer(modes: tuple[int, int], period: tuple[int, int], device: torch.device) -> Tensor:
    """Fourier transform of a square pixel at the modes 0..Ky, 0..Kx."""
    y, x = (torch.sinc(torch.arange(high + 1, device=device) / side) for high, side in zip(modes, period, strict=True))
    return y[:, None] * x[None, :]


def _look_up(tables: Tensor, q: Tensor) -> Tensor:
    """Linear interpolation in one table per image, (b, entries), at frequencies (b, Y, X); zero beyond the table."""
    place = q * ((_ENTRIES - 1) / _HIGHEST)
    below = place.floor().clamp(max=_ENTRIES - 2)
    part = place - below
    index = below.long().flatten(1)
    low = torch.gather(tables, 1, index).view_as(q)
    high = torch.gather(tables, 1, index + 1).view_as(q)
    return torch.where(place <= _ENTRIES - 1, low + part * (high - low), torch.zeros_like(q))
