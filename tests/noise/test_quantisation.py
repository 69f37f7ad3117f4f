import pytest
import torch

from napari_atomseg.noise.quantisation import QuantisationParams, quantisation


def test_levels():
    image = torch.rand(1, 1, 100, 100)
    steps = quantisation(image, [QuantisationParams(gain=15, divide=False)], [0])
    assert torch.equal(steps.unique(), torch.arange(16.0))
    out = quantisation(image, [QuantisationParams(gain=15)], [0])
    assert len(out.unique()) == 16
    assert float((out - image).abs().max()) <= 0.5 / 15 + 1e-6


def test_error_of_fine_steps_is_that_of_a_uniform_distribution():
    image = torch.rand(1, 1, 400, 400)
    error = quantisation(image, [QuantisationParams(gain=100)], [0]) - image
    assert float(error.var()) == pytest.approx(0.01**2 / 12, rel=0.02)
