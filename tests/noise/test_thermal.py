import pytest
import torch
from scipy import stats

from napari_atomseg.noise.thermal import ThermalParams, thermal


def test_white_normal_noise_that_does_not_depend_on_the_signal():
    image = torch.linspace(0, 100, 400).expand(1, 1, 400, 400)
    noise = (thermal(image, [ThermalParams(sigma=0.5)], [1]) - image)[0, 0]
    assert stats.kstest(noise.ravel().numpy() / 0.5, "norm").pvalue > 1e-3
    assert float(noise[:, :200].std() / noise[:, 200:].std()) == pytest.approx(1, abs=0.02)
    power = torch.fft.fft2(noise).abs().square()
    assert float(power[:100, :100].mean() / power[100:200, 100:200].mean()) == pytest.approx(1, abs=0.06)
