import math

import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import fields_of, from_dict, to_dict
from napari_atomseg.optics.aberrations import LensParams, chi, chi_gradient
from napari_atomseg.optics.electron import wavelength

LENS = LensParams(
    energy=200e3, defocus=120, Cs=-3e4, C5=1e7, astigmatism=33, astigmatism_angle=0.7, coma=800, coma_angle=-1, trefoil=500,
    trefoil_angle=0.2,
)  # fmt: skip


def test_closed_form_of_a_round_lens():
    alpha = torch.tensor([[[0.01, 0.02]]], dtype=torch.float64)
    lens = LensParams(energy=300e3, defocus=100, Cs=1e5, C5=1e8)
    expected = 2 * math.pi / wavelength(300e3) * (-50 * alpha**2 + 2.5e4 * alpha**4 + 1e8 / 6 * alpha**6)
    assert torch.allclose(chi(alpha, torch.zeros(1, 2, dtype=torch.float64), [lens]), expected)


@pytest.mark.parametrize(("name", "fold"), [("coma", 1), ("astigmatism", 2), ("trefoil", 3)])
def test_symmetry_and_azimuth(name, fold):
    lens = LensParams(**{name: 100.0, f"{name}_angle": 0.3})
    alpha = torch.full((1, 1, 3), 0.02, dtype=torch.float64)
    phi = torch.tensor([[0.3, 0.3 + 2 * math.pi / fold, 0.3 + math.pi / fold]], dtype=torch.float64)
    highest, again, lowest = chi(alpha, phi, [lens])[0, 0]
    assert highest == pytest.approx(float(again))
    assert highest == pytest.approx(-float(lowest))
    assert highest > 0


def test_gradient_is_the_slope():
    alpha = torch.full((1, 1, 5), 0.017, dtype=torch.float64)
    phi = torch.linspace(-2, 3, 5, dtype=torch.float64)[None]
    radial, across = chi_gradient(alpha, phi, [LENS])
    step = 1e-6
    assert torch.allclose(radial, (chi(alpha + step, phi, [LENS]) - chi(alpha - step, phi, [LENS])) / (2 * step), rtol=1e-5)
    slope = (chi(alpha, phi + step, [LENS]) - chi(alpha, phi - step, [LENS])) / (2 * step)
    assert torch.allclose(across, slope / alpha, rtol=1e-5)


def test_params_round_trip_and_are_documented():
    assert from_dict(LensParams, to_dict(LENS)) == LENS
    assert all(field.help for field in fields_of(LensParams))
    with pytest.raises(AtomsegError, match=r"LensParams\.energy"):
        LensParams(energy=-1)
