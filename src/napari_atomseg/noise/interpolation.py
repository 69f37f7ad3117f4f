"""The image turned, stretched or moved after it was recorded, which correlates the noise of neighbouring pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, sin
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.blur import mirrored
from napari_atomseg.noise.line_shift import keys_weights
from napari_atomseg.noise.quantities import Angle

_CACHED = 2**16
"""Pixels that are resampled together."""
_Magnification = Annotated[float, Quantity(low=0.1, high=10, decimals=4)]
_Move = Annotated[float, Quantity(unit="px", low=-1e4, high=1e4, decimals=3)]


@dataclass(frozen=True, kw_only=True)
class InterpolationParams:
    """Linear transformation of one sample about the centre of the image.

    Attributes
    ----------
    rotation : float, rad
        Counter-clockwise as one sees the image (y down); done last.
    scale_y, scale_x : float
        Magnification along each axis; done first.
    shear : float
        Displacement along x per displacement along y; done after magnification.
    shift_y, shift_x : float, px
        Where the centre goes.
    filled : bool
        Magnified along both axes, as little as will do, so that nothing enters from outside the frame; for no shift.
    """

    rotation: Angle = 0.0
    scale_y: _Magnification = 1.0
    scale_x: _Magnification = 1.0
    shear: Annotated[float, Quantity(low=-2, high=2, decimals=4)] = 0.0
    shift_y: _Move = 0.0
    shift_x: _Move = 0.0
    filled: bool = False

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params != InterpolationParams())
def interpolation(image: Tensor, params: Sequence[InterpolationParams], seeds: Sequence[int]) -> Tensor:
    """The transformed image, in a frame of the same size; what enters the frame is mirrored from inside.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of InterpolationParams, length B
        The same for an image and its labels.
    seeds : sequence of int, length B
        Not used: the effect has nothing random.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32
        Bicubic interpolation (Keys 1981, a = -1/2) of the values: the sum changes with the magnified area.

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Post-processing distortions,
    doi:10.1038/s41524-023-01188-0.
    """
    height, width = image.shape[-2:]
    back = np.linalg.inv(np.array([_matrix(one, (height, width)) for one in params]))
    shift = np.array([[one.shift_y, one.shift_x] for one in params])
    # Where each pixel comes from: a linear function of its place, both from the centre.
    affine = np.concatenate([back, -(back @ shift[..., None])], axis=2)
    theta = torch.tensor(affine, dtype=torch.float32, device=image.device)[..., None, None]
    y = (torch.arange(height, device=image.device) - (height - 1) / 2)[:, None]
    x = torch.arange(width, device=image.device) - (width - 1) / 2
    source = theta[:, :, 0] * y + theta[:, :, 1] * x + theta[:, :, 2]
    places = source[:, 0] + (height - 1) / 2, source[:, 1] + (width - 1) / 2
    # On a processor in pieces that fit into its cache, which is three times as fast; a GPU takes all at once.
    pieces = ceil(image.numel() / _CACHED) if image.device.type == "cpu" else 1
    return torch.cat([_sampled(*part) for part in zip(*(whole.chunk(pieces) for whole in (image, *places)), strict=True)])


def interpolated_points(points: np.ndarray, params: InterpolationParams, shape: tuple[int, int]) -> np.ndarray:
    """Where positions in the image go, shape (N, 2), px, (y, x); some may leave the frame of `shape` (Y, X).

    Parameters
    ----------
    points : ndarray, shape (N, 2), px, (y, x)
    params : InterpolationParams
    shape : tuple of int
        Of the image, (Y, X).
    """
    centre = (np.array(shape) - 1) / 2
    places = np.asarray(points, dtype=float).reshape(-1, 2) - centre
    return np.asarray(places @ _matrix(params, shape).T + centre + [params.shift_y, params.shift_x])


def magnification(params: InterpolationParams, shape: tuple[int, int]) -> float:
    """Square root of the factor by which areas grow in an image of `shape` (Y, X).

    Parameters
    ----------
    params : InterpolationParams
    shape : tuple of int
        Of the image, (Y, X).
    """
    return float(np.sqrt(np.linalg.det(_matrix(params, shape))))


def _matrix(params: InterpolationParams, shape: tuple[int, int]) -> np.ndarray:
    """Matrix on (y, x) columns, from the centre."""
    plain = _unfilled(params)
    if not params.filled:
        return plain
    half = np.array(shape) / 2
    # The frame comes from a parallelogram, which must lie within the frame itself.
    return plain * max(1.0, float((np.abs(np.linalg.inv(plain)) @ half / half).max()))


def _unfilled(params: InterpolationParams) -> np.ndarray:
    c, s = cos(params.rotation), sin(params.rotation)
    turn = np.array([[c, -s], [s, c]])
    return turn @ np.array([[1.0, 0.0], [params.shear, 1.0]]) @ np.diag([params.scale_y, params.scale_x])


def _sampled(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The image (B, 1, Y, X) at places (B, Y, X) in px; not torch's own, whose kernel (a = -3/4) moves columns by 0.02 px."""
    height, width = image.shape[-2:]
    rows, columns = (mirrored(length, 2).to(image.device) for length in (height, width))
    padded = image.index_select(-2, rows).index_select(-1, columns)
    stride = padded.shape[-1]
    y, x = _folded(y, height), _folded(x, width)
    whole_y, whole_x = y.floor(), x.floor()
    # The first of the 4 x 4 pixels in the padded image, which begins two pixels before.
    first = ((whole_y + 1) * stride + (whole_x + 1)).long().reshape(len(image), -1)
    along_y, along_x = keys_weights(y.sub_(whole_y)), keys_weights(x.sub_(whole_x))
    flat = padded.reshape(len(image), -1)
    total = torch.zeros_like(y)
    for weight in along_y:
        line = torch.zeros_like(y)
        for share in along_x:
            line.addcmul_(flat.gather(1, first).reshape(y.shape), share)
            first += 1
        total.addcmul_(line, weight)
        first += stride - len(along_x)
    return total.reshape(image.shape)


def _folded(place: Tensor, length: int) -> Tensor:
    """Places mirrored at the outer edges of the first and the last pixel until they lie in the image."""
    place = (place + 0.5).remainder_(2 * length)
    return torch.minimum(place, 2 * length - place).sub_(0.5).clamp_(-0.5, length - 0.5)
