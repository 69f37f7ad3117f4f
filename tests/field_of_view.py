"""How far a network sees: what lies beyond its reach changes nothing, what lies just within does."""

from __future__ import annotations

import torch

SAME = 1e-9
"""Difference of answers, computed in double precision, that is none."""


def assert_reach(network, change=10.0, edge=8):
    """Fail where a pixel is moved by what lies farther along its row than the network's reach, or by nothing at the edge of it.

    Parameters
    ----------
    network : nn.Module
        Of one image; with ``reach`` and, if it halves images, ``multiple``.
    change : float
        Added to the pixels to one side.
    edge : int, px
        How near to the end of the reach there are pixels that matter.
    """
    network = network.double().eval()
    grid = getattr(network, "multiple", 1)
    middle = 2 * network.reach // grid * grid
    first = torch.rand(1, 1, max(8, 2 * grid), 2 * middle, dtype=torch.float64)
    far, near = first.clone(), first.clone()
    far[..., : middle - network.reach] += change
    near[..., : middle - network.reach + edge] += change
    with torch.no_grad():
        there = network(first)[..., middle]
        torch.testing.assert_close(network(far)[..., middle], there, atol=SAME, rtol=0)
        assert not torch.allclose(network(near)[..., middle], there, atol=SAME, rtol=0)
