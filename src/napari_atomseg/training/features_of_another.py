"""Begin with the features that a network of another task has learnt."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def take_features(network: nn.Module, weights: Mapping[str, Tensor]) -> int:
    """Copy the weights of another network of the same shape wherever the two agree.

    What has other outputs keeps its own beginning. A convolution that is given more planes than before takes what there is and
    does not hear the others yet, so that the network first sees images as the other one did.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    weights : mapping of str to Tensor
        Of the other network.

    Returns
    -------
    int
        Weights that were copied.
    """
    copied = 0
    with torch.no_grad():
        for name, mine in network.state_dict().items():
            other = weights.get(name)
            if other is None or other.dim() != mine.dim():
                continue
            if other.shape == mine.shape:
                mine.copy_(other)
                copied += other.numel()
            elif _more_inputs(mine, other):
                mine.zero_()
                mine[:, : other.shape[1]] = other
                copied += other.numel()
    return copied


def _more_inputs(mine: Tensor, other: Tensor) -> bool:
    """True for kernels (O, I, Y, X) that differ only in that the first has more inputs."""
    same = mine.dim() == 4 and mine.shape[0] == other.shape[0] and mine.shape[2:] == other.shape[2:]
    return same and mine.shape[1] > other.shape[1]
