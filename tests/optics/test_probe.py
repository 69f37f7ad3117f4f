import math

import numpy as np
import pytest
import torch
from agreement import assert_agree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import fields_of
from napari_atomseg.optics.electron import wavelength
from napari_atomseg.optics.probe import (
    ProbeParams,
    half_maximum_width,
    probe_intensity,
    probe_modes,
    probe_reach,
    probe_transfer,
)

ASTIGMATIC = {
    "defocus": 20.0, "astigmatism": 40.0, "astigmatism_angle": 0.4, "coma": 900.0, "coma_angle": 1.1, "trefoil": 700.0,
    "trefoil_angle": -0.3,
}  # fmt: skip
LENSES = [{}, {"defocus": 80.0}, {"defocus": -60.0, "Cs": 1e5}, {"Cs": -2e5, "C5": 5e7}, ASTIGMATIC]


@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("lens", LENSES, ids=["perfect", "defocus", "Cs", "C5", "astigmatic"])
def test_agrees_with_abtem(lens, soft):
    abtem = pytest.importorskip("abtem")
    probe = abtem.Probe(
        energy=200e3, semiangle_cutoff=24.5, soft=soft, gpts=(160, 128), sampling=0.1, aberrations=lens
    ).build(lazy=False)  # fmt: skip
    theirs = np.asarray(probe.intensity().array).T
    ours = probe_intensity([ProbeParams(energy=200e3, semiangle=24.5, soft=soft, **lens)], (128, 160), 0.1)[0, 0].numpy()
    assert np.abs(ours - theirs / theirs.sum()).max() < 1e-5 * ours.max()


def test_airy_disc():
    # First zero of the Airy pattern of a hard aperture at 0.61 lambda / alpha.
    lens = ProbeParams(energy=300e3, semiangle=20, soft=False)
    zero = 0.6098 * wavelength(300e3) / 0.020
    step = zero / 16
    profile = probe_intensity([lens], (512, 512), step)[0, 0, 256, 256:]
    # On a periodic field the disc is made of pixels, hence the few thousandths.
    assert profile[16] < 4e-3 * profile[0]
    assert int(profile[:24].argmin()) in (15, 16, 17)


def test_sums_to_one_and_lies_where_said():
    lenses = [ProbeParams(), ProbeParams(source_size=0.8, Cs=1e4), ProbeParams(**ASTIGMATIC)]
    images = probe_intensity(lenses, (96, 120), [0.05, 0.1, 0.15])
    assert images.shape == (3, 1, 96, 120)
    assert images.sum((1, 2, 3)).numpy() == pytest.approx(1, abs=1e-5)
    assert images[0, 0].argmax() == 48 * 120 + 60
    assert probe_intensity(lenses[:1], (96, 120), 0.05, centred=False)[0, 0].argmax() == 0


def test_source_adds_its_variance():
    def variance(**options):
        image = probe_intensity([ProbeParams(**options)], (256, 256), 0.05)[0, 0].double()
        return float((image.sum(0) * (torch.arange(256) - 128) ** 2).sum()) * 0.05**2

    sigma = 0.8 / (2 * math.sqrt(2 * math.log(2)))
    # The tails of the periodic probe feel the border, by less than this.
    assert variance(source_size=0.8) - variance() == pytest.approx(sigma**2, rel=0.05)


def test_batch_is_one_by_one():
    lenses = [ProbeParams(defocus=30), ProbeParams(energy=80e3, semiangle=31, source_size=1.0), ProbeParams(**ASTIGMATIC)]
    together = probe_intensity(lenses, (64, 64), [0.1, 0.12, 0.09])
    for n, lens in enumerate(lenses):
        alone = probe_intensity([lens], (64, 64), [0.1, 0.12, 0.09][n])[0]
        assert_agree(together[n], alone)


def test_coarse_pixels_sample_the_same_probe():
    fine = probe_intensity([ProbeParams()], (240, 240), 0.05)[0, 0]
    coarse = probe_intensity([ProbeParams()], (24, 24), 0.5)[0, 0]
    assert torch.allclose(coarse, 100 * fine[::10, ::10], atol=1e-6)


def test_transfer_is_one_at_zero_and_ends_at_twice_the_aperture():
    extent = ([20.0], [25.0])
    transfer = probe_transfer([ProbeParams(semiangle=20, energy=300e3)], extent, (100, 120))
    assert transfer[0, 100, 0] == pytest.approx(1)
    assert transfer.abs().max() <= 1 + 1e-6
    edge = probe_modes([ProbeParams(semiangle=20, energy=300e3)], extent[1])
    assert edge == pytest.approx(2 * 0.02 / wavelength(300e3) * 25, abs=4)
    assert transfer[0, :, edge:].abs().max() < 1e-6


def test_reach_holds_the_probe():
    for options in ({}, {"defocus": 300.0}, {"source_size": 2.0}):
        lens = ProbeParams(**options)
        pixels = round(2.2 * probe_reach(lens) / 0.1)
        image = probe_intensity([lens], (3 * pixels, 3 * pixels), 0.1)[0, 0]
        y, x = torch.meshgrid(*[torch.arange(3 * pixels) - 3 * pixels // 2] * 2, indexing="ij")
        assert image[torch.hypot(y.float(), x.float()) * 0.1 < probe_reach(lens)].sum() > 0.96


def test_absurd_field_is_an_error():
    with pytest.raises(AtomsegError, match="too wide"):
        probe_intensity([ProbeParams()], (64, 64), 1e3)


def test_params_are_documented():
    assert all(field.help for field in fields_of(ProbeParams))


def test_the_width_of_a_probe_is_that_of_diffraction_and_source():
    assert half_maximum_width(ProbeParams(energy=200e3, semiangle=24.0)) == pytest.approx(0.515 * 0.02508 / 0.024, rel=0.01)
    # A source much wider than the probe is what is seen.
    assert half_maximum_width(ProbeParams(energy=200e3, semiangle=24.0, source_size=4.0)) == pytest.approx(4.0, rel=0.03)


@pytest.mark.parametrize("lens", [{"defocus": 80.0}, {"Cs": 2e5}, {"astigmatism": 60.0}, {"coma": 3000.0}, {"source_size": 0.8}])
def test_the_width_of_an_aberrated_probe_is_that_of_its_image(lens):
    probe = ProbeParams(energy=200e3, semiangle=24.0, **lens)
    image = probe_intensity([probe], (600, 600), 0.03)[0, 0]
    bright = 2 * np.sqrt(float((image >= image.max() / 2).sum()) * 0.03**2 / np.pi)
    assert half_maximum_width(probe) == pytest.approx(bright, rel=0.03)
