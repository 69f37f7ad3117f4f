import numpy as np
import pytest

from napari_atomseg.inference.restoration_check import check_lattice, little_left, little_noise

SHAPE = (200, 231)


def lattice(period=9.3):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] * 2 * np.pi / period
    return 10 + 4 * np.cos(y) * np.cos(x)


def test_a_lattice_freed_of_noise_is_fine(rng):
    clean = lattice()
    check = check_lattice(rng.poisson(clean), clean)
    assert check.restored >= 2
    assert not check.warnings()


@pytest.mark.parametrize("seed", range(5))
def test_noise_smoothed_is_fine(seed):
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    assert not check_lattice(noise, np.zeros(SHAPE)).warnings()


def test_a_lattice_taken_away_is_said(rng):
    check = check_lattice(rng.poisson(lattice()).astype(float), np.full(SHAPE, 10.0))
    assert check.removed > 0.8
    assert "structure was removed" in check.warnings()[0]


def test_a_weakened_lattice_is_said(rng):
    clean = lattice()
    assert check_lattice(rng.poisson(clean), 10 + 0.5 * (clean - 10)).removed == pytest.approx(0.25, abs=0.1)


def test_rows_put_back_are_no_structure_removed(rng):
    clean = lattice()
    shifts = rng.normal(0, 0.6, len(clean))
    columns = np.arange(clean.shape[1])
    jittered = np.array([np.interp(columns + shift, columns, row) for row, shift in zip(clean, shifts, strict=True)])
    assert not check_lattice(rng.poisson(jittered), clean).warnings()


def test_a_lattice_made_up_is_said(rng):
    made_up = sum(lattice(period) for period in (9.3, 7.1, 5.3))
    check = check_lattice(rng.poisson(30, SHAPE), made_up)
    assert check.not_recorded == check.restored >= 4
    assert any("invented" in text for text in check.warnings())


def test_small_images_and_holes_say_nothing(rng):
    assert not check_lattice(rng.normal(size=(20, 20)), np.zeros((20, 20))).warnings()
    holed = lattice()
    holed[:50, :50] = np.nan
    assert not check_lattice(holed, lattice()).warnings()
    assert not check_lattice(np.full(SHAPE, np.nan), np.full(SHAPE, np.nan)).warnings()


def test_an_image_with_little_noise_is_said_to_need_no_restoring():
    rng = np.random.default_rng(2)
    clean = np.sin(np.arange(64) / 3)[None] * np.sin(np.arange(64) / 4)[:, None]
    deviation = clean.std()
    assert "10 % of the contrast" in little_noise(clean + rng.normal(0, 0.1 * deviation, clean.shape), clean)
    assert little_noise(clean + rng.normal(0, 0.5 * deviation, clean.shape), clean) == ""
    assert little_noise(clean, np.zeros_like(clean)) == ""
    assert little_noise(clean, np.full_like(clean, np.nan)) == ""


def test_an_image_that_is_nearly_all_noise_is_said_to_be(rng):
    noise = rng.normal(100, 5, (64, 64))
    assert "(4 % of the contrast is left)" in little_left(noise, 100 + 0.04 * (noise - 100))
    assert little_left(noise, 100 + 0.2 * (noise - 100)) == ""
    assert little_left(np.full((8, 8), 3.0), np.full((8, 8), 3.0)) == ""
    assert little_left(noise, np.full_like(noise, np.nan)) == ""
