import numpy as np
import torch

from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.noise.line_shift import displaced_points, keys_weights, shift_lines


def ridge(rows=30, width=81):
    line = render_columns(np.array([[0, 40]]), np.array([1.0]), 4.0, (1, width))
    return torch.from_numpy(np.tile(line, (rows, 1)).astype(np.float32))[None, None]


def centroids(image):
    return image @ torch.arange(image.shape[-1], dtype=image.dtype) / image.sum(-1)


def test_every_row_moves_by_its_own_offset_and_no_further():
    x = torch.linspace(-3, 3, 30)
    moved = shift_lines(ridge(), torch.stack([torch.zeros(30), x])[None])
    assert torch.allclose(centroids(moved)[0, 0], 40 - x, atol=2e-3)
    assert torch.allclose(moved.sum(-1), ridge().sum(-1), rtol=1e-4)


def test_rows_do_not_mix_when_shifted_sideways():
    image = torch.zeros(1, 1, 5, 20)
    image[..., 2, :] = 1
    moved = shift_lines(image, torch.stack([torch.zeros(5), torch.linspace(-3, 3, 5)])[None])
    assert torch.equal(moved[..., :2, :], image[..., :2, :])
    assert torch.allclose(moved[..., 2, :], torch.ones(20))


def test_slow_offsets_show_other_lines():
    image = torch.arange(12.0)[:, None].expand(12, 6)[None, None]
    offsets = torch.zeros(1, 2, 12)
    offsets[0, 0] = 0.3
    assert torch.allclose(shift_lines(image, offsets)[0, 0, 2:-3, 0], torch.arange(2.3, 9), atol=1e-5)


def test_whole_offsets_are_exact_and_the_border_is_repeated():
    image = torch.rand(2, 1, 6, 12)
    offsets = torch.zeros(2, 2, 6)
    offsets[1] = 2.0
    moved = shift_lines(image, offsets)
    assert torch.equal(moved[0], image[0])
    assert torch.equal(moved[1, 0, :-2, :-2], image[1, 0, 2:, 2:])
    assert torch.equal(moved[1, 0, -3:, -1], image[1, 0, [5, 5, 5], [11, 11, 11]])


def test_weights_add_up_and_reproduce_parabolas():
    t = torch.linspace(0, 1, 50, dtype=torch.float64)
    weights = torch.stack(keys_weights(t))
    for power in range(3):
        grid = torch.tensor([-1.0, 0, 1, 2], dtype=torch.float64) ** power
        assert torch.allclose(grid @ weights, t**power, atol=1e-12)


def test_points_follow_their_column():
    rng = np.random.default_rng(0)
    point = np.array([[30.0, 41.0]])
    drift = torch.from_numpy(np.stack([np.linspace(-1, 2, 64), rng.uniform(-0.2, 0.2) + np.linspace(1, -2, 64)])).float()
    image = torch.from_numpy(render_columns(point, np.array([1.0]), 3.0, (64, 80)).astype(np.float32))[None, None]
    moved = shift_lines(image, drift[None])[0, 0]
    total = moved.sum()
    seen = [float((moved.sum(1 - axis) * torch.arange(moved.shape[axis])).sum() / total) for axis in (0, 1)]
    assert np.allclose(displaced_points(torch.from_numpy(point), drift)[0], seen, atol=0.03)
    assert displaced_points(torch.empty(0, 2), drift).shape == (0, 2)
