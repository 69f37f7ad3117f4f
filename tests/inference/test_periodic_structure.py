import numpy as np
import pytest

from napari_atomseg.inference.periodic_structure import periodic_plane, periodic_structure, without_row_shifts

SHAPE = (200, 231)


def lattice(shape=SHAPE, period=9.3):
    y, x = np.mgrid[: shape[0], : shape[1]] * 2 * np.pi / period
    return 4 * np.cos(y) * np.cos(x)


def test_a_lattice_that_was_taken_off_comes_back(rng):
    true = 10 + lattice()
    found = periodic_structure(rng.poisson(true), np.full(SHAPE, 10.0))
    assert found.dtype == np.float32
    # Near the borders less of it: a lattice that is cut there has weak coefficients everywhere.
    assert np.std(10 + found - true) < 0.3 * true.std()
    assert np.std((10 + found - true)[30:-30, 30:-30]) < 0.13 * true.std()


def test_a_network_is_shown_the_lattice_of_a_recorded_image(rng):
    true = 10 + 0.5 * lattice()
    recorded = rng.poisson(true).astype(np.float32)
    found = periodic_plane(recorded)
    assert np.std((10 + found - true)[30:-30, 30:-30]) < 0.3 * true.std()
    recorded[:3, :3] = np.nan
    assert np.isfinite(periodic_plane(recorded)).all()
    assert not periodic_plane(np.full((64, 64), np.nan)).any()


def test_a_lattice_far_below_the_noise_of_a_pixel_comes_back(rng):
    true = 0.2 * lattice((400, 400))
    noisy = true + rng.normal(0, 2, true.shape)
    found = periodic_structure(noisy, np.zeros(true.shape))
    assert np.std(found - true) < 0.3 * true.std()


@pytest.mark.parametrize("seed", range(5))
def test_noise_stays_away(seed):
    rng = np.random.default_rng(seed)
    noise = rng.poisson(3, SHAPE).astype(float)
    # One false coefficient of 23,000 at most, of a deviation of 5 in 151.
    assert periodic_structure(noise, np.full(SHAPE, 3.0)).std() < 0.07 * noise.std()


@pytest.mark.parametrize("scanned", [True, False])
def test_a_large_image_of_noise_has_no_more_structure_than_a_small_one(scanned):
    shape = (768, 768)
    found = [periodic_plane(np.random.default_rng(seed).poisson(3, shape).astype(float), scanned) for seed in range(4)]
    # One false coefficient in ten images, on average.
    assert sum(bool(one.any()) for one in found) <= 2


@pytest.mark.parametrize("defocus", [1e3, 2e3, 4e3])
def test_rings_of_a_film_without_order_are_no_lattice(rng, defocus):
    shape, pixel = (256, 256), 1.0
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256, pixel), np.fft.fftfreq(256, pixel), indexing="ij"))
    transfer = np.sin(np.pi * 0.0197 * defocus * frequency**2) * np.exp(-((frequency / 0.3) ** 2))
    film = np.fft.ifft2(np.fft.fft2(rng.normal(size=shape)) * transfer).real
    recorded = rng.poisson(100 * (1 + 0.1 * film / film.std())).astype(float)
    assert periodic_plane(recorded, scanned=False).std() < 0.05 * recorded.std()


def test_a_field_without_the_lattice_does_not_get_it(rng):
    shape = (256, 256)
    crystal = np.where(np.arange(256) < 128, 1.0, 0.0)[None] * lattice(shape)
    found = periodic_structure(rng.normal(crystal, 2), np.zeros(shape))
    inside, outside = found[:, :96], found[:, 176:]
    assert inside.std() > 0.8 * crystal[:, :96].std()
    assert outside.std() < 0.1 * inside.std()


def test_rows_that_were_put_back_are_not_displaced_again(rng):
    true = 100 + 10 * lattice()
    columns = np.arange(SHAPE[1])
    shifts = rng.normal(0, 0.5, SHAPE[0])
    jittered = np.array([np.interp(columns - shift, columns, row) for row, shift in zip(true, shifts, strict=True)])
    recorded = rng.poisson(jittered).astype(float)
    left = without_row_shifts(recorded - true, true)
    assert left.std() == pytest.approx(10, rel=0.15)
    assert np.std(recorded - true) > 1.1 * left.std()
    assert np.std(periodic_structure(recorded, true)) < 0.1 * true.std()


def test_rows_that_lie_straight_lose_nothing(rng):
    true = lattice()
    difference = rng.normal(size=SHAPE)
    assert np.std(without_row_shifts(difference, true) - difference) < 0.1


def test_what_is_not_finite_or_hot_harms_nothing(rng):
    true = 10 + lattice()
    recorded = rng.poisson(true).astype(float)
    plain = periodic_structure(recorded, np.full(SHAPE, 10.0))
    recorded[20, 30] = 1e7
    recorded[:10, :10] = np.nan
    found = periodic_structure(recorded, np.full(SHAPE, 10.0))
    assert np.isfinite(found).all()
    assert not found[:10, :10].any()
    assert np.std((found - plain)[10:]) < 0.1 * plain.std()
    assert not periodic_structure(np.full(SHAPE, np.nan), np.full(SHAPE, 1.0)).any()


def test_small_and_even_images_give_nothing(rng):
    assert not periodic_structure(rng.normal(size=(20, 80)), np.zeros((20, 80))).any()
    assert not periodic_structure(np.full(SHAPE, 3.0), np.full(SHAPE, 3.0)).any()


def test_levels_of_scan_rows_are_no_structure(rng):
    noise = rng.normal(0, 1, (256, 256))
    rows = np.sin(np.arange(256) * 2 * np.pi / 3.3 + rng.normal(0, 0.8, 256).cumsum())[:, None]
    found = periodic_structure(noise + 0.8 * rows, np.zeros((256, 256)))
    assert found.std() < 0.15 * (0.8 * rows).std()
    of_camera = periodic_structure(noise + 0.8 * rows, np.zeros((256, 256)), scanned=False)
    assert of_camera.std() > 2 * found.std()
