"""Windows hold the pixels they should, and neighbours give in them what a plain sum gives."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.localise.windows import (
    HEIGHT,
    PROFILE_REACH,
    SIGMA,
    cut,
    neighbour_pairs,
    pairs_of,
    profile,
    sum_of_neighbours,
    window_offsets,
    window_radius,
)

SHAPE = (60, 70)
RADIUS = 6.0


@pytest.fixture
def model(rng):
    """Forty columns of unlike heights and nearly equal widths, some of them beyond the border."""
    places = rng.uniform([-1, -1], [SHAPE[0], SHAPE[1]], (40, 2))
    return np.column_stack([places, rng.uniform(1.9, 2.1, 40), rng.uniform(5, 100, 40), rng.uniform(0, 9, 40)])


def windows_of(model, rows, image=None):
    image = np.zeros(SHAPE) if image is None else image
    return cut(image, np.ones(SHAPE, bool), model[rows, :2], window_offsets(RADIUS))


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
    image, valid = rng.normal(size=SHAPE), rng.uniform(size=SHAPE) > 0.2
    windows = cut(image, valid, np.array([[1.3, 68.8], [30.4, 30.6], [-40.0, 500.0]]), window_offsets(RADIUS))
    inside = (windows.y >= 0) & (windows.x >= 0) & (windows.y < SHAPE[0]) & (windows.x < SHAPE[1])
    assert not windows.weight[~inside].any()
    assert np.array_equal(windows.weight[inside], valid[windows.y[inside], windows.x[inside]])
    assert np.array_equal(windows.values[inside], image[windows.y[inside], windows.x[inside]])
    assert inside[1].all()
    assert not inside[2].any()


def test_windows_are_centred_on_the_nearest_pixel():
    windows = cut(np.zeros(SHAPE), np.ones(SHAPE, bool), np.array([[30.4, 30.6], [10.0, 20.0]]), window_offsets(RADIUS))
    assert np.array_equal(windows.y.mean(axis=1), [30, 10])
    assert np.array_equal(windows.x.mean(axis=1), [31, 20])


def test_a_profile_is_one_at_the_centre_and_falls_off_as_a_gaussian():
    model = np.array([[30.0, 31.0, 2.0, 50.0, 3.0]])
    windows = windows_of(model, [0])
    squared = (windows.y - 30) ** 2 + (windows.x - 31) ** 2
    shape = profile(windows, model)
    assert shape[squared == 0] == 1
    assert np.allclose(shape[squared == 4], np.exp(-0.5))


def test_a_window_holds_the_whole_intensity_of_a_narrow_column():
    model = np.array([[30.3, 31.8, 1.2, 50.0, 3.0]])
    assert profile(windows_of(model, [0]), model).sum() == pytest.approx(2 * np.pi * 1.2**2, rel=1e-4)


def test_pairs_are_symmetric_and_sorted_and_leave_out_what_has_no_place(model):
    model[7, 0] = np.nan
    pairs = neighbour_pairs(model, RADIUS)
    as_set = {tuple(pair) for pair in pairs.tolist()}
    assert len(as_set) == len(pairs)
    assert as_set == {(j, i) for i, j in as_set}
    assert np.all(np.diff(pairs[:, 0]) >= 0)
    assert not np.any(pairs == 7)
    distance = np.hypot(*(model[:, None, :2] - model[None, :, :2]).transpose(2, 0, 1))
    near = distance <= RADIUS + PROFILE_REACH * np.nanmedian(np.delete(model, 7, axis=0)[:, SIGMA])
    assert as_set == {(i, j) for i, j in np.argwhere(near).tolist() if i != j}


def test_without_columns_there_are_no_pairs():
    assert neighbour_pairs(np.zeros((0, 5)), RADIUS).shape == (0, 2)
    assert neighbour_pairs(np.full((3, 5), np.nan), RADIUS).shape == (0, 2)
    assert neighbour_pairs(np.ones((1, 5)), RADIUS).shape == (0, 2)


@pytest.mark.parametrize("chunk", [np.arange(40), np.array([0]), np.array([3, 4, 11, 29, 39])])
def test_pairs_of_a_chunk_are_those_that_begin_in_it(model, chunk):
    pairs = neighbour_pairs(model, RADIUS)
    own, other = pairs_of(chunk, pairs)
    assert list(zip(chunk[own].tolist(), other.tolist(), strict=True)) == [(i, j) for i, j in pairs.tolist() if i in chunk]


@pytest.mark.parametrize("chunk", [np.arange(40), np.array([0]), np.array([3, 4, 11, 29, 39])])
def test_the_sum_of_neighbours_is_the_plain_sum(model, chunk):
    model[::9, HEIGHT] = 0
    windows, pairs = windows_of(model, chunk), neighbour_pairs(model, RADIUS)
    total = sum_of_neighbours(windows, model, chunk, pairs)
    listed, all_others = np.zeros_like(total), np.zeros_like(total)
    for row, i in enumerate(chunk):
        for j, (y, x, sigma, height, _) in enumerate(model):
            given = height * np.exp(-((windows.y[row] - y) ** 2 + (windows.x[row] - x) ** 2) / (2 * sigma**2))
            all_others[row] += given * (i != j)
            listed[row] += given * np.any(np.all(pairs == [i, j], axis=1))
    assert np.allclose(total, listed, atol=1e-9)
    # What is left out lies beyond three sigmas.
    assert np.abs(total - all_others).max() < 4 * 100 * np.exp(-(PROFILE_REACH**2) / 2)


def test_a_lone_columns_window_holds_nothing_of_others():
    model = np.array([[30.0, 30.0, 2.0, 50.0, 3.0]])
    assert not sum_of_neighbours(windows_of(model, [0]), model, np.array([0]), neighbour_pairs(model, RADIUS)).any()


def test_windows_grow_where_columns_stand_apart():
    def row(apart):
        return np.column_stack([np.zeros(9), apart * np.arange(9)])

    assert window_radius(row(5.0), 2.0, 2.5) == 5.0
    assert window_radius(row(12.0), 2.0, 2.5) == pytest.approx(7.2)
    assert window_radius(row(100.0), 2.0, 2.5) == 10.0
    assert window_radius(np.array([[3.0, 3.0]]), 2.0, 2.5) == 10.0
    assert window_radius(row(2.0), 0.4, 2.5) == 2.5
