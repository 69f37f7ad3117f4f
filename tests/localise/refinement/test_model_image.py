"""The image of fitted columns, against closed forms."""

import numpy as np
import pytest

from napari_atomseg.core.columns import Columns
from napari_atomseg.localise.refinement import model_image as module
from napari_atomseg.localise.refinement.model_image import model_image


def columns(positions, **features):
    return Columns(positions=positions).with_features(**{"fit": "ok", **features})


def second_moments(image):
    """(yy, yx, xx) about the centre of mass."""
    y, x = np.indices(image.shape)
    mass = image.sum()
    dy, dx = y - (y * image).sum() / mass, x - (x * image).sum() / mass
    return tuple((product * image).sum() / mass for product in (dy * dy, dy * dx, dx * dx))


def test_flux_peak_and_place_of_a_round_column():
    image = model_image(columns([(30, 41)], intensity=7.0, sigma_px=2.5, background=0.0), (64, 80))
    assert image.dtype == np.float32
    assert image.shape == (64, 80)
    assert image[30, 41] == pytest.approx(7.0)
    assert image[30, 44] == pytest.approx(7.0 * np.exp(-9 / 12.5), rel=1e-5)
    assert image.sum() == pytest.approx(2 * np.pi * 2.5**2 * 7, rel=1e-4)
    assert image[30 + 13, 41] == 0  # cut off at five sigma


@pytest.mark.parametrize("theta", [0.0, 0.4, np.pi / 4, 1.2, np.pi / 2, -0.7])
def test_major_axis_is_counted_from_x_towards_y(theta):
    made = columns([(60.3, 59.6)], intensity=3.0, sigma_px=5.0, sigma_minor_px=2.0, theta_rad=theta, background=0.0)
    image = model_image(made, (120, 120)).astype(float)
    assert image.sum() == pytest.approx(2 * np.pi * 5 * 2 * 3, rel=1e-4)
    yy, yx, xx = second_moments(image)
    assert xx == pytest.approx(25 * np.cos(theta) ** 2 + 4 * np.sin(theta) ** 2, rel=2e-3)
    assert yy == pytest.approx(25 * np.sin(theta) ** 2 + 4 * np.cos(theta) ** 2, rel=2e-3)
    assert yx == pytest.approx(21 * np.sin(theta) * np.cos(theta), abs=2e-2)


def test_an_unknown_angle_gives_a_round_column_of_the_same_flux():
    image = model_image(columns([(40, 40)], intensity=1.0, sigma_px=4.0, sigma_minor_px=2.0, background=0.0), (81, 81)).astype(
        float
    )
    assert image.sum() == pytest.approx(2 * np.pi * 8, rel=1e-4)
    yy, yx, xx = second_moments(image)
    assert yy == pytest.approx(8, rel=2e-3)
    assert xx == pytest.approx(8, rel=2e-3)
    assert yx == pytest.approx(0, abs=1e-6)


def test_columns_add_up_also_where_they_overlap_and_leave_the_image():
    rng = np.random.default_rng(0)
    places = rng.uniform(-6, 70, (40, 2))
    heights, widths = rng.uniform(-1, 3, 40), rng.uniform(1, 4, 40)
    image = model_image(columns(places, intensity=heights, sigma_px=widths), (64, 50))
    y, x = np.indices((64, 50))
    expected = sum(
        h * np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * s**2)) for p, h, s in zip(places, heights, widths, strict=True)
    )
    np.testing.assert_allclose(image, expected, atol=40 * 3 * np.exp(-12.5))


def test_chunks_do_not_change_the_sum(monkeypatch):
    rng = np.random.default_rng(1)
    made = columns(
        rng.uniform(0, 99, (200, 2)), intensity=rng.uniform(1, 2, 200), sigma_px=rng.uniform(1, 6, 200), background=3.0
    )
    whole = model_image(made, (100, 100))
    monkeypatch.setattr(module, "CHUNK_PIXELS", 1000)
    np.testing.assert_allclose(model_image(made, (100, 100)), whole, rtol=1e-6)


def test_background_is_linear_between_columns_and_goes_on_with_that_of_the_nearest():
    y, x = (axis.ravel() for axis in np.meshgrid(np.arange(10, 91, 10.0), np.arange(20, 181, 10.0), indexing="ij"))
    image = model_image(
        columns(np.column_stack([y, x]), intensity=0.0, sigma_px=2.0, background=5 + 0.2 * y - 0.1 * x), (100, 200)
    )
    rows, lines = np.indices((100, 200))
    plane = 5 + 0.2 * rows - 0.1 * lines
    np.testing.assert_allclose(image[10:91, 20:181], plane[10:91, 20:181], atol=1e-4)
    steps = np.abs(np.diff(image[50, 175:190]))
    assert steps.max() < 0.3  # nothing leaps at the rim of the columns
    known = plane[10:91, 20:181]
    assert known.min() <= image.min() < image.max() <= known.max() + 1e-4
    assert image[0, 0] == pytest.approx(plane[10, 20], abs=2)


def test_background_of_a_large_image_keeps_a_plane():
    y, x = (axis.ravel() for axis in np.meshgrid(np.linspace(0, 599, 20), np.linspace(0, 699, 20), indexing="ij"))
    image = model_image(columns(np.column_stack([y, x]), background=1 + y - 2 * x), (600, 700))
    rows, lines = np.indices((600, 700))
    np.testing.assert_allclose(image, 1 + rows - 2 * lines, atol=0.01)


@pytest.mark.parametrize("places", [[(5, 5)], [(5, 5), (20, 20)], [(5, 5), (10, 10), (20, 20)], [(5, 5)] * 4])
def test_background_of_columns_without_a_hull(places):
    image = model_image(columns(places, background=4.0), (30, 30))
    np.testing.assert_array_equal(image, 4.0)


def test_no_columns_give_nothing():
    np.testing.assert_array_equal(model_image(Columns(positions=np.zeros((0, 2))), (8, 9)), np.zeros((8, 9)))


def test_failed_and_unknown_columns_are_left_out():
    places = [(20, 20), (20, 60), (60, 20), (60, 60), (np.nan, 40), (40, 40)]
    made = columns(
        places,
        intensity=[1.0, 1.0, np.nan, 1.0, 1.0, 1.0],
        sigma_px=[2.0, 2.0, 2.0, np.nan, 2.0, -1.0],
        background=[3.0, 1e9, 3.0, 3.0, 3.0, np.nan],
        fit=["ok", "failed", "ok", "border", "ok", "overlap"],
    )
    image = model_image(made, (80, 80))
    assert np.isfinite(image).all()
    assert image[20, 20] == pytest.approx(4)
    assert (image - 3).sum() == pytest.approx(2 * np.pi * 4, rel=1e-3)


def test_a_monstrous_width_stays_within_memory():
    image = model_image(columns([(5, 5)], intensity=2.0, sigma_px=1e6), (20, 30))
    np.testing.assert_allclose(image, 2.0, rtol=1e-5)
