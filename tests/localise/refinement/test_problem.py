"""Pixels, weights and starting widths are what the refinement takes them for."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.problem import CHUNK_VALUES, WIDER_THAN_CORRELATION, prepare
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, SLANT, STRETCH, TAIL, X, Y

SHAPE = (120, 130)
TRUE = square_lattice(SHAPE, 16, margin=10)


def problem_of(image, sigma=2.5, positions=TRUE, **params):
    columns = Columns(positions=positions).with_features(sigma_px=np.broadcast_to(sigma, len(positions)).astype(float))
    return prepare(np.asarray(image, np.float32), columns, RefineParams(**params))


@pytest.fixture
def counts(rng):
    return rng.poisson(draw(TRUE, 2.5, SHAPE, height=200, level=20)).astype(np.float32)


def windows_and_model(problem):
    """All windows, nothing of neighbours, and the model that was drawn, in the problem's own unit."""
    model = problem.start.copy()
    model[:, HEIGHT], model[:, LEVEL] = 200 / problem.unit, (20 - problem.zero) / problem.unit
    windows = problem.windows(np.arange(len(model)))
    return windows, np.zeros_like(windows.values), model


def test_chunks_hold_every_column_once_and_are_bounded():
    problem = problem_of(np.zeros((30, 30)), positions=np.random.default_rng(3).uniform(0, 2000, (9000, 2)))
    rows = np.arange(1, 9000, 2)
    chunks = list(problem.chunks(rows))
    assert np.array_equal(np.concatenate(chunks), rows)
    assert len(chunks) > 1
    assert max(len(chunk) for chunk in chunks) * len(problem.offsets) <= CHUNK_VALUES
    assert list(problem.chunks(rows[:0])) == []


def test_invalid_pixels_are_filled_and_known_as_such(counts):
    counts[3, 4], counts[50, 60], counts[70, 80] = np.nan, np.inf, -np.inf
    problem = problem_of(counts)
    assert np.isfinite(problem.image).all()
    assert np.argwhere(~problem.valid).tolist() == [[3, 4], [50, 60], [70, 80]]
    assert np.allclose(problem.zero + problem.unit * problem.image[problem.valid], counts[problem.valid], atol=1e-4)


