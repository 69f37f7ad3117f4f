"""Images of sheets through microscopes: a new lens, dose, camera and pixel size each time, on the network's own pixels.

A camera's pixels and the resampling to those of the network are transfers here, so that nothing has to be drawn on finer pixels:
what is counted in small pixels and averaged is what is counted in large ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.params import from_dict
from napari_atomseg.imaging.hrtem import image_focal_series, phase_object
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import modulation_transfer
from napari_atomseg.synthesis.camera import camera_of
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.render_hrtem import foci_of

CALIBRATION = 0.03
"""Pixel sizes are off by up to this share: users' calibrations are, and the network's grid is laid over an image so roughly."""
KEYS = 0.5
"""Keys' parameter of the cubic kernel that images are resampled with, its sign turned."""


def pictures(potential: Tensor, records: Sequence[Record], native: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Recorded images of potentials, and the noiseless ones in front of the camera.

    Parameters
    ----------
    potential : Tensor, shape (B, S, S), V Å
        Periodic.
    records : sequence of Record, length B
        For lens, foci, blur, camera, dose, and pixel size of the camera.
    native : float, Angstrom
        Pixel size that the images seem to have.
    rng : Generator

    Returns
    -------
    tuple of Tensor, each of shape (B, F, S, S)
        In counts, and in parts of the incident beam.
    """
    energies = [from_dict(CtfParams, dict(record.imaging["lens"])).energy for record in records]
    sizes = [native * (1 + rng.uniform(-CALIBRATION, CALIBRATION)) for _ in records]
    return photographs(phase_object(potential, energies), records, sizes, rng)


def photographs(
    waves: Tensor, records: Sequence[Record], sizes: Sequence[float], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """As :func:`pictures`, of exit waves.

    Parameters
    ----------
    waves : Tensor, complex64, shape (B, S, S)
        Periodic.
    records, rng
        As there.
    sizes : sequence of float, length B, Angstrom
        Pixel sizes that the waves have.
    """
    lenses = [from_dict(CtfParams, dict(record.imaging["lens"])) for record in records]
    clean = [
        image_focal_series(waves[row : row + 1], [lens], foci_of(record), size)
        for row, (record, lens, size) in enumerate(zip(records, lenses, sizes, strict=True))
    ]
    planes = torch.cat(clean)
    noise = torch.from_numpy(rng.standard_normal(tuple(planes.shape), dtype=np.float32))
    recorded = [
        _recorded(plane, white, record, size) for plane, white, record, size in zip(planes, noise, records, sizes, strict=True)
    ]
    return torch.stack(recorded), planes


def _recorded(clean: Tensor, white: Tensor, record: Record, size: float) -> Tensor:
    """Planes (F, S, S) as a camera counts them; with many electrons a pixel counting is Gaussian."""
    shape = (int(clean.shape[-2]), int(clean.shape[-1]))
    frequency = (torch.fft.fftfreq(shape[0])[:, None] / size, torch.fft.rfftfreq(shape[1])[None, :] / size)
    spread = float(record.imaging.get("image_spread", 0.0))
    blur = torch.exp(-2 * torch.pi**2 * spread**2 * (frequency[0] ** 2 + frequency[1] ** 2))
    expected = torch.fft.irfft2(torch.fft.rfft2(clean) * blur, s=shape).clamp_min(0) * float(record.dose or 0.0) * size**2
    camera = camera_of(record)
    transfer = modulation_transfer([camera], shape, samples_per_pixel=record.pixel_size / size)[0]
    resampled = resampling(frequency[0], size, record.pixel_size) * resampling(frequency[1], size, record.pixel_size)
    signal = torch.fft.rfft2(expected) * (transfer if "signal" in camera.acts_on else 1.0)
    noise = torch.fft.rfft2(expected.sqrt() * white) * (transfer if "noise" in camera.acts_on else 1.0)
    return torch.fft.irfft2((signal + noise) * resampled, s=shape)


def resampling(frequency: Tensor, native: float, recorded: float) -> Tensor:
    r"""Share of a frequency that is left by resampling from a camera's pixels to those of a network.

    The cubic kernel of Keys, as wide as the larger of the two pixels, and nothing beyond the camera's own limit. With
    :math:`\xi = k s`, s the larger pixel, its transform is summed up over the kernel.

    Parameters
    ----------
    frequency : Tensor, 1/Å
        Along one axis, of either sign.
    native : float, Å
        Pixel size of the network.
    recorded : float, Å
        Pixel size of the camera; nothing is left beyond 1 / (2 recorded).

    Returns
    -------
    Tensor, of the shape of `frequency`

    References
    ----------
    Keys, IEEE Trans. Acoust. Speech Signal Process. 29, 1153 (1981), Eq. 15.
    """
    step = 1 / 16
    place = torch.arange(-2 + step / 2, 2, step)
    near, far = place.abs(), place.abs().clamp(1, 2)
    inner = (2 - KEYS) * near**3 - (3 - KEYS) * near**2 + 1
    outer = -KEYS * (far**3 - 5 * far**2 + 8 * far - 4)
    kernel = torch.where(near <= 1, inner, outer) * step
    phase = 2 * torch.pi * max(native, recorded) * frequency[..., None] * place
    return (torch.cos(phase) * kernel).sum(dim=-1) * (frequency.abs() <= 0.5 / recorded)
