r"""High-resolution TEM images: thin phase objects, or any exit waves, through an objective lens.

Structure to projected potential to wave to image; multislice propagation is not here, its exit waves are welcome. The waves are
periodic: the room around an image (`padding`) must hold the delocalisation :math:`|\partial\chi/\partial k| / 2\pi`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from napari_atomseg.imaging.linear_adf import ColumnBatch, field_of, inside_field, species_spectrum
from napari_atomseg.imaging.lobato import scattering_factor
from napari_atomseg.imaging.scattering import POTENTIAL_PER_FACTOR
from napari_atomseg.optics.batch import per_sample
from napari_atomseg.optics.ctf import CtfParams, transfer_function
from napari_atomseg.optics.electron import interaction_constant
from napari_atomseg.optics.modes import column_modes, row_modes, sample_spectrum


def projected_potential(
    atoms: ColumnBatch,
    numbers: Tensor,
    shape: tuple[int, int],
    pixel_size: float | Sequence[float],
    padding: float = 0.5,
) -> Tensor:
    r"""Electrostatic potential of independent atoms, integrated along the beam, over a periodic field.

    Parameters
    ----------
    atoms : ColumnBatch
        Weights are numbers of atoms (occupancies); widths blur them with their thermal motion.
    numbers : Tensor of int, shape (M,)
        Atomic number of each, 1 to 103.
    shape : tuple of int
        (Y, X) of the image.
    pixel_size : float or sequence of float, length B, Å
        At most about 0.2 Å, for the potential to be resolved.
    padding : float
        Room around the image in parts of its sides; the field has the shape :func:`~.linear_adf.field_of` (shape, padding).

    Returns
    -------
    Tensor, float32, shape (B, P_y, P_x), V Å
        The image is its corner ``[:, :Y, :X]``; atoms before the first pixel lie at the far end.

    Notes
    -----
    .. math:: \hat V(k) = \frac{h^2}{2 \pi m_0 e} \sum_n w_n f_{Z_n}(k)\, e^{-2 \pi i k \cdot r_n - 2 \pi^2 \sigma_n^2 k^2}

    with modes up to the Nyquist frequency.

    References
    ----------
    Kirkland (2020), Eq. 5.8-5.9; Lobato and Van Dyck, Acta Cryst. A 70 (2014) 636.
    """
    near = inside_field(atoms, shape, padding)
    return periodic_potential(atoms.subset(near), numbers.to(near.device)[near], field_of(shape, padding), pixel_size)


def periodic_potential(
    atoms: ColumnBatch, numbers: Tensor, period: tuple[int, int], pixel_size: float | Sequence[float]
) -> Tensor:
    """As :func:`projected_potential`, of atoms that repeat themselves, without room around them.

    Parameters
    ----------
    atoms : ColumnBatch
        Positions in px; weights are numbers of atoms (occupancies), widths blur them with their thermal motion.
    numbers : Tensor of int, shape (M,)
        Atomic number of each, 1 to 103.
    period : tuple of int, px
        (Y, X) after which the atoms repeat, and shape of the result.
    pixel_size : float or sequence of float, length B, Å
        At most about 0.2 Å, for the potential to be resolved.

    Returns
    -------
    Tensor, float32, shape (B, Y, X), V Å
    """
    modes = ((period[0] - 1) // 2, (period[1] - 1) // 2)
    device = atoms.positions.device
    size = per_sample(_sizes(pixel_size, atoms.count), device).to(torch.float32)
    rows, columns = row_modes(modes[0], device).float() / period[0], column_modes(modes[1], device).float() / period[1]
    squared = (rows[:, None] ** 2 + columns[None, :] ** 2) / size**2

    def transfer(number: int, images: list[int]) -> Tensor:
        return POTENTIAL_PER_FACTOR * scattering_factor(number, squared[images])

    spectrum = species_spectrum(atoms, numbers.to(device), transfer, modes, period)
    return sample_spectrum(spectrum, period, period) / size**2


def phase_object(potential: Tensor, energies: Sequence[float]) -> Tensor:
    r"""Exit wave of a thin specimen, :math:`e^{i \sigma V}`, complex64, of the shape (B, Y, X) of the potential in V Å.

    Parameters
    ----------
    potential : Tensor, shape (B, Y, X), V Å
        Projected.
    energies : sequence of float, length B, eV

    References
    ----------
    Kirkland (2020), Eq. 5.4.
    """
    phase = potential * per_sample([interaction_constant(one) for one in energies], potential.device).to(potential.dtype)
    return torch.polar(torch.ones_like(phase), phase)


def image_waves(waves: Tensor, params: Sequence[CtfParams], pixel_size: float | Sequence[float]) -> Tensor:
    """Intensity behind the objective lens, in parts of the incident beam.

    Parameters
    ----------
    waves : Tensor, complex, shape (B, Y, X)
        Exit waves, periodic, with 1 for no specimen; for instance of abTEM, with y and x exchanged.
    params : sequence of CtfParams, length B
    pixel_size : float or sequence of float, length B, Å

    Returns
    -------
    Tensor, float32, shape (B, 1, Y, X)

    References
    ----------
    Kirkland (2020), Eq. 3.35-3.36; Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, Eq. 1-4.
    """
    transfer = transfer_function(params, (waves.shape[-2], waves.shape[-1]), pixel_size, waves.device)
    wave = torch.fft.ifft2(torch.fft.fft2(waves) * transfer)
    return (wave.real**2 + wave.imag**2)[:, None]


def image_focal_series(
    waves: Tensor, params: Sequence[CtfParams], steps: Sequence[float], pixel_size: float | Sequence[float]
) -> Tensor:
    """Intensities at several foci, shape (B, F, Y, X).

    Parameters
    ----------
    waves, params, pixel_size
        As for :func:`image_waves`.
    steps : sequence of float, length F, Å
        Added to the defocus of every sample.
    """
    series = [image_waves(waves, [replace(one, defocus=one.defocus + step) for one in params], pixel_size) for step in steps]
    return torch.cat(series, dim=1)


def render_hrtem(
    atoms: ColumnBatch,
    numbers: Tensor,
    params: Sequence[CtfParams],
    shape: tuple[int, int],
    pixel_size: float | Sequence[float],
    steps: Sequence[float] = (0.0,),
    padding: float = 0.5,
) -> Tensor:
    """Images of thin specimens, in parts of the incident beam; a camera and its counts come after.

    Parameters
    ----------
    atoms, numbers, shape, pixel_size, padding
        As for :func:`projected_potential`.
    params : sequence of CtfParams, length B
    steps : sequence of float, length F, Å
        Foci of a series, added to the defocus of every sample; one image at that defocus unless given.

    Returns
    -------
    Tensor, float32, shape (B, F, Y, X)
    """
    potential = projected_potential(atoms, numbers, shape, pixel_size, padding)
    waves = phase_object(potential, [one.energy for one in params])
    return image_focal_series(waves, params, steps, pixel_size)[..., : shape[0], : shape[1]]


def _sizes(pixel_size: float | Sequence[float], count: int) -> list[float]:
    return [float(pixel_size)] * count if isinstance(pixel_size, (int, float)) else list(pixel_size)