@pytest.mark.parametrize(("gain", "offset"), [(1e-9, 0), (1e12, -1e13), (1, 1e6), (-3, 0)])
def test_intensities_are_of_the_order_of_one_whatever_their_unit(counts, gain, offset):
    problem = problem_of(gain * counts.astype(np.float64) + offset)
    assert 0.5 < np.ptp(problem.image) < 5
    assert np.allclose(
        problem.zero + problem.unit * problem.image.astype(float), gain * counts + offset, rtol=1e-5, atol=1e-5 * problem.unit
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_without_a_valid_pixel_has_no_weight(value):
    problem = problem_of(np.full(SHAPE, value))
    assert not problem.windows(np.arange(len(TRUE))).weight.any()


def test_the_image_that_was_given_stays_as_it_was(counts):
    counts[3, 4] = np.nan
    before = counts.copy()
    problem_of(counts)
    assert np.array_equal(counts, before, equal_nan=True)


def test_pixels_are_weighted_by_the_inverse_deviation_of_their_counting_noise(counts):
    problem = problem_of(counts, gain=1.0)
    windows, others, model = windows_and_model(problem)
    weighted = problem.weighted(windows, others, model)
    expected = problem.unit * windows.columns(model) + 20
    counted = weighted.weight > 0
    assert counted.mean() > 0.98
    assert np.allclose(weighted.weight[counted] / problem.unit, 1 / np.sqrt(expected[counted]), rtol=1e-3)


def test_weighted_residuals_have_unit_variance_for_the_gain_read_from_the_image(counts):
    problem = problem_of(counts)
    windows, others, model = windows_and_model(problem)
    weighted = problem.weighted(windows, others, model)
    column = windows.columns(model)
    residual = weighted.weight * (windows.values - column - model[:, LEVEL, None])
    near = column > 0.1 * model[:, HEIGHT, None]
    assert np.mean(residual[near] ** 2) == pytest.approx(1, rel=0.25)


def test_least_squares_weighs_all_pixels_of_the_image_alike_or_those_of_a_window(rng):
    counts = rng.poisson(draw(TRUE, 2.5, SHAPE, height=np.linspace(50, 500, len(TRUE)), level=20))
    problem = problem_of(counts, likelihood="least-squares")
    windows, others, model = windows_and_model(problem)
    model[:, HEIGHT] *= np.linspace(0.25, 2.5, len(TRUE))
    weight = problem.weighted(windows, others, model).weight
    assert np.ptp(weight[weight > 0]) < 1e-6 * weight.max()
    each = problem.weighted(windows, others, model, each_its_own=True).weight
    for row in each:
        assert np.ptp(row[row > 0]) < 1e-6 * row.max()
    assert np.all(np.diff(each.max(axis=1)) < 0)


def test_a_spike_has_no_weight_and_its_neighbours_keep_theirs(counts):
    row = len(TRUE) // 2
    y, x = np.round(TRUE[row]).astype(int) + 2
    counts[y, x] = 5000
    problem = problem_of(counts, gain=1.0)
    windows, others, model = windows_and_model(problem)
    weight = problem.weighted(windows, others, model).weight[row]
    spike = windows.index[row] == y * SHAPE[1] + x
    assert spike.sum() == 1
    assert weight[spike] == 0
    assert (weight[~spike] > 0).all()


def test_where_the_model_does_not_fit_at_all_no_pixel_is_called_a_spike(counts):
    problem = problem_of(counts, gain=1.0)
    windows, others, model = windows_and_model(problem)
    model[:, LEVEL] = 5000 / problem.unit
    assert np.array_equal(problem.weighted(windows, others, model).weight > 0, windows.weight > 0)


def test_weights_are_finite_for_an_image_without_noise():
    problem = problem_of(draw(TRUE, 2.5, SHAPE, height=200, level=20))
    weight = problem.weighted(*windows_and_model(problem)).weight
    assert np.isfinite(weight).all()
    assert (weight.max(axis=1) > 0).all()


def test_a_given_gain_is_taken_and_else_it_is_read_from_the_image(counts):
    given, read = problem_of(counts, gain=7.0), problem_of(5 * counts)
    assert given.unit * given.noise.gain == pytest.approx(7.0)
    assert given.noise.read_variance == 0
    assert read.unit * read.noise.gain == pytest.approx(5, rel=0.25)


def test_a_given_offset_is_where_no_electron_arrives(counts):
    """With a gain alone it is 0; without either it is the darkest of the image."""
    for params, pedestal in (({"offset": -30.0}, -30), ({"gain": 1.0, "offset": 12.0}, 12), ({"gain": 1.0}, 0)):
        problem = problem_of(counts, **params)
        assert problem.zero + problem.unit * problem.noise.pedestal == pytest.approx(pedestal, abs=1e-3)
    read = problem_of(counts)
    assert read.zero + read.unit * read.noise.pedestal == pytest.approx(20, abs=4)


def test_each_pixel_of_the_image_has_the_variance_that_its_window_takes_it_for(counts):
    expected = draw(TRUE, 2.5, SHAPE, height=200, level=20)
    problem = problem_of(counts, gain=2.0)
    assert np.allclose(
        problem.unit**2 * problem.image_variance((expected - problem.zero) / problem.unit), 2 * expected, rtol=1e-2
    )
    alike = problem_of(counts, gain=2.0, likelihood="least-squares")
    variance = alike.unit**2 * alike.image_variance((expected - alike.zero) / alike.unit)
    assert np.ptp(variance) == 0
    assert variance.mean() == pytest.approx(2 * counts.mean(), rel=1e-2)


def test_unknown_widths_are_those_of_the_known_columns(counts):
    sigma = np.full(len(TRUE), 2.5)
    sigma[:4] = [np.nan, 0.0, -1.0, np.inf]
    assert np.allclose(problem_of(counts, sigma).start[:, SIGMA], 2.5)


def test_a_width_that_no_column_knows_is_measured(counts):
    assert problem_of(counts, np.nan).start[:, SIGMA] == pytest.approx(np.full(len(TRUE), 2.5), rel=0.25)


def test_the_width_of_the_autocorrelation_is_a_little_narrow(counts):
    columns = Columns(positions=TRUE).with_features(sigma_px=2.5, origin="classical")
    start = prepare(counts, columns, RefineParams()).start[:, SIGMA]
    assert np.allclose(start, 2.5, rtol=WIDER_THAN_CORRELATION - 1 + 0.01), "widened, or measured better"
    fitted = columns.with_features(y_std_px=0.1, x_std_px=0.1)
    assert np.allclose(prepare(counts, fitted, RefineParams()).start[:, SIGMA], 2.5)


def test_the_image_of_all_columns_is_what_was_drawn_and_can_be_taken_off_again(counts):
    problem = problem_of(counts)
    _, _, model = windows_and_model(problem)
    canvas = np.zeros(SHAPE)
    problem.add(canvas, model)
    # What is cut off lies beyond four and a half sigmas.
    assert np.abs(problem.unit * canvas - draw(TRUE, 2.5, SHAPE, height=200, level=0)).max() < 4 * 200 * 4e-5
    model[:, HEIGHT] *= -1
    problem.add(canvas, model)
    assert np.abs(canvas).max() < 1e-6


def test_what_is_not_there_or_broken_is_not_drawn(counts):
    problem = problem_of(counts)
    canvas, model = np.zeros(SHAPE), problem.start.copy()
    problem.add(canvas, model)
    model[:, HEIGHT], model[:, SIGMA] = 1.0, np.nan
    problem.add(canvas, model)
    assert not canvas.any()


@pytest.mark.parametrize("tail", [0.0, 0.3])
def test_the_others_of_a_window_are_all_columns_but_its_own(counts, tail):
    problem = problem_of(counts)
    _, _, model = windows_and_model(problem)
    model[:, [STRETCH, SLANT, TAIL]] = 0.2, -0.1, tail
    canvas = np.zeros(SHAPE)
    problem.add(canvas, model)
    rows = np.array([0, 5, 17])
    others = problem.others(canvas, problem.windows(rows), model[rows])
    for row, given in zip(rows, others, strict=True):
        rest = np.zeros(SHAPE)
        problem.add(rest, np.delete(model, row, axis=0))
        window = problem.windows(np.array([row]))
        inside = window.weight[0] > 0
        assert np.allclose(given[inside], rest.ravel()[window.index[0]][inside], atol=1e-5)


def test_windows_stay_where_columns_were_put_and_are_wider_for_one_background(counts):
    problem, wide = problem_of(counts), problem_of(counts, background="shared")
    assert np.array_equal(problem.windows(np.arange(3)).centre, np.round(TRUE[:3]))
    assert np.array_equal(problem.start[:, [Y, X]], TRUE)
    assert wide.radius > 1.1 * problem.radius


def test_intensities_near_the_limit_of_the_format_do_not_overflow():
    image = draw(TRUE, 2.5, SHAPE)
    image[5, 5] = 3e38
    problem = problem_of(image)
    assert not problem.valid[5, 5]
    assert problem.valid.sum() == image.size - 1
    assert np.isfinite(problem.noise.gain)
    assert np.isfinite(problem.weighted(*windows_and_model(problem)).weight).all()


def test_what_would_drown_the_rest_in_single_precision_is_no_signal(counts):
    counts[5, 5], counts[6, 6] = 1e25, -1e25
    problem = problem_of(counts)
    assert np.argwhere(~problem.valid).tolist() == [[5, 5], [6, 6]]
    assert np.abs(problem.image).max() < 5
