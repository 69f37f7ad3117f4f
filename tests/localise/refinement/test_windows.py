"""Windows hold the pixels they should, and the image of all columns is a plain sum."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, SLANT, STRETCH, TAIL, X, Y, blank_model
from napari_atomseg.localise.refinement.windows import add_columns, cut, pairs_of, pairs_within, window_offsets, window_radius

SHAPE = (60, 70)
RADIUS = 6.0


@pytest.fixture
def model(rng):
    """Forty columns of unlike heights and nearly equal widths, some of them beyond the border."""
    found = blank_model(40)
    found[:, [Y, X]] = rng.uniform([-1, -1], [SHAPE[0], SHAPE[1]], (40, 2))
    found[:, SIGMA], found[:, HEIGHT] = rng.uniform(1.9, 2.1, 40), rng.uniform(5, 100, 40)
    return found


def one_column(y, x, sigma, height):
    model = blank_model(1)
    model[0, [Y, X, SIGMA, HEIGHT]] = y, x, sigma, height
    return model


def windows_of(model, radius=RADIUS, valid=None, shifts=None):
    valid = np.ones(SHAPE, bool) if valid is None else valid
    return cut(np.zeros(SHAPE), valid, model[:, [Y, X]], window_offsets(radius), shifts)


def pixels_of(windows):
    """Rows and columns of the image, each (N, P), inside or not."""
    places = windows.centre[:, None] + windows.offsets
    return places[..., 0].astype(int), places[..., 1].astype(int)


def drawn(model):
    """Each round column in the whole image, shape (N, Y, X)."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    squared = (y - model[:, Y, None, None]) ** 2 + (x - model[:, X, None, None]) ** 2
    return model[:, HEIGHT, None, None] * np.exp(-squared / (2 * model[:, SIGMA, None, None] ** 2))


@pytest.mark.parametrize("radius", [1.0, 2.5, 7.3, 20.0])
def test_offsets_form_a_disc(radius):
    offsets = window_offsets(radius)
    as_set = {tuple(offset) for offset in offsets}
    assert len(as_set) == len(offsets)
    assert as_set == {(-y, x) for y, x in as_set} == {(x, y) for y, x in as_set}
    assert np.hypot(*offsets.T).max() <= radius
    reach = int(radius) + 1
    every = [(y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)]
    assert len(offsets) == sum(y**2 + x**2 <= radius**2 for y, x in every)


def test_pixels_outside_the_image_and_invalid_ones_have_no_weight(rng):
    image, valid = rng.normal(size=SHAPE).astype(np.float32), rng.uniform(size=SHAPE) > 0.2
    windows = cut(image, valid, np.array([[1.3, 68.8], [30.4, 30.6], [-40.0, 500.0]]), window_offsets(RADIUS))
    y, x = pixels_of(windows)
    inside = (y >= 0) & (x >= 0) & (y < SHAPE[0]) & (x < SHAPE[1])
    assert not windows.weight[~inside].any()
    assert np.array_equal(windows.weight[inside], valid[y[inside], x[inside]])
    assert np.array_equal(windows.values[inside], image[y[inside], x[inside]])
    assert np.array_equal(windows.index[inside], (y * SHAPE[1] + x)[inside])
    assert windows.index.min() >= 0
    assert windows.index.max() < image.size
    assert inside[1].all()
    assert not inside[2].any()


def test_windows_are_centred_on_the_nearest_pixel():
    windows = cut(np.zeros(SHAPE), np.ones(SHAPE, bool), np.array([[30.4, 30.6], [10.0, 20.0]]), window_offsets(RADIUS))
    y, x = pixels_of(windows)
    assert np.array_equal(y.mean(axis=1), [30, 10])
    assert np.array_equal(x.mean(axis=1), [31, 20])


def test_a_place_that_is_no_number_gets_a_window_all_the_same():
    windows = cut(np.zeros(SHAPE), np.ones(SHAPE, bool), np.array([[np.nan, 3.0], [np.inf, 1e300]]), window_offsets(RADIUS))
    assert windows.centre[0].tolist() == [0, 3]
    assert not windows.weight[1].any()


def test_a_column_is_its_height_at_the_centre_and_falls_off_as_a_gaussian():
    model = one_column(30.0, 31.0, 2.0, 50.0)
    windows = windows_of(model)
    y, x = pixels_of(windows)
    squared = (y - 30) ** 2 + (x - 31) ** 2
    column = windows.columns(model)
    assert column[squared == 0] == 50
    assert np.allclose(column[squared == 4], 50 * np.exp(-0.5))


def test_a_window_holds_the_whole_intensity_of_a_narrow_column():
    model = one_column(30.3, 31.8, 1.2, 1.0)
    assert windows_of(model).columns(model).sum() == pytest.approx(2 * np.pi * 1.2**2, rel=1e-4)


def test_single_precision_is_as_good_far_from_the_origin():
    near, far = one_column(30.3, 30.8, 2.0, 1.0), one_column(30.3, 1e5 + 30.8, 2.0, 1.0)
    assert np.allclose(windows_of(near).columns(near), windows_of(far).columns(far), atol=1e-6)


