import pytest
import torch

from napari_atomseg.noise.black_pixels import BlackPixelsParams, black_pixels
from napari_atomseg.noise.zingers import ZingersParams, zingers


def test_share_factor_and_burst():
    image = torch.rand(1, 1, 200, 200)
    out = zingers(image, [ZingersParams(points=400, factor=3, burst=2.0)], [1])
    white = out != image
    assert float(white.float().mean()) == pytest.approx(0.01, rel=0.03)
    assert torch.allclose(out[white], 3 * image[white] + 2)


def test_not_where_the_black_pixels_of_the_same_seed_are():
    image = torch.ones(1, 1, 200, 200)
    white = zingers(image, [ZingersParams(points=100)], [1]) > 1
    black = black_pixels(image, [BlackPixelsParams(points=100)], [1]) < 1
    assert int((white & black).sum()) < 5
