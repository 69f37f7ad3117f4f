"""Margins of an image cut away and filled, as after it was shifted, turned or aligned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import Angle, Level
from napari_atomseg.optics.batch import per_image

_Margin = Annotated[float, Quantity(low=0, high=0.5, decimals=3)]
_MARGINS = ("top", "bottom", "left", "right")


@dataclass(frozen=True, kw_only=True)
class CroppingParams:
    """What is cut from one sample.

    Attributes
    ----------
    top, bottom, left, right : float
        Share of the height or width that is cut off at each side.
    rotation : float, rad
        Turn of the rectangle that is kept about the centre of the image, counter-clockwise as one sees it.
    fill : median or constant
        What is put in: the median of the image, or `value`.
    value : float
        The constant, in units of the image intensity.
    """

    top: _Margin = 0.0
    bottom: _Margin = 0.0
    left: _Margin = 0.0
    right: _Margin = 0.0
    rotation: Angle = 0.0
    fill: Literal["median", "constant"] = "median"
    value: Level = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: any(getattr(params, name) > 0 for name in _MARGINS) or params.rotation != 0)
def cropping(image: Tensor, params: Sequence[CroppingParams], seeds: Sequence[int]) -> Tensor:
    """The image with its margins filled; the frame keeps its size, so that nothing moves.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of CroppingParams, length B
        The same for an image and its labels.
    seeds : sequence of int, length B
        Not used: the effect has nothing random.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Post-processing distortions,
    doi:10.1038/s41524-023-01188-0.
    """
    batch, _, height, width = image.shape
    y = (torch.arange(height, device=image.device) - (height - 1) / 2)[:, None]
    x = torch.arange(width, device=image.device) - (width - 1) / 2
    kept = _kept(y, x, params, (height, width))
    median = image.reshape(batch, -1).median(dim=1).values.reshape(-1, 1, 1, 1)
    constant = per_image([one.value for one in params], image)
    by_median = per_image([one.fill == "median" for one in params], image).bool()
    return torch.where(kept, image, torch.where(by_median, median, constant))


def kept_points(points: np.ndarray, params: CroppingParams, shape: tuple[int, int]) -> np.ndarray:
    """True for positions whose place in the image was not cut away, shape (N,); `points` (N, 2), px, (y, x).

    Parameters
    ----------
    points : ndarray, shape (N, 2), px, (y, x)
        Before the cropping.
    params : CroppingParams
    shape : tuple of int
        Of the image, (Y, X).
    """
    y, x = (torch.as_tensor(np.asarray(points, dtype=np.float32).reshape(-1, 2)) - (torch.tensor(shape) - 1) / 2).T
    return _kept(y, x, [params], shape).reshape(-1).numpy()


def _kept(y: Tensor, x: Tensor, params: Sequence[CroppingParams], shape: tuple[int, int]) -> Tensor:
    """Whether places, given from the centre of the image, lie in the rectangle, shape (B, 1, Y, X) or (1, 1, 1, N)."""
    height, width = shape
    angle, top, bottom, left, right = (per_image([getattr(one, name) for one in params], y) for name in ("rotation", *_MARGINS))
    along_y = y * torch.cos(angle) + x * torch.sin(angle)
    along_x = x * torch.cos(angle) - y * torch.sin(angle)
    inside_y = (along_y >= (top - 0.5) * height) & (along_y < (0.5 - bottom) * height)
    return inside_y & (along_x >= (left - 0.5) * width) & (along_x < (0.5 - right) * width)
