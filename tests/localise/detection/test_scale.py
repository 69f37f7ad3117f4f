"""The width of columns is read from the image alone."""

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.localise.detection.scale import centre_crop, estimate_scale


@pytest.mark.parametrize("sigma", [2.0, 3.0, 4.5, 6.0, 8.0])
@pytest.mark.parametrize("spacing", [5.5, 8.0])
def test_width_and_roughly_the_spacing_of_a_lattice(rng, sigma, spacing):
    shape = (400, 420)
    true = square_lattice(shape, spacing * sigma)
    scale = estimate_scale(draw(true, sigma, shape) + rng.normal(0, 20, shape))
    assert scale.sigma_px == pytest.approx(sigma, rel=0.15)
    assert scale.spacing_px == pytest.approx(spacing * sigma, rel=0.25)


def test_the_unit_of_intensity_does_not_matter(rng):
    image = draw(square_lattice((200, 200), 16), 2.5, (200, 200)) + rng.normal(0, 5, (200, 200))
    assert estimate_scale(1e-3 * image + 9).sigma_px == pytest.approx(estimate_scale(image).sigma_px, rel=1e-2)


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (64, 64)])
def test_a_constant_has_no_scale(shape):
    assert estimate_scale(np.full(shape, 3.0)) is None


def test_white_noise_has_no_scale(rng):
    assert estimate_scale(rng.normal(size=(256, 256))) is None


def test_centre_crop_is_the_middle():
    image = np.arange(70).reshape(7, 10)
    assert np.array_equal(centre_crop(image, 3), image[2:5, 3:6])
    assert centre_crop(image, 100).shape == (7, 10)
