import pytest
import torch

from napari_atomseg.noise.black_pixels import BlackPixelsParams, black_pixels


def test_share_and_response():
    image = torch.rand(1, 1, 200, 200) + 1
    out = black_pixels(image, [BlackPixelsParams(points=400, response=0.25)], [1])
    black = out != image
    assert float(black.float().mean()) == pytest.approx(0.01, rel=0.03)
    assert torch.allclose(out[black], 0.25 * image[black])


def test_one_camera_has_them_at_the_same_places():
    params = [BlackPixelsParams(points=20, steps=5)] * 2
    first, second = black_pixels(torch.rand(2, 1, 64, 64) + 1, params, [5, 5]) == 0
    assert torch.equal(first, second)
    assert 20 < int(first.sum()) <= 120
