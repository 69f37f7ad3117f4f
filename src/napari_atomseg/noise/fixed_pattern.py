"""Pixels of unequal gain: what flat-field correction leaves of the pattern of scintillator, fibres and sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.optics.batch import per_image


@dataclass(frozen=True, kw_only=True)
class FixedPatternParams:
    """Fixed pattern of one sample, Eq. 31.

    Attributes
    ----------
    sigma : float
        Relative standard deviation sigma_fpn of the gain from pixel to pixel.
    """

    sigma: Annotated[float, Quantity(low=0, high=10, decimals=4)] = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.sigma > 0)
def fixed_pattern(image: Tensor, params: Sequence[FixedPatternParams], seeds: Sequence[int]) -> Tensor:
    r"""The image times one plus a normal number per pixel.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of FixedPatternParams, length B
    seeds : sequence of int, length B
        The same seed is the same camera.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    Notes
    -----
    .. math:: x \leftarrow x + x\, N(0, \sigma_\mathrm{fpn})

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 31, doi:10.1038/s41524-023-01188-0.
    """
    gain = seeded.normal(image.shape[1:], seeds, image.device).mul_(per_image([one.sigma for one in params], image))
    return gain.add_(1).mul_(image)
