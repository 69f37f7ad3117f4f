"""Mean and standard deviation of an image as a whole, which networks that restore have taken off and put back."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_atomseg.inference.normalise import SAMPLED

OUTERMOST = 1e-3
"""Share of the pixels at either end that may be hot or dead ..."""
FARTHEST = 1.0
"""... and are cut off where they lie farther out than so many times the range of the others."""
LEAST = 1e-12


def cut_off(images: Tensor) -> Tensor:
    """Images (B, 1, Y, X) without intensities that lie far outside those of nearly all pixels.

    One hot pixel in an image of few counts would otherwise decide what its standard deviation is.
    """
    step = max(1, round((images.shape[-1] * images.shape[-2] / SAMPLED) ** 0.5))
    values = images[..., ::step, ::step].flatten(1)
    low, high = (level.reshape(-1, 1, 1, 1) for level in (-_upper_quantile(-values), _upper_quantile(values)))
    spare = FARTHEST * (high - low)
    return images.clamp(low - spare, high + spare)


def mean_and_deviation(images: Tensor) -> tuple[Tensor, Tensor]:
    """Of images (B, 1, Y, X), each of shape (B, 1, 1, 1); an even image has deviation 1."""
    mean = images.mean(dim=(2, 3), keepdim=True)
    deviation = (images - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
    return mean, torch.where(deviation > LEAST + 1e-6 * mean.abs(), deviation, torch.ones_like(deviation))


def _upper_quantile(values: Tensor) -> Tensor:
    """Quantile 1 - :data:`OUTERMOST` of each of the rows (B, N), interpolated; what lies below it need not be sorted for that."""
    place = OUTERMOST * (values.shape[1] - 1)
    below = int(place)
    highest = values.topk(min(below + 2, values.shape[1]), dim=1).values
    return torch.lerp(highest[:, below], highest[:, -1], place - below)
