import pytest
import torch

from napari_atomseg.noise.counting import CountingParams, counting, electrons_per_pixel


@pytest.mark.parametrize("dose_scale", [0.5, 10.0, 3000.0])
def test_variance_is_the_mean_over_the_dose_scale(dose_scale):
    image = torch.full((1, 1, 500, 500), 0.8)
    counted = counting(image, [CountingParams(dose_scale=dose_scale)], [1])
    assert float(counted.mean()) == pytest.approx(0.8, rel=0.02)
    assert float(counted.var()) == pytest.approx(0.8 / dose_scale, rel=0.02)
    electrons = counted * dose_scale
    assert torch.allclose(electrons, electrons.round(), rtol=1e-5, atol=1e-4)


def test_pixels_are_independent():
    counted = counting(torch.full((1, 1, 500, 500), 5.0), [CountingParams()], [1])[0, 0] - 5
    assert abs(float((counted[1:] * counted[:-1]).mean())) < 5 * 5 / 500
    assert abs(float((counted[:, 1:] * counted[:, :-1]).mean())) < 5 * 5 / 500


def test_dose_and_area():
    assert electrons_per_pixel(1e4, 0.1) == pytest.approx(100)
