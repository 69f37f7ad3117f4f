"""Many points by way of a grid: the same modes as the sum over them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_atomseg.imaging import linear_adf
from napari_atomseg.imaging.gridding import gridded_modes, quicker
from napari_atomseg.imaging.linear_adf import batch_columns, structure_factor


def by_sum(places, weights, modes, period):
    waves = [
        np.exp(-2j * np.pi * np.outer(places[:, axis] / period[axis], np.arange(-high, high + 1)))
        for axis, high in enumerate(modes)
    ]
    return ((waves[0] * weights[:, None]).T @ waves[1])[:, modes[1] :]


@pytest.mark.parametrize(("modes", "period"), [((40, 33), (96, 101)), ((3, 5), (64, 70)), ((0, 2), (20, 20))])
def test_points_on_a_grid_give_the_modes_of_their_sum(modes, period, rng):
    # Some outside the period, some on cells and on the border.
    places = np.concatenate([rng.uniform(-30, 130, (2000, 2)), [[0, 0], [96, 101], [-0.5, 50.0]]]).astype(np.float32)
    weights = rng.uniform(0, 2, len(places)).astype(np.float32)
    found = gridded_modes(torch.from_numpy(places), torch.from_numpy(weights), modes, period).numpy()
    true = by_sum(places.astype(float), weights.astype(float), modes, period)
    assert found.shape == true.shape
    assert abs(found - true).max() < 2e-6 * weights.sum()


def test_columns_of_several_images_and_widths_are_the_same_either_way(rng, monkeypatch):
    places = [rng.uniform(0, 90, (count, 2)) for count in (3000, 5)]
    widths = [rng.choice([0.0, 0.8], len(one)) for one in places]
    columns = batch_columns(
        [torch.from_numpy(one) for one in places],
        [torch.ones(len(one)) for one in places],
        [torch.from_numpy(one) for one in widths],
    )
    found = {}
    for gridded in (True, False):
        monkeypatch.setattr(linear_adf, "quicker", lambda *_, answer=gridded: answer)
        found[gridded] = structure_factor(columns, (50, 44), (100, 101))
    assert found[True].shape == found[False].shape
    assert torch.allclose(found[True], found[False], atol=5e-3)
    assert (found[True][0] - found[False][0]).abs().max() < 3e-6 * 3000


def test_gradients_go_through_the_sum(rng):
    columns = batch_columns([torch.from_numpy(rng.uniform(0, 90, (3000, 2)))], [torch.ones(3000)], [0.0])
    assert quicker(3000, 1, (60, 60))
    columns.positions.requires_grad_(True)
    structure_factor(columns, (60, 60), (100, 100)).abs().sum().backward()
    assert columns.positions.grad.abs().max() > 0
