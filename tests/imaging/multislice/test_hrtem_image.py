"""Images of thick specimens in a TEM."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement import assert_agree
from ase import Atoms

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.core.params import fields_of
from napari_atomseg.imaging.hrtem import image_waves
from napari_atomseg.imaging.multislice.exit_wave import multislice_exit_wave
from napari_atomseg.imaging.multislice.hrtem_image import HrtemParams, hrtem_image
from napari_atomseg.optics.ctf import CtfParams
from napari_atomseg.optics.detector import MtfParams

pytest.importorskip("abtem")
LENS = CtfParams(energy=300e3, defocus=-60, Cs=-1e5, focal_spread=30)
STILL = HrtemParams(configurations=0)


def gold() -> Atoms:
    sites = [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    return Atoms("Au4", scaled_positions=sites, cell=[4.08] * 3, pbc=(True, True, False)).repeat((3, 2, 2))


def image(atoms=None, pixel_size=0.102, params=STILL, **options):
    return run(hrtem_image(gold() if atoms is None else atoms, LENS, pixel_size, params, **options))


def test_it_is_the_lens_on_the_wave():
    found = image()
    wave = multislice_exit_wave(gold(), 300e3, 0.051, 2.0).wave
    expected = image_waves(torch.from_numpy(wave)[None], [LENS], 0.051)[0, 0, ::2, ::2].numpy()
    assert found.image.shape == (1, 80, 120)
    assert found.image.dtype == np.float32
    assert np.abs(found.image[0] - expected).max() < 0.02
    assert found.pixel_size == (0.102, 0.102)


def test_large_pixels_hold_the_low_frequencies():
    fine, coarse = image().image[0], image(pixel_size=0.204).image[0]
    assert coarse.shape == (40, 60)
    assert np.abs(fine[::2, ::2] - coarse).max() < 0.05 * np.ptp(fine)


def test_a_focal_series():
    series = image(foci=(-40.0, 0.0, 40.0)).image
    assert series.shape == (3, 80, 120)
    assert_agree(series[1], image().image[0])
    assert np.abs(series[0] - series[2]).max() > 0.05


def test_a_field_that_is_no_period_has_vacuum_around():
    lonely = Atoms("Au", positions=[(5, 4, 1)], cell=(10, 8, 2), pbc=False)
    found = image(lonely, 0.2).image[0]
    assert found.shape == (40, 50)
    spot = np.unravel_index(np.abs(found - 1).argmax(), found.shape)
    assert np.hypot(spot[0] - 20, spot[1] - 25) < 1.5
    assert np.abs(found[:4, :4] - 1).max() < 0.05


def test_thermal_motion_lowers_the_contrast():
    atoms = gold()
    atoms.arrays["thermal"] = np.full(len(atoms), 0.25)
    params = HrtemParams(configurations=3, seed=1)
    moving, again = image(atoms, params=params).image, image(atoms, params=params).image
    assert np.array_equal(moving, again)
    assert moving.std() < 0.99 * image(atoms).image.std()


def test_a_camera_blurs():
    expected = image(pixel_size=0.204).image
    blurred = image(pixel_size=0.204, mtf=MtfParams(model="double gaussian")).image
    assert blurred.mean() == pytest.approx(expected.mean(), rel=1e-3)
    assert blurred.std() < expected.std()


def test_progress_and_cancel():
    steps = hrtem_image(gold(), LENS, 0.2, HrtemParams(configurations=3))
    assert [next(steps).total for _ in range(3)] == [3, 3, 3]
    steps.close()
    assert next(steps, None) is None


@pytest.mark.parametrize(
    ("atoms", "pixel_size", "message"),
    [
        (Atoms(cell=(10, 10, 10)), 0.2, "no atoms"),
        (gold(), 0.0, "cannot be calculated"),
        (gold(), 5.0, "or repeat the cell"),
        (gold(), 0.002, "smaller field"),
        (Atoms("C", positions=[(90, 5, 1)], cell=(10, 10, 2), pbc=False), 0.2, "No atom lies in the field"),
    ],
)
def test_what_cannot_be_calculated_is_refused(atoms, pixel_size, message):
    with pytest.raises(AtomsegError, match=message):
        image(atoms, pixel_size)


def test_params_are_documented():
    assert all(field.help for field in fields_of(HrtemParams))
