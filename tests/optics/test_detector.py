from dataclasses import replace

import numpy as np
import pytest
import torch
from agreement import assert_agree

from napari_atomseg.core.params import fields_of
from napari_atomseg.optics.detector import MtfParams, apply_mtf, modulation_transfer, through_camera

CAMERAS = [
    MtfParams(model="double gaussian", narrow_share=0.3, narrow_width=0.15, wide_width=0.7),
    MtfParams(model="double gaussian", pixel=False),
    MtfParams(model="rational", height=0.95, floor=0.05, knee=0.45, steepness=2.4),
    MtfParams(),
]


def test_one_at_zero_frequency_and_falling():
    transfer = modulation_transfer(CAMERAS, (64, 80))
    assert transfer[:, 0, 0].tolist() == [1, 1, 1, 1]
    assert (transfer[:3, 0, 1:] < transfer[:3, 0, :-1]).all()
    assert torch.equal(transfer[3], torch.ones(64, 41))


def test_closed_forms_at_the_nyquist_frequency():
    transfer = modulation_transfer(CAMERAS, (64, 80))[:, 0, 40]
    gauss = 0.3 * np.exp(-1 / (2 * 0.15**2)) + 0.7 * np.exp(-1 / (2 * 0.7**2))
    assert float(transfer[0]) == pytest.approx(gauss * 2 / np.pi, rel=1e-5)  # sinc(pi / 2) = 2 / pi
    assert float(transfer[1]) == pytest.approx(0.5 * np.exp(-12.5) + 0.5 * np.exp(-1 / 0.72), rel=1e-5)
    assert float(transfer[2]) == pytest.approx((0.9 / (1 + (1 / 0.9) ** 2.4) + 0.05) / 0.95, rel=1e-5)


def test_paper_form_of_the_rational_transfer():
    # Madsen et al., Eq. 5: (1 - c1) / (1 + (q / 2 c2 qN)^c3) + c1.
    camera = MtfParams(model="rational", height=1, floor=0.1, knee=0.5, steepness=3)
    assert float(modulation_transfer([camera], (8, 64))[0, 0, 32]) == pytest.approx(0.9 / 2 + 0.1, rel=1e-5)


def test_finer_image_sees_lower_frequencies():
    fine = modulation_transfer(CAMERAS[:1], (128, 128), samples_per_pixel=2)[0]
    assert torch.allclose(fine[:32, :33], modulation_transfer(CAMERAS[:1], (64, 64))[0][:32, :33])


def test_keeps_the_flux_and_lets_nothing_wrap_round():
    image = torch.zeros(4, 1, 60, 70)
    image[:, 0, 30, 2] = 100
    blurred = apply_mtf(image, CAMERAS)
    assert blurred.sum((1, 2, 3)).numpy() == pytest.approx(100, rel=1e-4)
    assert blurred[:3, 0, :, 60:].abs().max() < 0.01
    assert torch.equal(blurred[3], image[3])


def test_no_camera_is_the_image_itself():
    image = torch.rand(2, 1, 9, 11)
    assert torch.equal(apply_mtf(image, [MtfParams()] * 2), image)


def test_colours_noise():
    noise = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    camera = CAMERAS[:1]
    seen = apply_mtf(noise, camera)
    power = float((modulation_transfer(camera, (256, 256))[0] ** 2)[:, 1:-1].mean())
    assert float(seen.var()) == pytest.approx(power, rel=0.05)


def test_acts_on_what_is_asked():
    expected, counted = torch.rand(1, 1, 20, 24), torch.rand(1, 1, 20, 24)
    both, signal, noise = (
        through_camera(expected, counted, [replace(CAMERAS[0], acts_on=kind)]) for kind in ("signal and noise", "signal", "noise")
    )
    torch.testing.assert_close(both, apply_mtf(counted, CAMERAS[:1]))
    assert torch.allclose(signal, apply_mtf(expected, CAMERAS[:1]) + counted - expected, atol=1e-6)
    assert torch.allclose(noise, expected + apply_mtf(counted - expected, CAMERAS[:1]), atol=1e-6)
    assert torch.equal(through_camera(expected, counted, [MtfParams()]), counted)


def test_batch_is_one_by_one():
    image = torch.rand(4, 1, 20, 24)
    together = apply_mtf(image, CAMERAS)
    for n, camera in enumerate(CAMERAS):
        assert_agree(together[n], apply_mtf(image[n : n + 1], [camera])[0])


def test_params_are_documented():
    assert all(field.help for field in fields_of(MtfParams))
