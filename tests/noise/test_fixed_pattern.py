import pytest
import torch

from napari_atomseg.noise.fixed_pattern import FixedPatternParams, fixed_pattern


def test_relative_spread_is_sigma_at_every_brightness():
    image = torch.tensor([1.0, 100.0]).reshape(2, 1, 1, 1).expand(2, 1, 400, 400)
    out = fixed_pattern(image, [FixedPatternParams(sigma=0.03)] * 2, [1, 2])
    assert out.mean((1, 2, 3)).tolist() == pytest.approx([1, 100], rel=1e-3)
    assert out.std((1, 2, 3)).tolist() == pytest.approx([0.03, 3], rel=0.01)


def test_one_camera_has_one_pattern():
    frames = torch.rand(2, 1, 50, 50) + 1
    first, second = fixed_pattern(frames, [FixedPatternParams(sigma=0.1)] * 2, [5, 5]) / frames
    assert torch.allclose(first, second, atol=1e-5)
