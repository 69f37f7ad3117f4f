import pytest
import torch

from napari_atomseg.noise.scintillator import ScintillatorParams, pulse_spread, scintillator


def test_spread_of_one_pulse():
    params = ScintillatorParams(photons=100, efficiency=0.2, stage_gain=5, photon_spread=10)
    # Eq. 44 by hand: (1 - 0.2 + 1/4) / 20 + 0.01.
    assert pulse_spread(params) == pytest.approx(0.0625**0.5)
    ideal = ScintillatorParams(photons=1e6, efficiency=1, stage_gain=1e3, photon_spread=0)
    assert pulse_spread(ideal) < 1e-4


@pytest.mark.parametrize("dose_scale", [0.2, 20.0])
@pytest.mark.parametrize("pulses", ["constant", "single"])
def test_variance_is_that_of_counting_and_pulses(dose_scale, pulses):
    params = ScintillatorParams(dose_scale=dose_scale, efficiency=0.02, pulses=pulses)
    electrons = scintillator(torch.full((1, 1, 600, 600), 3.0), [params], [1]) * dose_scale
    mean, spread = 3.0 * dose_scale, pulse_spread(params) ** 2
    assert float(electrons.mean()) == pytest.approx(mean, rel=0.02)
    assert float(electrons.var()) == pytest.approx(mean + spread * (1 if pulses == "constant" else mean), rel=0.02)


def test_no_electrons_no_pulses():
    dark = torch.zeros(1, 1, 9, 9)
    assert not scintillator(dark, [ScintillatorParams(pulses="single")], [1]).any()
    assert scintillator(dark, [ScintillatorParams()], [1]).all()
