import numpy as np
import pytest
from scipy.spatial import cKDTree
from spots import draw, offsets, square_lattice

from napari_atomseg.inference.detection.candidates import APART, BLOB, UNKNOWN_SPREAD, blobness, find_candidates

NATIVE = 0.2
"""Angstrom per pixel."""
WIDTH = 0.2
"""Standard deviation of a sure column in the map, Angstrom."""
SHAPE = (100, 110)


def a_map(positions):
    return draw(positions, WIDTH / NATIVE, SHAPE, height=1.0, level=0.0)


def an_image(positions, **values):
    return draw(positions, BLOB / NATIVE, SHAPE, **{"height": 1.0, "level": 0.1, **values})


def found_in(columns_map, image):
    return find_candidates(columns_map, image, WIDTH, NATIVE)


def test_columns_of_the_map_and_of_the_image_alone_are_both_offered_once():
    true = square_lattice(SHAPE, 16, margin=8)
    mapped = np.arange(len(true)) % 2 == 0
    found = found_in(a_map(true[mapped]), an_image(true))
    own = cKDTree(found.positions).query_ball_point(true, 3.0)
    assert [len(near) for near in own] == [1] * len(true)
    row = np.concatenate(own)
    np.testing.assert_array_equal(found.drawn[row], mapped)
    assert found.confidence[row[mapped]] == pytest.approx(1.0, abs=0.02)
    assert np.all(found.confidence[row[~mapped]] == 0)
    assert np.all(found.spread[row[~mapped]] == UNKNOWN_SPREAD / NATIVE)


@pytest.mark.parametrize(("apart_angstrom", "offered"), [(0.75 * APART, 1), (1.5 * APART, 2)])
def test_a_blob_near_a_summit_of_the_map_is_that_column(apart_angstrom, offered):
    place = np.array([[50.0, 50.0]])
    blob = place + np.array([0.0, apart_angstrom / NATIVE])
    found = found_in(a_map(place), an_image(blob))
    assert len(cKDTree(found.positions).query_ball_point(place[0], 10)) == offered


def test_blobs_are_placed_between_pixels(rng):
    true = square_lattice(SHAPE, 16, margin=8) + rng.uniform(-0.5, 0.5, (1, 2))
    found = found_in(np.zeros(SHAPE), an_image(true))
    away = np.hypot(*offsets(found.positions, true).T)
    assert away.max() < 0.1
    rounded = np.hypot(*(np.rint(true) - true).T)
    assert away.mean() < 0.3 * rounded.mean()


def test_low_summits_of_the_map_are_offered_too():
    place = np.array([[50.0, 50.0]])
    found = found_in(0.1 * a_map(place), np.zeros(SHAPE))
    assert found.drawn.all()
    assert found.positions == pytest.approx(place, abs=0.1)
    assert 0 < found.confidence[0] < 0.15


def test_noise_shows_blobs_but_no_columns_of_an_empty_map(rng):
    found = found_in(np.zeros(SHAPE), rng.normal(0, 1, SHAPE))
    assert len(found) > 0
    assert not found.drawn.any()
    assert np.all(found.confidence == 0)


def test_blobs_are_the_same_whatever_gain_and_offset(rng):
    image = an_image(square_lattice(SHAPE, 16)) + rng.normal(0, 0.1, SHAPE)
    plain, other = (found_in(np.zeros(SHAPE), given) for given in (image, 64 * image + 16))
    assert len(plain) == pytest.approx(len(other), abs=2)
    assert np.quantile(cKDTree(plain.positions).query(other.positions)[0], 0.98) < 0.01


@pytest.mark.parametrize("level", [0.0, 5e-7, 0.3])
def test_an_empty_map_and_a_constant_image_offer_nothing(level):
    assert len(found_in(np.zeros(SHAPE), np.full(SHAPE, level, np.float32))) == 0


@pytest.mark.parametrize("width", [1.5, 2.25, 3.5])
def test_blobs_of_one_height_have_one_blobness_at_their_own_width(width):
    seen = blobness(draw([[50, 50]], width, SHAPE, height=1.0, level=5.0), width)
    # Of the Laplacian of a Gaussian of height 1, blurred by its own width: 2 / width^2 / 2^2, times width^2.
    assert seen[50, 50] == pytest.approx(0.5, rel=0.02)
