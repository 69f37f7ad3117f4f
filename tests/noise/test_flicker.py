import numpy as np
import pytest
import torch

from napari_atomseg.noise.flicker import FlickerParams, flicker


@pytest.mark.parametrize("shape", [(128, 128), (96, 131)])
def test_amplitude_falls_as_one_over_frequency(shape):
    noise = flicker(torch.zeros(32, 1, *shape), [FlickerParams(sigma=2.0)] * 32, range(32))[:, 0]
    power = torch.fft.fft2(noise).abs().square().mean(0).numpy()
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))
    used = frequency > 0.02
    slope = np.polyfit(np.log(frequency[used]), np.log(np.sqrt(power[used])), 1)[0]
    assert slope == pytest.approx(-1, abs=0.02)


def test_mean_is_zero_and_spread_is_sigma():
    noise = flicker(torch.zeros(64, 1, 64, 80), [FlickerParams(sigma=2.0)] * 64, range(64))
    assert float(noise.mean((1, 2, 3)).abs().max()) < 1e-5
    assert float(noise.square().mean().sqrt()) == pytest.approx(2, rel=0.03)
