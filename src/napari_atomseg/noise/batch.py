"""What all effects share: one set of parameters per sample, and samples without the effect left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

P = TypeVar("P")
Corruption = Callable[[Tensor, Sequence[P], Sequence[int]], Tensor]
"""Image (B, 1, Y, X), B parameter objects and B seeds in, image (B, 1, Y, X) out; the image that came in is not changed."""


def only_where(active: Callable[[Any], bool]) -> Callable[[Corruption[P]], Corruption[P]]:
    """Decorator of an effect: it sees only the samples for which `active` holds, the others pass bit for bit."""

    def decorate(effect: Corruption[P]) -> Corruption[P]:
        @wraps(effect)
        def chosen(image: Tensor, params: Sequence[P], seeds: Sequence[int]) -> Tensor:
            if not len(image) == len(params) == len(seeds):
                raise ValueError(f"{len(image)} images need as many parameters ({len(params)}) and seeds ({len(seeds)})")
            return apply_to([n for n, one in enumerate(params) if active(one)], effect, image, params, seeds)

        return chosen

    return decorate


def apply_to(chosen: Sequence[int], effect: Corruption[P], image: Tensor, params: Sequence[P], seeds: Sequence[int]) -> Tensor:
    """The batch with the effect applied to the `chosen` samples only.

    Parameters
    ----------
    chosen : sequence of int
        Samples of the batch.
    effect : callable
        Takes images, parameters and seeds.
    image : Tensor, shape (B, 1, Y, X)
    params, seeds : sequence
        One of each for each chosen sample.
    """
    if not chosen:
        return image
    if len(chosen) == len(image):
        return effect(image, params, seeds)
    index = torch.tensor(chosen, device=image.device)
    changed = effect(image[index], [params[n] for n in chosen], [seeds[n] for n in chosen])
    return image.index_copy(0, index, changed)
