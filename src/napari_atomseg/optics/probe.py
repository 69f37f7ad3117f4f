"""The focused probe of a STEM or SEM: intensity and its Fourier transform, for a batch of lenses.

Coherent probe of an aperture with aberrations, convolved with a Gaussian effective source. The chromatic focal spread of
a probe is not here: its effect beside that of the source is small in corrected instruments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.optics.aberrations import LensParams, chi, wavelengths
from napari_atomseg.optics.aperture import angular_grid, circular_aperture
from napari_atomseg.optics.batch import per_sample
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.optics.modes import column_modes, row_modes, sample_spectrum

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))

# A transfer below this does not show in an image in single precision; modes beyond are not computed.
_FAINTEST_TRANSFER = 1e-6
_MOST_MODES = 2048
_STEPS_IN_WIDTH, _MOST_STEPS = 12.0, 512
"""Samples of a probe in its diffraction limit, and along its whole width at most, where its width is measured."""


@dataclass(frozen=True, kw_only=True)
class ProbeParams(LensParams):
    """Lens, aperture and source of a probe.

    The lens itself is described in :class:`~napari_atomseg.optics.aberrations.LensParams`.

    Attributes
    ----------
    semiangle : float, mrad
        Half angle of convergence.
    source_size : float, Å
        Full width at half maximum of the Gaussian effective source.
    soft : bool
        Aperture with a soft edge, as abTEM's default; else a sharp disc.
    """

    semiangle: Annotated[float, Quantity(unit="mrad", low=0.1, high=200)] = 25.0
    source_size: Annotated[float, Quantity(unit="Å", low=0, high=100, decimals=3)] = 0.0
    soft: bool = True


def probe_modes(params: Sequence[ProbeParams], extent: Sequence[float]) -> int:
    """Highest Fourier mode that a batch of probes transfers along one axis.

    Parameters
    ----------
    params : sequence of ProbeParams, length B
    extent : sequence of float, length B, Å
        Length of the period of each sample along the axis.
    """
    highest = 1.0
    for one, length in zip(params, extent, strict=True):
        # The intensity holds the differences of all pairs of directions in the aperture, and the soft edge adds a step.
        band = 2 * one.semiangle * 1e-3 / wavelength(one.energy) * length + 2
        if one.source_size > 0:
            sigma = one.source_size / FWHM_PER_SIGMA
            band = min(band, math.sqrt(-math.log(_FAINTEST_TRANSFER) / 2) / (math.pi * sigma) * length + 1)
        highest = max(highest, band)
    return math.ceil(highest)


def probe_reach(params: ProbeParams) -> float:
    """Radius in Å beyond which a probe is faint: ray optics at the edge of the aperture, diffraction, and the source.

    A few thousandths of the current lie farther out where the aperture is sharp, spread thinly.
    """
    angle = params.semiangle * 1e-3
    rays = (
        (abs(params.defocus) + abs(params.astigmatism)) * angle
        + (abs(params.coma) + abs(params.trefoil)) * angle**2
        + abs(params.Cs) * angle**3
        + abs(params.C5) * angle**5
    )
    return rays + 3 * wavelength(params.energy) / angle + 1.5 * params.source_size


def probe_transfer(
    params: Sequence[ProbeParams],
    extent: tuple[Sequence[float], Sequence[float]],
    modes: tuple[int, int] | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    r"""Fourier transform of the probe's intensity, 1 at zero frequency.

    Parameters
    ----------
    params : sequence of ProbeParams, length B
    extent : pair of sequences of float, length B, Å, (y, x)
        Period of every sample; the transfer is sampled at multiples of its inverse.
    modes : tuple of int, optional
        Highest modes (Ky, Kx) wanted; all that the probes transfer unless given.
    device : torch device, optional

    Returns
    -------
    Tensor, complex64, shape (B, 2 Ky + 1, Kx + 1)
        Laid out as in :mod:`napari_atomseg.optics.modes`, for a probe at the origin.

    Notes
    -----
    .. math:: T(k) = \mathcal{F}\left\{ \left| \mathcal{F}^{-1}\left[ H(k)\, e^{-i\chi(k)} \right] \right|^2 \right\}
              \, e^{-2 \pi^2 \sigma_s^2 k^2} \Big/ T(0), \quad
              \sigma_s = \frac{\mathrm{FWHM}}{2\sqrt{2\ln 2}}

    References
    ----------
    Lin et al., Sci. Rep. 11 (2021) 5386, the equation of the point spread function (as printed, with the modulus not
    squared and with constants that normalising takes out); Kirkland (2020), Eq. 3.68.
    """
    wanted = modes or (probe_modes(params, extent[0]), probe_modes(params, extent[1]))
    pupil = (_pupil_modes(params, extent[0]), _pupil_modes(params, extent[1]))
    # The grid must hold the aperture twice, or the intensity's transform would fold on itself.
    sides = [next_fast_len(4 * one + 2) for one in pupil]
    if max(*sides, *wanted) > 4 * _MOST_MODES:
        most = 4 * _MOST_MODES
        raise AtomsegError(
            f"The image is too wide for its probe: more than {most} Fourier modes; simulate a smaller field of view"
        )
    lens = _pupil(params, extent, pupil, device)
    wave = torch.fft.ifft2(_spread(lens, (sides[0], sides[1])))
    spectrum = torch.fft.rfft2(wave.real**2 + wave.imag**2)
    spectrum = _resize(spectrum, wanted) / spectrum[:, :1, :1].real
    return spectrum * _source_transfer(params, extent, wanted, device)


def probe_intensity(
    params: Sequence[ProbeParams],
    shape: tuple[int, int],
    pixel_size: float | Sequence[float],
    device: torch.device | str | None = None,
    centred: bool = True,
) -> Tensor:
    """Intensity of the probe on a periodic grid; every image sums to 1.

    Parameters
    ----------
    params : sequence of ProbeParams, length B
    shape : tuple of int
        (Y, X); the image is periodic, so tails that leave at one side come in at the other.
    pixel_size : float or sequence of float, length B, Å
        Side of a pixel, one for all or each its own.
    device : torch device, optional
    centred : bool
        Probe on pixel (Y // 2, X // 2); else on pixel (0, 0), ready for a Fourier transform.

    Returns
    -------
    Tensor, float32, shape (B, 1, Y, X)
        Fraction of the beam per pixel.
    """
    sizes = [float(pixel_size)] * len(params) if isinstance(pixel_size, (int, float)) else list(pixel_size)
    extent = ([shape[0] * one for one in sizes], [shape[1] * one for one in sizes])
    image = sample_spectrum(probe_transfer(params, extent, device=device), shape, shape)
    if centred:
        image = torch.roll(image, (shape[0] // 2, shape[1] // 2), (1, 2))
    return image[:, None]


@lru_cache(maxsize=4096)
def half_maximum_width(params: ProbeParams) -> float:
    r"""Full width at half maximum of a probe with its aberrations and its source, Å.

    Parameters
    ----------
    params : ProbeParams

    Returns
    -------
    float, Å
        Diameter of the disc whose area is that of the region brighter than half of the maximum, which is the full width of a
        round probe: :math:`2 \sqrt{A / \pi}`.
    """
    limit = 0.5 * wavelength(params.energy) / (params.semiangle * 1e-3)
    step = math.hypot(limit, params.source_size) / _STEPS_IN_WIDTH
    side = next_fast_len(min(_MOST_STEPS, math.ceil(2 * probe_reach(params) / step)))
    image = probe_intensity([params], (side, side), 2 * probe_reach(params) / side)[0, 0]
    above = image - image.max() / 2
    slope = torch.hypot(*torch.gradient(image)).clamp_min(1e-9 * float(image.max()))
    # Pixels on the edge count by the share that lies inside.
    area = float((above / slope + 0.5).clamp(0, 1).sum()) * (2 * probe_reach(params) / side) ** 2
    return 2 * math.sqrt(area / math.pi)


def _pupil_modes(params: Sequence[ProbeParams], extent: Sequence[float]) -> int:
    """Highest mode that passes the widest aperture of a batch along one axis, its soft edge included."""
    bands = [one.semiangle * 1e-3 / wavelength(one.energy) * length for one, length in zip(params, extent, strict=True)]
    return math.ceil(max(bands) + 1)


def _pupil(
    params: Sequence[ProbeParams],
    extent: tuple[Sequence[float], Sequence[float]],
    modes: tuple[int, int],
    device: torch.device | str | None,
) -> Tensor:
    """Aperture and aberrations on the modes -Ky..Ky, -Kx..Kx, complex64."""
    length_y, length_x = (per_sample(one, device)[:, 0] for one in extent)
    length = wavelengths(params, device)
    alpha, phi = angular_grid(row_modes(modes[0], device) / length_y, row_modes(modes[1], device) / length_x, length)
    aperture = circular_aperture(
        alpha,
        phi,
        per_sample([one.semiangle * 1e-3 for one in params], device),
        (length / length_y[..., None], length / length_x[..., None]),
        torch.tensor([one.soft for one in params], device=device)[:, None, None],
    )
    return torch.polar(aperture.to(torch.float32), -chi(alpha, phi, params).to(torch.float32))


def _spread(centred: Tensor, sides: tuple[int, int]) -> Tensor:
    """Modes -Ky..Ky, -Kx..Kx in the order of a Fourier transform with more modes, the others zero."""
    high_y, high_x = centred.shape[-2] // 2, centred.shape[-1] // 2
    wide = centred.new_zeros((len(centred), *sides))
    wide[:, : 2 * high_y + 1, : 2 * high_x + 1] = centred
    return torch.roll(wide, (-high_y, -high_x), (1, 2))


def _resize(spectrum: Tensor, wanted: tuple[int, int]) -> Tensor:
    """Half spectrum of :func:`torch.fft.rfft2` as modes -Ky..Ky, 0..Kx, cut or filled with zeros."""
    batch, side_y, half_x = spectrum.shape
    keep_y, keep_x = min(wanted[0], (side_y - 1) // 2), min(wanted[1], half_x - 1)
    result = spectrum.new_zeros((batch, 2 * wanted[0] + 1, wanted[1] + 1))
    zero = wanted[0]
    result[:, zero : zero + keep_y + 1, : keep_x + 1] = spectrum[:, : keep_y + 1, : keep_x + 1]
    result[:, zero - keep_y : zero, : keep_x + 1] = spectrum[:, side_y - keep_y :, : keep_x + 1]
    return result


def _source_transfer(
    params: Sequence[ProbeParams],
    extent: tuple[Sequence[float], Sequence[float]],
    modes: tuple[int, int],
    device: torch.device | str | None,
) -> Tensor:
    """Transfer of the Gaussian effective source, shape (B, 2 Ky + 1, Kx + 1)."""
    length_y, length_x = (per_sample(one, device)[:, 0] for one in extent)
    sigma = per_sample([one.source_size / FWHM_PER_SIGMA for one in params], device)[:, 0]
    along_y = torch.exp(-2 * (math.pi * sigma * row_modes(modes[0], device) / length_y) ** 2)
    along_x = torch.exp(-2 * (math.pi * sigma * column_modes(modes[1], device) / length_x) ** 2)
    return (along_y[:, :, None] * along_x[:, None, :]).to(torch.float32)
