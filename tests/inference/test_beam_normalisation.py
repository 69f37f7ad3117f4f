"""Contrast in parts of the beam keeps its size, whatever the dose, and missing images stay missing."""

import pytest
import torch

from napari_atomseg.inference.beam_normalisation import beam_normalised


def wavy(amplitude):
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    return 1 + amplitude * torch.cos(2 * torch.pi * x / 6) * torch.cos(2 * torch.pi * y / 6)


@pytest.mark.parametrize("amplitude", [0.05, 0.4])
@pytest.mark.parametrize("dose", [3.0, 800.0])
def test_contrast_is_that_of_the_beam_whatever_the_dose(amplitude, dose):
    found = beam_normalised(dose * wavy(amplitude)[None, None], 30.0)[0, 0]
    assert torch.allclose(found, wavy(amplitude) - 1, atol=0.06 * amplitude + 1e-6)


def test_a_missing_image_stays_zero_and_does_not_change_the_others():
    image = 20 * wavy(0.3)
    series = torch.stack([torch.zeros_like(image), image, torch.zeros_like(image)])[None]
    found = beam_normalised(series, 30.0)
    assert not found[0, 0].any()
    assert not found[0, 2].any()
    assert torch.allclose(found[0, 1], beam_normalised(image[None, None], 30.0)[0, 0])


def test_an_empty_field_has_no_contrast():
    assert beam_normalised(torch.full((1, 3, 64, 64), 7.0), 20.0).abs().max() < 1e-5
    assert not beam_normalised(torch.zeros(1, 3, 64, 64), 20.0).any()
