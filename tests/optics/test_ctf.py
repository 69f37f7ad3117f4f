import math

import numpy as np
import pytest
import torch

from napari_atomseg.core.params import fields_of
from napari_atomseg.optics.ctf import CtfParams, scherzer_defocus, transfer_function
from napari_atomseg.optics.electron import wavelength

LENSES = {
    "defocus": {"defocus": 120.0},
    "spreads": {"defocus": 60.0, "Cs": -1.5e5, "focal_spread": 30.0, "angular_spread": 0.4},
    "all": {
        "defocus": -50.0, "Cs": 8e4, "C5": 1e7, "astigmatism": 30.0, "astigmatism_angle": 0.5, "coma": 500.0, "coma_angle": 0.2,
        "trefoil": 300.0, "trefoil_angle": 1.0, "focal_spread": 25.0, "angular_spread": 0.3,
    },
}  # fmt: skip


@pytest.mark.parametrize("semiangle", [None, 28.0])
@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_agrees_with_abtem(lens, semiangle):
    abtem = pytest.importorskip("abtem")
    aberrations = {name: value for name, value in lens.items() if not name.endswith("_spread")}
    spreads = {name: value for name, value in lens.items() if name.endswith("_spread")}
    theirs = abtem.CTF(
        energy=200e3, semiangle_cutoff=semiangle or np.inf, aberration_coefficients=aberrations, gpts=(72, 64), sampling=0.15,
        soft=True, **spreads,
    )  # fmt: skip
    theirs = np.asarray(theirs._evaluate_kernel()).T
    ours = transfer_function([CtfParams(energy=200e3, semiangle=semiangle, **lens)], (64, 72), 0.15)[0].numpy()
    # abTEM works in single precision; chi reaches hundreds of rad at the corners.
    assert np.abs(ours - theirs).max() < 1e-3


def test_zeros_of_the_closed_form():
    # sin(chi) = 0 where pi lambda df k^2 - pi/2 Cs lambda^3 k^4 = n pi.
    length, defocus, spherical = wavelength(300e3), 900.0, 1.2e7
    first = math.sqrt((defocus - math.sqrt(defocus**2 - 2 * spherical * length)) / (spherical * length**2))
    points = 4000
    size = 1 / (2 * first * 8)  # the first zero at mode points / 16 of the period
    transfer = transfer_function([CtfParams(energy=300e3, defocus=defocus, Cs=spherical)], (1, points), size)[0, 0]
    contrast = transfer.imag[: points // 2]
    sign_changes = torch.nonzero(contrast[1:-1] * contrast[2:] < 0)[0] + 1
    assert float(sign_changes[0]) == pytest.approx(first * points * size, abs=1)


def test_focal_spread_is_a_half_width_at_one_over_e():
    # Averaged over foci with the density exp(-(f / spread)^2), the wave's phase factors give the envelope.
    spread, size = 40.0, 0.2
    foci = np.linspace(-160, 160, 641)
    density = np.exp(-((foci / spread) ** 2))
    series = transfer_function([CtfParams(defocus=float(f)) for f in foci], (1, 32), size)[:, 0]
    mean = (series * torch.tensor(density / density.sum())[:, None]).sum(0)
    envelope = transfer_function([CtfParams(focal_spread=spread)], (1, 32), size)[0, 0]
    assert torch.allclose(mean.abs().float(), envelope.abs(), atol=1e-4)


def test_perfect_lens_changes_nothing():
    torch.testing.assert_close(transfer_function([CtfParams()], (8, 9), 0.1), torch.ones(1, 8, 9, dtype=torch.complex64))


def test_batch_is_one_by_one():
    lenses = [CtfParams(**lens, semiangle=angle) for lens, angle in zip(LENSES.values(), (None, 20, 30), strict=True)]
    together = transfer_function(lenses, (32, 40), [0.1, 0.2, 0.15])
    for n, lens in enumerate(lenses):
        assert torch.allclose(together[n], transfer_function([lens], (32, 40), [0.1, 0.2, 0.15][n])[0], atol=1e-6)


def test_scherzer_defocus():
    assert scherzer_defocus(300e3, 1.2e7) == pytest.approx(math.sqrt(1.5 * 1.2e7 * 0.019687), rel=1e-4)
    assert scherzer_defocus(300e3, -1e5) < 0


def test_params_are_documented():
    assert all(field.help for field in fields_of(CtfParams))
