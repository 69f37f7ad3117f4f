"""Grey values of a noiseless image: inversion, power law, backgrounds, scaling, after Lobato et al., Eq. 23-26.

Every function takes images (B, 1, Y, X) and one parameter object per image; a parameter at its default leaves its image
as it is, bit for bit. Which values are drawn, and how often, is for the recipes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.optics.aberrations import Angle
from napari_atomseg.optics.batch import per_image

_Height = Annotated[float, Quantity(low=0, high=100, decimals=3)]
_Side = Annotated[float, Quantity(low=-10, high=10, decimals=3)]


@dataclass(frozen=True, kw_only=True)
class InversionParams:
    """Contrast of the other sign, as in bright-field images.

    Attributes
    ----------
    inverted : bool
        Whether y becomes max(y) - y, Eq. 23.
    """

    inverted: bool = False

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class ResponseParams:
    """Power-law response.

    Attributes
    ----------
    exponent : float
        beta of y -> |y|^beta, Eq. 24.
    """

    exponent: Annotated[float, Quantity(low=0.05, high=20)] = 1.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class PlaneParams:
    """Positive plane under the image.

    Attributes
    ----------
    height : float
        Rise from the lowest to the highest corner, in parts of max(y).
    angle : float, rad
        Direction of the rise, from +x to +y.
    """

    height: _Height = 0.0
    angle: Angle = 0.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class GaussianBackgroundParams:
    """Wide Gaussian under the image.

    Attributes
    ----------
    height : float
        Height in parts of max(y).
    centre_y : float
        Centre in y in parts of the height.
    centre_x : float
        Centre in x in parts of the width.
    sigma : float
        Standard deviation in parts of the shorter side.
    """

    height: _Height = 0.0
    centre_y: _Side = 0.5
    centre_x: _Side = 0.5
    sigma: Annotated[float, Quantity(low=1e-3, high=100, decimals=3)] = 0.4

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class PedestalParams:
    """Constant under the image.

    Attributes
    ----------
    height : float
        Constant in parts of max(y).
    """

    height: _Height = 0.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class ScalingParams:
    """Limits of the relative contrast, and the final scale.

    Attributes
    ----------
    least_ratio : float
        Smallest Std(y) / E(y) allowed, Eq. 25.
    most_ratio : float
        Largest Std(y) / E(y) allowed, Eq. 25.
    wanted_ratio : float, optional
        What a Std(y) / E(y) beyond a limit is brought to, Eq. 25; without it the limit.
    to_maximum : bool
        Whether y is divided by max(y) in the end, Eq. 26.
    """

    least_ratio: Annotated[float, Quantity(low=0, high=1e9, decimals=3)] = 0.0
    most_ratio: Annotated[float, Quantity(low=0, high=1e9, decimals=3)] = 1e9
    wanted_ratio: Annotated[float, Quantity(low=1e-6, high=1e9, decimals=3)] | None = None
    to_maximum: bool = False

    def __post_init__(self) -> None:
        check(self)


def invert_contrast(image: Tensor, params: Sequence[InversionParams]) -> Tensor:
    """Images with dark columns where asked, ``max(y) - y``; Lobato et al., Eq. 23.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of InversionParams, length B
    """
    on = per_image([one.inverted for one in params], image) > 0
    return torch.where(on, _highest(image) - image, image)


def apply_response(image: Tensor, params: Sequence[ResponseParams]) -> Tensor:
    r"""Images with a non-linear response, :math:`|y|^\beta`; Lobato et al., Eq. 24.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of ResponseParams, length B
    """
    exponent = per_image([one.exponent for one in params], image)
    return torch.where(exponent == 1, image, image.abs() ** exponent)


def add_plane(image: Tensor, params: Sequence[PlaneParams]) -> Tensor:
    """Images on a plane that rises from zero at one corner; Lobato et al., text before Eq. 25.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of PlaneParams, length B
    """
    height = per_image([one.height for one in params], image)
    angle = per_image([one.angle for one in params], image)
    y, x = pixel_places(image)
    along_y, along_x = torch.sin(angle), torch.cos(angle)
    rows, columns = image.shape[-2] - 1, image.shape[-1] - 1
    rise = y * along_y + x * along_x
    lowest = rows * along_y.clamp_max(0) + columns * along_x.clamp_max(0)
    span = (rows * along_y.abs() + columns * along_x.abs()).clamp_min(1e-12)
    return torch.where(height == 0, image, image + height * _highest(image) * (rise - lowest) / span)


def add_gaussian_background(image: Tensor, params: Sequence[GaussianBackgroundParams]) -> Tensor:
    """Images on a wide Gaussian; Lobato et al., text before Eq. 25.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of GaussianBackgroundParams, length B
    """
    height = per_image([one.height for one in params], image)
    rows, columns = image.shape[-2:]
    y, x = pixel_places(image)
    from_y = y - per_image([one.centre_y for one in params], image) * (rows - 1)
    from_x = x - per_image([one.centre_x for one in params], image) * (columns - 1)
    sigma = per_image([one.sigma for one in params], image) * min(rows, columns)
    bump = torch.exp(-(from_y**2 + from_x**2) / (2 * sigma**2))
    return torch.where(height == 0, image, image + height * _highest(image) * bump)


def add_pedestal(image: Tensor, params: Sequence[PedestalParams]) -> Tensor:
    """Images on a constant: detector offset, or an even support.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of PedestalParams, length B
    """
    height = per_image([one.height for one in params], image)
    return torch.where(height == 0, image, image + height * _highest(image))


def scale_contrast(image: Tensor, params: Sequence[ScalingParams]) -> Tensor:
    r"""Images whose relative contrast lies within limits, and whose maximum is 1 where asked.

    A contrast beyond a limit is brought to it by a constant: added where it is too strong, taken off where it is too weak.
    What would then be negative, far below the mean, becomes zero. A flat image stays as it is.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of ScalingParams, length B

    Notes
    -----
    .. math:: y \leftarrow c y + d, \qquad y \leftarrow y / \max(y)

    with :math:`c = 1` and :math:`d = \operatorname{Std}(y) / r - E(y)`, where :math:`r` is the nearest limit, or what is wanted.

    References
    ----------
    Lobato et al., npj Comput. Mater. 10 (2024) 10, Eq. 25-26, who do not say how c and d are chosen.
    """
    least = per_image([one.least_ratio for one in params], image)
    most = per_image([one.most_ratio for one in params], image)
    spread, mean = torch.std(image, (-2, -1), keepdim=True, correction=0), image.mean((-2, -1), keepdim=True)
    flat = spread <= 1e-6 * mean.abs()
    too_strong = ~flat & (spread > most * mean)
    too_weak = ~flat & ~too_strong & (spread < least * mean)
    goals = [(one.most_ratio, one.least_ratio) if one.wanted_ratio is None else (one.wanted_ratio,) * 2 for one in params]
    highest_goal, lowest_goal = (per_image([goal[end] for goal in goals], image) for end in (0, 1))
    wanted = torch.where(too_strong, highest_goal, lowest_goal).clamp_min(1e-12)
    shifted = image + (spread / wanted - mean)
    result = torch.where(too_strong | too_weak, shifted, image)
    result = torch.where(too_weak, result.clamp_min(0), result)
    on = per_image([one.to_maximum for one in params], image) > 0
    highest = _highest(result)
    return torch.where(on & (highest > 0), result / torch.where(highest > 0, highest, torch.ones_like(highest)), result)


def pixel_places(image: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel, shapes (Y, 1) and (1, X), in the type of the image."""
    y = torch.arange(image.shape[-2], dtype=image.dtype, device=image.device)[:, None]
    x = torch.arange(image.shape[-1], dtype=image.dtype, device=image.device)[None, :]
    return y, x


def diagonal(image: Tensor) -> float:
    """Length of the diagonal in px."""
    return math.hypot(image.shape[-2], image.shape[-1])


def _highest(image: Tensor) -> Tensor:
    return image.amax((-2, -1), keepdim=True)
