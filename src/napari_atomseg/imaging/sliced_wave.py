"""Exit waves of small specimens by multislice, quick and without another program: for samples that are drawn while one waits.

Slices are phase objects between which the wave propagates; nothing but elastic scattering, atoms as sharp as their thermal motion
leaves them. For training and for comparison with experiments there is :mod:`.multislice`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.imaging.hrtem import periodic_potential, phase_object
from napari_atomseg.imaging.linear_adf import batch_columns
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.specimens.projection import Projection

BAND = 2 / 3
"""Share of the Nyquist frequency that waves reach: products of wave and slice would wrap around beyond."""


def sliced_wave(atoms: Projection, energy: float, pixel_size: float, thickness: float = 1.5) -> Tensor:
    r"""Wave behind the last atom, complex64, shape (Y, X), periodic.

    Parameters
    ----------
    atoms : Projection
        With `heights` along the beam, `thermal` widths and a `field` of (Y, X) Angstrom.
    energy : float, eV
    pixel_size : float, Å
    thickness : float, Å
        Of the slices.

    Returns
    -------
    Tensor

    Notes
    -----
    .. math:: \psi_{n+1} = F^{-1} e^{-i \pi \lambda \Delta z k^2} F [\, e^{i \sigma V_n} \psi_n ]

    with the potential :math:`V_n` of the atoms of one slice, projected.

    References
    ----------
    Kirkland (2020), Eq. 6.92-6.93.
    """
    shape = (round(atoms.field[0] / pixel_size), round(atoms.field[1] / pixel_size))
    slices = np.floor((atoms.heights - atoms.heights.min(initial=0.0)) / thickness).astype(int)
    frequency = [torch.fft.fftfreq(side, pixel_size) for side in shape]
    square = frequency[0][:, None] ** 2 + frequency[1] ** 2
    band = (square.sqrt() <= BAND * 0.5 / pixel_size).float()
    step = band * torch.exp(-1j * torch.pi * wavelength(energy) * thickness * square)
    wave = torch.ones(shape, dtype=torch.complex64)
    for number in range(int(slices.max(initial=-1)) + 1):
        some = atoms.select(slices == number)
        columns = batch_columns(
            [torch.from_numpy(some.positions / pixel_size)],
            [torch.from_numpy(some.counts)],
            [torch.from_numpy(some.thermal / pixel_size)],
            "cpu",
        )
        potential = periodic_potential(columns, torch.from_numpy(some.numbers), shape, pixel_size)
        wave = torch.fft.ifft2(torch.fft.fft2(wave * phase_object(potential, [energy])[0]) * step)
    return wave
