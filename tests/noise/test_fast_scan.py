from math import pi

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.noise.fast_scan import FastScanParams, fast_scan, fast_scan_kernel

SOME = [
    FastScanParams(alpha=4.0),
    FastScanParams(beta=3.0, gamma=15.0, theta=1.0),
    FastScanParams(alpha=2.0, beta=6.0, gamma=9.0),
]


def test_integral_is_one():
    assert torch.allclose(fast_scan_kernel(256, SOME).sum(1), torch.ones(3, dtype=torch.float64), atol=1e-12)


def test_as_printed_the_integral_is_not_one():
    assert quad(lambda s: 5 / (4 * pi**2 * s**2 + 25), 0, np.inf)[0] == pytest.approx(0.25, rel=1e-6)
    beta, gamma, theta = 3.0, 15.0, 1.0
    integral = quad(lambda s: np.exp(-s / beta) * np.sin(2 * pi * s / gamma + theta), 0, 200, limit=500)[0]
    closed = beta * gamma * (gamma * np.sin(theta) + 2 * pi * beta * np.cos(theta)) / (gamma**2 + 4 * pi**2 * beta**2)
    assert integral == pytest.approx(closed, rel=1e-6)


def test_lorentzian_and_decay():
    detector = fast_scan_kernel(400, [FastScanParams(alpha=2 * pi * 3)])[0]
    assert float(detector[3] / detector[0]) == pytest.approx(0.5)
    readout = fast_scan_kernel(400, [FastScanParams(beta=5.0, gamma=1e6)])[0]
    assert float(readout[5] / readout[0]) == pytest.approx(np.exp(-1), rel=1e-3)
    assert float(readout[::1].min()) >= -1e-12


@pytest.mark.parametrize("params", SOME)
def test_tails_are_one_sided_and_rows_do_not_mix(params):
    image = torch.zeros(1, 1, 3, 128)
    image[..., 1, 40] = 1
    out = fast_scan(image, [params], [0])[0, 0]
    assert out[1, :40].abs().max() < 1e-6
    assert out[[0, 2]].abs().max() < 1e-6
    assert torch.allclose(out[1, 40:].double(), fast_scan_kernel(128, [params])[0, :88], atol=1e-6)


def test_even_brightness_stays():
    image = torch.full((1, 1, 4, 101), 7.0)
    assert torch.allclose(fast_scan(image, [SOME[2]], [0]), image, rtol=1e-5)


def test_an_oscillation_without_integral_is_refused():
    with pytest.raises(AtomsegError, match="theta"):
        fast_scan_kernel(64, [FastScanParams(beta=5.0, gamma=20.0, theta=-pi / 2)])
