"""Begin with the features that a network of another task, or for other kinds of images, has learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Planes:
    """What a network is given beside the image.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of images, a plane each, in their order.
    periodic : bool
        Whether it is shown what repeats over the image.
    """

    kinds: tuple[str, ...] = ()
    periodic: bool = False

    @classmethod
    def of(cls, network: Mapping[str, Any], modality: str) -> Planes:
        """Those of a network, by its parameters and modality as its card names them."""
        kinds = tuple(modality.split(", ")) if network.get("conditions", 0) else ()
        return cls(kinds, bool(network.get("periodic", False)))


def take_features(network: nn.Module, weights: Mapping[str, Tensor]) -> int:
    """Copy the weights of another network of the same shape wherever the two agree; what has other outputs keeps its beginning.

    Parameters
    ----------
    network : nn.Module
        Changed in place.
    weights : mapping of str to Tensor
        Of the other network; if that is given other planes beside the image, of :func:`for_planes`.

    Returns
    -------
    int
        Weights that were copied.
    """
    copied = 0
    with torch.no_grad():
        for name, mine in network.state_dict().items():
            other = weights.get(name)
            if other is not None and other.shape == mine.shape:
                mine.copy_(other)
                copied += other.numel()
    return copied


def for_planes(weights: Mapping[str, Tensor], before: Planes, after: Planes) -> dict[str, Tensor]:
    """Weights of a network for one that is given other planes; those that the first did not know count for nothing at first.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Of a network whose first weights are the kernel (O, I, Y, X) that sees the image, the kinds and what repeats.
    before, after : Planes

    Returns
    -------
    dict of str to Tensor
    """
    first, kernel = next(iter(weights.items()))
    side = (kernel.shape[1] - len(before.kinds)) // (1 + before.periodic)
    image, kinds, repeated = torch.split(kernel, [side, len(before.kinds), side * before.periodic], dim=1)
    known = {kind: kinds[:, place : place + 1] for place, kind in enumerate(before.kinds)}
    unheard = torch.zeros_like(image)
    heard = [known.get(kind, unheard[:, :1]) for kind in after.kinds]
    last = [repeated if before.periodic else unheard] if after.periodic else []
    return {**weights, first: torch.cat([image, *heard, *last], dim=1)}
