import numpy as np
import pytest

from napari_atomseg.imaging.column_image import render_cloud, render_columns


@pytest.mark.parametrize("sigma", [0.8, 1.0, 4.5])
@pytest.mark.parametrize("place", [(40.0, 50.0), (40.5, 50.25), (39.9, 50.0001)])
def test_intensity_is_conserved_and_the_centroid_exact(place, sigma):
    image = render_columns(np.array([place]), np.array([123.0]), sigma, (81, 101))
    assert image.sum() == pytest.approx(123, rel=1e-9)
    y, x = np.indices(image.shape)
    assert (image * y).sum() / 123 == pytest.approx(place[0], abs=1e-3)
    assert (image * x).sum() / 123 == pytest.approx(place[1], abs=1e-3)


def test_width_is_a_standard_deviation():
    image = render_columns(np.array([[60, 60]]), np.array([1.0]), 5.0, (121, 121))
    y = np.arange(121) - 60
    # Integrating over a pixel adds the variance of the pixel, 1/12.
    assert image.sum(axis=1) @ y**2 == pytest.approx(25 + 1 / 12, rel=1e-6)


def test_is_linear_and_moves_with_the_columns():
    rng = np.random.default_rng(0)
    places, powers, widths = rng.uniform(5, 40, (7, 2)), rng.random(7), rng.uniform(1, 3, 7)
    whole = render_columns(places, powers, widths, (60, 70))
    parts = sum(render_columns(places[n : n + 1], powers[n : n + 1], widths[n : n + 1], (60, 70)) for n in range(7))
    assert np.allclose(whole, parts)
    moved = render_columns(places + np.array([3, 5]), powers, widths, (60, 70))
    assert np.allclose(moved[3:, 5:], whole[:-3, :-5])


def test_no_columns_give_an_empty_image():
    assert not render_columns(np.empty((0, 2)), np.empty(0), 1.0, (5, 6)).any()


def test_cloud_conserves_intensity():
    places = np.random.default_rng(0).uniform(20, 40, (1000, 2))
    assert render_cloud(places, 2.0, 3.0, (60, 60)).sum() == pytest.approx(2000)
