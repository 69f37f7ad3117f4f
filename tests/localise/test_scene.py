"""Pixels, weights and starting widths are what the refinement takes them for."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.localise.scene import CHUNK_VALUES, WIDER_THAN_CORRELATION, RefineParams, prepare
from napari_atomseg.localise.windows import HEIGHT, LEVEL, profile

SHAPE = (120, 130)
TRUE = square_lattice(SHAPE, 16, margin=10)


def scene_of(image, sigma=2.5, positions=TRUE, **params):
    columns = Columns(positions=positions).with_features(sigma_px=np.broadcast_to(sigma, len(positions)).astype(float))
    return prepare(np.asarray(image, np.float32), columns, RefineParams(**params))


@pytest.fixture
def counts(rng):
    return rng.poisson(draw(TRUE, 2.5, SHAPE, height=200, level=20)).astype(np.float32)


def windows_and_model(scene):
    """All windows, nothing of neighbours, and the model that was drawn."""
    model = scene.start.copy()
    model[:, HEIGHT], model[:, LEVEL] = 200, 20
    windows = scene.windows(np.arange(len(model)))
    return windows, np.zeros_like(windows.values), model


def test_chunks_hold_every_column_once_and_are_bounded():
    scene = scene_of(np.zeros((30, 30)), positions=np.random.default_rng(3).uniform(0, 2000, (9000, 2)))
    rows = np.arange(1, 9000, 2)
    chunks = list(scene.chunks(rows))
    assert np.array_equal(np.concatenate(chunks), rows)
    assert len(chunks) > 1
    assert max(len(chunk) for chunk in chunks) * len(scene.offsets) <= CHUNK_VALUES
    assert list(scene.chunks(rows[:0])) == []


def test_invalid_pixels_are_filled_and_known_as_such(counts):
    counts[3, 4], counts[50, 60], counts[70, 80] = np.nan, np.inf, -np.inf
    scene = scene_of(counts)
    assert np.isfinite(scene.image).all()
    assert np.argwhere(~scene.valid).tolist() == [[3, 4], [50, 60], [70, 80]]
    assert np.array_equal(scene.image[scene.valid], counts[scene.valid])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_without_a_valid_pixel_has_no_weight(value):
    scene = scene_of(np.full(SHAPE, value))
    assert not scene.windows(np.arange(len(TRUE))).weight.any()


def test_the_image_that_was_given_stays_as_it_was(counts):
    counts[3, 4] = np.nan
    before = counts.copy()
    scene_of(counts)
    assert np.array_equal(counts, before, equal_nan=True)


def test_pixels_are_weighted_by_the_inverse_deviation_of_their_counting_noise(counts):
    scene = scene_of(counts, gain=1.0)
    windows, others, model = windows_and_model(scene)
    weighted = scene.weighted(windows, others, model)
    expected = 200 * profile(windows, model) + 20
    counted = weighted.weight > 0
    assert counted.mean() > 0.98
    assert np.allclose(weighted.weight[counted], 1 / np.sqrt(expected[counted]), rtol=1e-3)


def test_weighted_residuals_have_unit_variance_for_the_gain_read_from_the_image(counts):
    scene = scene_of(counts)
    windows, others, model = windows_and_model(scene)
    weighted = scene.weighted(windows, others, model)
    residual = weighted.weight * (windows.values - 200 * profile(windows, model) - 20)
    near = profile(windows, model) > 0.1
    assert np.mean(residual[near] ** 2) == pytest.approx(1, rel=0.25)


def test_least_squares_weighs_all_pixels_of_a_window_alike(counts):
    scene = scene_of(counts, likelihood="least-squares")
    weight = scene.weighted(*windows_and_model(scene)).weight
    for row in weight:
        assert np.ptp(row[row > 0]) < 1e-12


def test_a_spike_has_no_weight_and_its_neighbours_keep_theirs(counts):
    row = len(TRUE) // 2
    y, x = np.round(TRUE[row]).astype(int) + 2
    counts[y, x] = 5000
    scene = scene_of(counts, gain=1.0)
    windows, others, model = windows_and_model(scene)
    weight = scene.weighted(windows, others, model).weight[row]
    spike = (windows.y[row] == y) & (windows.x[row] == x)
    assert spike.sum() == 1
    assert weight[spike] == 0
    assert (weight[~spike] > 0).all()


def test_where_the_model_does_not_fit_at_all_no_pixel_is_called_a_spike(counts):
    scene = scene_of(counts, gain=1.0)
    windows, others, model = windows_and_model(scene)
    model[:, LEVEL] = 5000
    assert np.array_equal(scene.weighted(windows, others, model).weight > 0, windows.weight > 0)


def test_weights_are_finite_for_an_image_without_noise():
    scene = scene_of(draw(TRUE, 2.5, SHAPE, height=200, level=20))
    weight = scene.weighted(*windows_and_model(scene)).weight
    assert np.isfinite(weight).all()
    assert (weight.max(axis=1) > 0).all()


def test_a_given_gain_is_taken_and_else_it_is_read_from_the_image(counts):
    assert scene_of(counts, gain=7.0).noise.gain == 7.0
    assert scene_of(5 * counts).noise.gain == pytest.approx(5, rel=0.25)


def test_unknown_widths_are_those_of_the_known_columns(counts):
    sigma = np.full(len(TRUE), 2.5)
    sigma[:4] = [np.nan, 0.0, -1.0, np.inf]
    assert np.allclose(scene_of(counts, sigma).start[:, 2], 2.5)


def test_a_width_that_no_column_knows_is_measured(counts):
    assert scene_of(counts, np.nan).start[:, 2] == pytest.approx(np.full(len(TRUE), 2.5), rel=0.25)


def test_the_width_of_the_autocorrelation_is_a_little_narrow(counts):
    columns = Columns(positions=TRUE).with_features(sigma_px=2.5, origin="classical")
    assert np.allclose(prepare(counts, columns, RefineParams()).start[:, 2], WIDER_THAN_CORRELATION * 2.5)
    fitted = columns.with_features(y_std_px=0.1, x_std_px=0.1)
    assert np.allclose(prepare(counts, fitted, RefineParams()).start[:, 2], 2.5)


def test_intensities_near_the_limit_of_the_format_do_not_overflow():
    image = draw(TRUE, 2.5, SHAPE)
    image[5, 5] = 3e38
    scene = scene_of(image)
    assert not scene.valid[5, 5]
    assert scene.valid.sum() == image.size - 1
    assert np.isfinite(scene.noise.gain)
    assert np.isfinite(scene.weighted(*windows_and_model(scene)).weight).all()
