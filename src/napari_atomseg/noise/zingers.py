"""White spots from X-rays, cosmic rays and radioactive glass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import Intensity, Points, Steps
from napari_atomseg.noise.scattered_pixels import scattered_pixels
from napari_atomseg.optics.batch import per_image


@dataclass(frozen=True, kw_only=True)
class ZingersParams:
    """Zingers of one sample, Eq. 38 and 53.

    Attributes
    ----------
    points : int
        Number of zingers.
    steps : int
        Steps of the random walk that makes a cluster of each; 0 for single pixels.
    factor : float
        Sensitivity S_Zinger in them.
    burst : float
        Intensity added in them. Ours: Eq. 38 and 53 only multiply, which leaves a zinger on vacuum black.
    """

    points: Points = 0
    steps: Steps = 0
    factor: Annotated[float, Quantity(low=1, high=1e6)] = 5.0
    burst: Intensity = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.points > 0 and (params.factor > 1 or params.burst > 0))
def zingers(image: Tensor, params: Sequence[ZingersParams], seeds: Sequence[int]) -> Tensor:
    r"""The image with scattered bright spots.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of ZingersParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    Notes
    -----
    .. math:: x \leftarrow x\, S_\mathrm{Zinger}

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 38 (TEM) and 53 (STEM),
    doi:10.1038/s41524-023-01188-0.
    """
    height, width = image.shape[-2:]
    # A stream of seeds apart from that of black pixels, or equal seeds would put both on the same places.
    hit = scattered_pixels(
        (height, width), [one.points for one in params], [one.steps for one in params], [~seed for seed in seeds], image.device
    )
    bright = image * per_image([one.factor for one in params], image) + per_image([one.burst for one in params], image)
    return torch.where(hit, bright, image)