def test_a_scan_that_strayed_moves_the_pixels_of_its_row():
    rows = np.arange(SHAPE[0])
    shifts = np.stack([0.2 * np.cos(rows), 0.3 * np.sin(rows)], axis=1)
    model = one_column(30.2, 31.4, 2.0, 50.0)
    windows = windows_of(model, shifts=shifts)
    y, x = pixels_of(windows)
    dy, dx = windows.distances(model)
    assert np.allclose(dy, y - shifts[y, 0] - 30.2, atol=1e-5)
    assert np.allclose(dx, x - shifts[y, 1] - 31.4, atol=1e-5)


def test_rows_and_other_weights_are_taken_of_all_that_a_window_holds(rng, model):
    windows = windows_of(model, shifts=rng.normal(size=(SHAPE[0], 2)))
    rows = np.array([3, 11, 12])
    part = windows[rows]
    for name in ("centre", "index", "values", "weight"):
        assert np.array_equal(getattr(part, name), getattr(windows, name)[rows])
    assert np.array_equal(part.shift, windows.shift[:, rows])
    weight = rng.uniform(size=part.weight.shape)
    assert np.allclose(part.weighted(weight).weight, weight)
    assert np.array_equal(part.weighted(weight).index, part.index)


def test_pairs_are_symmetric_and_sorted_and_leave_out_what_has_no_place_or_is_not_there(model):
    model[7, Y], model[9, HEIGHT] = np.nan, 0.0
    pairs = pairs_within(model, 12.0)
    as_set = {tuple(pair) for pair in pairs.tolist()}
    assert len(as_set) == len(pairs)
    assert as_set == {(j, i) for i, j in as_set}
    assert np.all(np.diff(pairs[:, 0]) >= 0)
    assert not np.isin(pairs, [7, 9]).any()
    distance = np.hypot(*(model[:, None, [Y, X]] - model[None, :, [Y, X]]).transpose(2, 0, 1))
    distance[9], distance[:, 9] = np.inf, np.inf
    assert as_set == {(i, j) for i, j in np.argwhere(distance <= 12.0).tolist() if i != j}


def test_without_columns_there_are_no_pairs():
    assert pairs_within(blank_model(0), RADIUS).shape == (0, 2)
    assert pairs_within(np.full((3, 8), np.nan), RADIUS).shape == (0, 2)
    assert pairs_within(np.ones((1, 8)), RADIUS).shape == (0, 2)


@pytest.mark.parametrize("chunk", [np.arange(40), np.array([0]), np.array([3, 4, 11, 29, 39])])
def test_pairs_of_a_chunk_are_those_that_begin_in_it(model, chunk):
    pairs = pairs_within(model, 12.0)
    own, other = pairs_of(chunk, pairs)
    assert list(zip(chunk[own].tolist(), other.tolist(), strict=True)) == [(i, j) for i, j in pairs.tolist() if i in chunk]


def test_the_image_of_all_columns_is_the_plain_sum(model):
    canvas = np.zeros(SHAPE)
    add_columns(canvas, windows_of(model, radius=12.0), windows_of(model, radius=12.0).columns(model))
    assert np.allclose(canvas, drawn(model).sum(axis=0), atol=1e-4)


def test_columns_are_added_to_what_is_there_in_their_windows_alone(rng, model):
    before = rng.normal(size=SHAPE)
    canvas = before.copy()
    add_columns(canvas, windows_of(model[:1], radius=3.0), windows_of(model[:1], radius=3.0).columns(model[:1]))
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = np.hypot(y - np.round(model[0, Y]), x - np.round(model[0, X])) <= 3
    assert np.allclose(canvas, before + inside * drawn(model[:1])[0], atol=1e-4)


def test_given_pixels_are_added_instead_of_columns(model):
    canvas, windows = np.zeros(SHAPE), windows_of(model)
    add_columns(canvas, windows, np.ones_like(windows.values))
    y, x = (pixels[windows.weight > 0] for pixels in pixels_of(windows))
    expected = np.zeros(SHAPE)
    np.add.at(expected, (y, x), 1)
    assert np.array_equal(canvas, expected)


@pytest.mark.parametrize("model", [blank_model(0), one_column(-400.0, 900.0, 2.0, 50.0)])
def test_what_is_not_in_the_image_adds_nothing(model):
    canvas = np.zeros(SHAPE)
    add_columns(canvas, windows_of(model), windows_of(model).columns(model))
    assert not canvas.any()


def test_flat_and_tailed_columns_are_added_too():
    model = one_column(30.0, 35.0, 2.0, 50.0)
    model[0, [STRETCH, SLANT, TAIL]] = 0.3, 0.1, 0.2
    canvas, windows = np.zeros(SHAPE), windows_of(model)
    add_columns(canvas, windows, windows.columns(model))
    assert canvas.sum() == pytest.approx(windows.columns(model).sum(), rel=1e-5)
    assert canvas[30, 35] == pytest.approx(50)
    # Wider along x.
    assert canvas[30, 38] == canvas[30, 32] > canvas[33, 35]


def test_windows_grow_where_columns_stand_apart():
    def row(apart):
        return np.column_stack([np.zeros(9), apart * np.arange(9)])

    assert window_radius(row(5.0), 2.0, 2.5) == 5.0
    assert window_radius(row(12.0), 2.0, 2.5) == pytest.approx(7.2)
    assert window_radius(row(100.0), 2.0, 2.5) == 10.0
    assert window_radius(np.array([[3.0, 3.0]]), 2.0, 2.5) == 10.0
    assert window_radius(row(2.0), 0.4, 2.5) == 2.5
