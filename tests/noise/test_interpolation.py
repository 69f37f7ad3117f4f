from math import pi

import numpy as np
import pytest
import torch

from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.noise.interpolation import InterpolationParams, interpolated_points, interpolation

SHAPE = (90, 120)
POINTS = np.array([[30.3, 50.0], [61.0, 71.6], [44.0, 60.0]])
SOME = [
    InterpolationParams(rotation=0.4),
    InterpolationParams(scale_y=1.2, scale_x=0.9),
    InterpolationParams(shear=0.3, shift_y=2.5, shift_x=-4.25),
    InterpolationParams(rotation=-1.0, scale_x=1.1, shear=0.1, shift_x=3.0),
]


def spot(point):
    return torch.from_numpy(render_columns(point[None], np.array([100.0]), 2.5, SHAPE).astype(np.float32))[None, None]


def centre(image):
    total = image.sum()
    return [float((image.sum(1 - axis) * torch.arange(image.shape[axis])).sum() / total) for axis in (0, 1)]


@pytest.mark.parametrize("params", SOME)
def test_columns_go_where_their_positions_go(params):
    for point, goal in zip(POINTS, interpolated_points(POINTS, params, SHAPE), strict=True):
        assert np.allclose(centre(interpolation(spot(point), [params], [0])[0, 0]), goal, atol=2e-3)


@pytest.mark.parametrize("params", SOME)
def test_flux_grows_with_the_magnified_area_only(params):
    out = interpolation(spot(POINTS[2]), [params], [0])
    assert float(out.sum()) == pytest.approx(100 * params.scale_y * params.scale_x, rel=2e-3)


def test_quarter_turn_is_exact():
    image = torch.rand(1, 1, 40, 40)
    turned = interpolation(image, [InterpolationParams(rotation=pi / 2)], [0])
    assert torch.allclose(turned, torch.rot90(image, 1, (2, 3)), atol=1e-4)
    corner = interpolated_points(np.array([[0.0, 39.0]]), InterpolationParams(rotation=pi / 2), (40, 40))
    assert np.allclose(corner, [[0, 0]])


def test_noise_of_neighbours_becomes_correlated():
    image = torch.randn(1, 1, 200, 200)
    moved = interpolation(image, [InterpolationParams(shift_x=0.5)], [0])[0, 0]
    assert float((moved[:, 1:] * moved[:, :-1]).mean() / moved.var()) > 0.2
    assert float(moved.var()) < 0.9
