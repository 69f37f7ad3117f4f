"""Scan lines recorded at displaced positions: the resampling that scan jitter and line noise share."""

from __future__ import annotations

import torch
from torch import Tensor


def shift_lines(image: Tensor, offsets: Tensor) -> Tensor:
    """The image as it is recorded when the beam runs along displaced lines.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
        Noiseless, because interpolation would correlate the noise of neighbouring pixels.
    offsets : Tensor, shape (B, 2, Y), px, (y, x)
        Where the beam is minus where it should be: a positive offset shows what lies further down or right, so that
        the picture moves up or left.

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
        Bicubic interpolation (Keys 1981, a = -1/2); beyond the border the edge value is repeated.
    """
    return _along_x(_along_y(image, offsets[:, 0]), offsets[:, 1])


def displaced_points(points: Tensor, offsets: Tensor) -> Tensor:
    """Where features appear after :func:`shift_lines`, for offsets that vary little over a feature.

    Parameters
    ----------
    points : Tensor, shape (N, 2), px, (y, x)
        In the undistorted image.
    offsets : Tensor, shape (2, Y), px, (y, x)
        Of one sample.

    Returns
    -------
    Tensor, shape (N, 2), px, (y, x)
        On the line whose beam came nearest to the feature; lines may pass it more than once, the nearest is taken.
    """
    if not len(points):
        return points.clone()
    rows = torch.arange(offsets.shape[1], dtype=points.dtype, device=points.device)
    miss = rows + offsets[0].to(points) - points[:, :1]
    line = miss.abs().argmin(dim=1)
    left = torch.take_along_dim(miss, line[:, None], dim=1)[:, 0]
    return torch.stack([line - left, points[:, 1] - offsets[1].to(points)[line]], dim=1)


def keys_weights(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights of the pixels at -1, 0, 1 and 2 for a place t in [0, 1); they add up to one."""
    return (
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )


def _along_y(image: Tensor, offsets: Tensor) -> Tensor:
    if not bool(offsets.any()):
        return image
    batch, _, height, width = image.shape
    whole = offsets.floor()
    start = torch.arange(height, device=image.device) + whole.long()
    first = torch.arange(batch, device=image.device)[:, None] * height
    rows = image.reshape(batch * height, width)
    moved = torch.zeros_like(rows)
    for step, weight in zip((-1, 0, 1, 2), keys_weights(offsets - whole), strict=True):
        source = (start + step).clamp(0, height - 1) + first
        moved.addcmul_(rows[source.reshape(-1)], weight.reshape(-1, 1))
    return moved.reshape(image.shape)


def _along_x(image: Tensor, offsets: Tensor) -> Tensor:
    if not bool(offsets.any()):
        return image
    batch, _, height, width = image.shape
    whole = offsets.floor()
    steps = torch.arange(-1, width + 2, device=image.device)
    source = (steps + whole.long().reshape(-1, 1)).clamp_(0, width - 1)
    shifted = image.reshape(batch * height, width).gather(1, source)
    moved = torch.zeros_like(image).reshape(batch * height, width)
    for step, weight in enumerate(keys_weights(offsets - whole)):
        moved.addcmul_(shifted[:, step : step + width], weight.reshape(-1, 1))
    return moved.reshape(image.shape)
