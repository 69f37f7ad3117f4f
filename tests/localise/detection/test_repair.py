import numpy as np
import pytest
from spots import draw

from napari_atomseg.localise.detection.repair import repair


@pytest.mark.parametrize("sigma", [0.8, 1.2, 2.0, 5.0])
@pytest.mark.parametrize("centre", [20.0, 20.3, 20.5])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_the_top_of_a_column_is_not_taken_for_a_hot_pixel(rng, sigma, centre, noise):
    image = draw([[centre, centre]], sigma, (41, 41)) + rng.normal(0, noise, (41, 41))
    assert np.array_equal(repair(image)[0], image.astype(np.float32))


def test_hot_pixels_go(rng):
    image = rng.poisson(20, (60, 60)).astype(float)
    image[30, 31] = 2000
    repaired, valid = repair(image)
    assert repaired[30, 31] < 60
    assert valid.all()
    assert np.count_nonzero(repaired != image) <= 2


def test_invalid_pixels_take_what_is_around_them():
    image = np.full((40, 40), 5.0)
    image[10:20, 10:20] = np.nan
    image[0, 0] = -np.inf
    repaired, valid = repair(image)
    assert np.allclose(repaired, 5, atol=1e-3)
    assert np.count_nonzero(~valid) == 101


def test_an_image_without_any_valid_pixel_is_black():
    repaired, valid = repair(np.full((3, 4), np.nan))
    assert not repaired.any()
    assert not valid.any()
