import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.localise.snap import snap_positions


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_point_beside_a_column_moves_onto_it(rng, sign):
    true = square_lattice((120, 120), 20, margin=12)
    image = sign * draw(true, 2.5, (120, 120)) + rng.normal(0, 1, (120, 120))
    moved = snap_positions(image, true + rng.uniform(-2, 2, true.shape), 2.5, sign)
    assert np.abs(moved - true).max() < 0.15


def test_a_point_far_from_any_column_stays():
    image = draw([[20, 20]], 2.5, (120, 120))
    point = np.array([[90.0, 90.0]])
    assert np.array_equal(snap_positions(image, point, 2.5), point)


@pytest.mark.parametrize("point", [[-500.0, 3.0], [3.0, 1e6], [np.nan, 2.0]])
def test_points_outside_the_image_stay(point):
    assert np.array_equal(snap_positions(np.ones((30, 30)), np.array([point]), 2.0), [point], equal_nan=True)


def test_no_points():
    assert snap_positions(np.ones((30, 30)), np.zeros((0, 2)), 2.0).shape == (0, 2)
