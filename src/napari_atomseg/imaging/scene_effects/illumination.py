"""Multiplicative lights: uneven illumination and detection, as in the training pipeline of AtomSegNet.

A light multiplies the image by 1 where it is brightest and by a factor that falls exponentially with the distance; its strength
is the share of the image that the light reaches, so that zero strength is the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity
from napari_atomseg.imaging.scene_effects.grey_values import diagonal, pixel_places
from napari_atomseg.optics.aberrations import Angle
from napari_atomseg.optics.batch import per_image

_Side = Annotated[float, Quantity(low=-10, high=10, decimals=3)]
_Range = Annotated[float, Quantity(low=0.01, high=100, decimals=3)]


@dataclass(frozen=True, kw_only=True)
class LineLightParams:
    """Light that falls off from a straight line through the image.

    Attributes
    ----------
    strength : float
        Share of the image that is lit by it, in [0, 1].
    angle : float, rad
        Direction across the line, from +x to +y.
    offset : float
        Distance of the line from the centre of the image, in parts of the diagonal.
    reach : float
        R of exp(-d / R), in parts of the diagonal; 1/4 to 1/2 in AtomSegNet.
    reverse : bool
        Dark at the line and bright far from it.
    """

    strength: Fraction = 0.0
    angle: Angle = 0.0
    offset: _Side = 0.0
    reach: _Range = 0.5
    reverse: bool = False

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class PointLightParams:
    """Light that falls off from a point.

    Attributes
    ----------
    strength : float
        Share of the image that is lit by it, in [0, 1].
    centre_y : float
        Place in y in parts of the height.
    centre_x : float
        Place in x in parts of the width.
    reach : float
        R of exp(-d / R), in parts of the diagonal; 1/4 to 1/2 in AtomSegNet.
    reverse : bool
        Dark at the point and bright far from it.
    """

    strength: Fraction = 0.0
    centre_y: _Side = 0.5
    centre_x: _Side = 0.5
    reach: _Range = 0.5
    reverse: bool = False

    def __post_init__(self) -> None:
        check(self)


def light_from_line(image: Tensor, params: Sequence[LineLightParams]) -> Tensor:
    r"""Images (B, 1, Y, X) lit from a line.

    .. math:: y \leftarrow y\,\big(1 - s + s\, e^{-d / R}\big)

    where d is the distance from the line; a reversed light has :math:`1 - e^{-d/R}`.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of LineLightParams, length B
    """
    y, x = pixel_places(image)
    angle = per_image([one.angle for one in params], image)
    centre_y, centre_x = (image.shape[-2] - 1) / 2, (image.shape[-1] - 1) / 2
    across = (y - centre_y) * torch.sin(angle) + (x - centre_x) * torch.cos(angle)
    distance = (across - per_image([one.offset for one in params], image) * diagonal(image)).abs()
    return _lit(image, distance, params)


def light_from_point(image: Tensor, params: Sequence[PointLightParams]) -> Tensor:
    """Images (B, 1, Y, X) lit from a point; the equation is that of :func:`light_from_line`.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
    params : sequence of PointLightParams, length B
    """
    y, x = pixel_places(image)
    from_y = y - per_image([one.centre_y for one in params], image) * (image.shape[-2] - 1)
    from_x = x - per_image([one.centre_x for one in params], image) * (image.shape[-1] - 1)
    return _lit(image, torch.hypot(from_y, from_x), params)


def _lit(image: Tensor, distance: Tensor, params: Sequence[LineLightParams] | Sequence[PointLightParams]) -> Tensor:
    strength = per_image([one.strength for one in params], image)
    light = torch.exp(-distance / (per_image([one.reach for one in params], image) * diagonal(image)))
    light = torch.where(per_image([one.reverse for one in params], image) > 0, 1 - light, light)
    return torch.where(strength == 0, image, image * (1 - strength + strength * light))
