"""Pixels that respond too little: dead spots of a camera, dropouts of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import Points, Steps
from napari_atomseg.noise.scattered_pixels import scattered_pixels
from napari_atomseg.optics.batch import per_image


@dataclass(frozen=True, kw_only=True)
class BlackPixelsParams:
    """Black pixels of one sample, Eq. 37 and 52.

    Attributes
    ----------
    points : int
        Number of black points.
    steps : int
        Steps of the random walk that makes a cluster of each point; 0 for single pixels.
    response : float
        Sensitivity S_Black that is left in them; 1 is a healthy pixel.
    """

    points: Points = 0
    steps: Steps = 0
    response: Fraction = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.points > 0 and params.response < 1)
def black_pixels(image: Tensor, params: Sequence[BlackPixelsParams], seeds: Sequence[int]) -> Tensor:
    r"""The image times a sensitivity that is low in scattered points.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of BlackPixelsParams, length B
    seeds : sequence of int, length B
        The same seed gives the same places, as they are in all frames of one camera.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    Notes
    -----
    .. math:: x \leftarrow x\, S_\mathrm{Black}

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 37 (TEM) and 52 (STEM; not for SEM),
    doi:10.1038/s41524-023-01188-0.
    """
    height, width = image.shape[-2:]
    black = scattered_pixels((height, width), [one.points for one in params], [one.steps for one in params], seeds, image.device)
    return torch.where(black, image * per_image([one.response for one in params], image), image)
