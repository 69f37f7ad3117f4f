import numpy as np
import pytest
from spots import draw

from napari_atomseg.localise.detection.response import band_pass, expected_noise_maxima, noise_of_response


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_a_column_gives_half_of_its_height(sigma):
    image = draw([[40, 40]], sigma, (81, 81), height=100, level=30)
    assert band_pass(image, sigma)[40, 40] == pytest.approx(50, rel=0.03)


def test_a_constant_gives_nothing_and_a_plane_next_to_nothing():
    assert np.abs(band_pass(np.full((80, 90), 1e6), 2.0)).max() < 1e-6
    plane = np.add.outer(np.arange(80.0), 2 * np.arange(90.0))
    assert np.abs(band_pass(plane, 2.0)[20:-20, 20:-20]).max() < 1e-3 * np.ptp(plane)


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_the_noise_of_the_response_is_foreseen(rng, sigma):
    image = rng.normal(0, 4, (300, 300))
    assert np.median(noise_of_response(image, sigma)) == pytest.approx(band_pass(image, sigma).std(), rel=0.05)


def test_the_number_of_noise_maxima_is_foreseen(rng):
    from scipy import ndimage

    sigma, level = 2.0, 3.0
    response = band_pass(rng.normal(size=(1000, 1000)), sigma)
    response /= response.std()
    peaks = (response == ndimage.maximum_filter(response, 3)) & (response > level)
    assert peaks.sum() == pytest.approx(float(expected_noise_maxima(sigma, 1e6, np.array(level))), rel=0.3)
