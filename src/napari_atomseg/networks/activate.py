"""From the numbers of a network to its maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_atomseg.networks.outputs import Output


def activate(logits: Tensor, outputs: Sequence[Output]) -> Tensor:
    """Maps of a network.

    Parameters
    ----------
    logits : Tensor, shape (..., C, Y, X)
        As the network gives them, one channel for each output.
    outputs : sequence of Output
        Of its card.

    Returns
    -------
    Tensor, shape (..., C, Y, X)
    """
    maps = logits.clone()
    for name in ("sigmoid", "softmax"):
        channels = [number for number, output in enumerate(outputs) if output.activation == name]
        if channels:
            chosen = logits[..., channels, :, :]
            maps[..., channels, :, :] = chosen.sigmoid() if name == "sigmoid" else torch.softmax(chosen, dim=-3)
    return maps
