import math

import torch

from napari_atomseg.optics.aperture import angular_grid, circular_aperture


def disc(semiangle, soft, step=1e-3):
    modes = torch.arange(-30, 31, dtype=torch.float64)[None]
    alpha, phi = angular_grid(modes * step, modes * step, torch.ones(1, 1, 1, dtype=torch.float64))
    width = torch.full((1, 1, 1), step, dtype=torch.float64)
    return circular_aperture(alpha, phi, torch.full((1, 1, 1), semiangle), (width, width), torch.tensor([[[soft]]]))[0]


def test_soft_edge_has_the_area_of_the_disc():
    for semiangle in (0.0125, 0.0201, 0.0249):
        assert abs(float(disc(semiangle, True).sum()) / (math.pi * (semiangle / 1e-3) ** 2) - 1) < 5e-3


def test_hard_edge_is_zero_or_one():
    assert set(disc(0.0125, False).unique().tolist()) == {0.0, 1.0}


def test_the_straight_beam_always_passes():
    assert disc(1e-5, True)[30, 30] == 1
    assert disc(1e-5, True).sum() == 1
