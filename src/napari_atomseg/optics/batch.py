"""Numbers that differ from sample to sample of a batch, shaped to meet images and grids."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def per_sample(values: Sequence[float], device: torch.device | str | None = None) -> Tensor:
    """One number per sample of a batch as a float64 tensor of shape (B, 1, 1), ready to meet a grid.

    Parameters
    ----------
    values : sequence of float, length B
    device : torch.device or str, optional
    """
    return torch.tensor([float(value) for value in values], dtype=torch.float64, device=device)[:, None, None]


def per_image(values: Sequence[float], image: Tensor) -> Tensor:
    """One number per image of a batch, shape (B, 1, 1, 1), ready to meet them.

    Parameters
    ----------
    values : sequence of float, length B
    image : Tensor, shape (B, 1, Y, X)
        Whose device and type are taken.
    """
    return torch.tensor(values, dtype=image.dtype, device=image.device).reshape(-1, 1, 1, 1)
