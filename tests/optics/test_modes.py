import math

import pytest
import torch

from napari_atomseg.optics.modes import column_modes, row_modes, sample_spectrum


def as_modes(image, high):
    """Modes -K..K, 0..K of a real image, by a plain Fourier transform."""
    spectrum = torch.fft.rfft2(image)
    return torch.cat([spectrum[:, -high:], spectrum[:, : high + 1]], dim=1)[:, :, : high + 1]


def test_returns_a_band_limited_image():
    image = torch.randn(2, 15, 15, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(sample_spectrum(as_modes(image, 7), (15, 15), (15, 15)), image)


def test_single_mode_in_closed_form_on_a_foreign_grid():
    spectrum = torch.zeros(1, 5, 4, dtype=torch.complex128)
    spectrum[0, 2 - 1, 3] = 0.5 - 0.2j  # mode (-1, 3)
    y, x = torch.meshgrid(torch.arange(7.0), torch.arange(11.0), indexing="ij")
    phase = 2 * math.pi * (-y / 9.5 + 3 * x / 30)
    expected = 2 * (0.5 * torch.cos(phase) + 0.2 * torch.sin(phase)) / (9.5 * 30)
    assert sample_spectrum(spectrum, (9.5, 30), (7, 11))[0].numpy() == pytest.approx(expected.numpy(), abs=1e-7)


def test_mode_numbers():
    assert row_modes(2).tolist() == [-2, -1, 0, 1, 2]
    assert column_modes(2).tolist() == [0, 1, 2]
