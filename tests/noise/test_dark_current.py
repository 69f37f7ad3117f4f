import pytest
import torch

from napari_atomseg.noise.dark_current import DarkCurrentParams, dark_current, dark_map


@pytest.mark.parametrize("params", [DarkCurrentParams(mean=2.0, sigma=0.5), DarkCurrentParams(mean=40.0, sigma=30.0)])
def test_main_body_has_the_wanted_moments_and_is_log_normal(params):
    dark = dark_map((1000, 1000), [params], [1])[0]
    assert float(dark.min()) > 0
    assert float(dark.mean()) == pytest.approx(params.mean, rel=0.005)
    assert float(dark.std()) == pytest.approx(params.sigma, rel=0.01)
    logarithm = dark.log()
    skewness = ((logarithm - logarithm.mean()) / logarithm.std()).pow(3).mean()
    assert abs(float(skewness)) < 0.02


def test_hot_pixels():
    params = DarkCurrentParams(mean=10.0, sigma=1.0, hot=0.02)
    dark = dark_map((1000, 1000), [params], [1])[0]
    assert float((dark > 19).float().mean()) == pytest.approx(0.02, rel=0.03)
    # Main body and uniform distribution between mean + 5 sigma and mean + 8 sigma: 10 + 16.5 on average.
    assert float(dark[dark > 19].mean()) == pytest.approx(26.5, rel=0.005)


def test_counted_moments():
    params = DarkCurrentParams(mean=10.0, sigma=3.0, dose_scale=4.0)
    electrons = dark_current(torch.zeros(1, 1, 1000, 1000), [params], [1]) * 4
    assert torch.equal(electrons, electrons.round())
    assert float(electrons.mean()) == pytest.approx(10, rel=0.005)
    # Shot noise of the dark electrons and their non-uniformity.
    assert float(electrons.var()) == pytest.approx(10 + 9, rel=0.01)
