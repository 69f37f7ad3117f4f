from math import pi

import pytest
import torch

from napari_atomseg.noise.line_noise import LineNoiseParams, line_noise, line_offsets


def test_the_spread_swings_with_the_line_frequency():
    params = LineNoiseParams(sigma=0.6, frequency=1 / 16, phase=pi / 2)
    y, x = line_offsets(64, [params] * 4000, range(4000)).unbind(1)
    lines = torch.arange(64)
    assert torch.allclose(x.std(0), 0.6 * torch.sin(2 * pi * lines / 16).abs(), atol=0.03)
    assert torch.allclose(y.std(0), 0.6 * torch.cos(2 * pi * lines / 16).abs(), atol=0.03)
    assert float(x.mean(0).abs().max()) < 0.05


def test_lines_are_independent():
    x = line_offsets(100_000, [LineNoiseParams(sigma=1.0, frequency=0.013)], [1])[0, 1]
    assert float(x.var()) == pytest.approx(0.5, rel=0.03)
    assert abs(float((x[1:] * x[:-1]).mean())) < 0.01


def test_lines_move_as_a_whole():
    across = torch.sin(torch.arange(64.0)).expand(64, 64)[None, None].contiguous()
    moved = line_noise(across, [LineNoiseParams(sigma=1.0, frequency=0.25)], [1])[0, 0]
    still = torch.arange(0, 64, 2)  # where the wave crosses zero
    assert torch.allclose(moved[still], across[0, 0, still], atol=1e-4)
    assert float((moved - across[0, 0])[1::2].abs().mean()) > 0.1
