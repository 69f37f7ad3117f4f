import warnings

import numpy as np
import pytest

from napari_atomseg.training.textures import draw_texture

SHAPE = (60, 70)
PIXEL_ANGSTROM = 0.2


def texture(seed, shape=SHAPE, pixel_angstrom=PIXEL_ANGSTROM):
    return draw_texture(np.random.default_rng(seed), shape, pixel_angstrom)


@pytest.fixture(scope="module")
def many():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [texture(seed) for seed in range(300)]


def test_all_are_finite_images_of_the_shape(many):
    for image in many:
        assert image.shape == SHAPE
        assert image.dtype == np.float32
        assert np.isfinite(image).all()


def test_the_same_seed_gives_the_same_image_and_another_another(many):
    for seed in (0, 7, 41):
        np.testing.assert_array_equal(texture(seed), many[seed])
        assert not np.array_equal(many[seed], many[seed + 1])


def test_the_mean_of_the_counts_is_not_below_zero(many):
    # Rows may lie lower by chance, but by no more than their own scatter tells.
    for image in many:
        rows = image.mean(axis=1)
        assert image.mean() > -4 * rows.std() / np.sqrt(len(rows)) - 0.01


def test_mean_counts_span_orders_of_magnitude(many):
    means = np.array([max(float(image.mean()), 1e-3) for image in many])
    assert np.quantile(means, 0.9) > 100 * np.quantile(means, 0.1)


def test_some_have_grain_and_some_are_white(many):
    """Correlation of neighbouring pixels: near 0 in white noise, near 1 in a coarse texture."""
    correlation = []
    for image in many:
        rest = image - image.mean()
        correlation.append(float((rest[:, 1:] * rest[:, :-1]).mean() / max(float(rest.var()), 1e-12)))
    assert np.mean(np.array(correlation) > 0.5) > 0.1
    assert np.mean(np.abs(correlation) < 0.1) > 0.1


@pytest.mark.parametrize("pixel_angstrom", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("shape", [(16, 16), (17, 40), (256, 30)])
def test_any_shape_and_pixel_size_will_do(shape, pixel_angstrom):
    for seed in range(5):
        image = texture(seed, shape, pixel_angstrom)
        assert image.shape == shape
        assert np.isfinite(image).all()
