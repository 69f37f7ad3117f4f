"""Reset noise: the reference voltage to which the rows of a sensor are reset differs from row to row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import Intensity
from napari_atomseg.optics.batch import per_image


@dataclass(frozen=True, kw_only=True)
class RowResetParams:
    """Reset noise of one sample, Eq. 36.

    Attributes
    ----------
    sigma : float
        Standard deviation sigma of the rows, in units of the image intensity.
    """

    sigma: Intensity = 0.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.sigma > 0)
def row_reset(image: Tensor, params: Sequence[RowResetParams], seeds: Sequence[int]) -> Tensor:
    r"""The image plus one normal number for every row.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
    params : sequence of RowResetParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32

    Notes
    -----
    .. math:: x \leftarrow x + N(0, \sigma)

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 36, doi:10.1038/s41524-023-01188-0.
    """
    rows = seeded.normal((1, image.shape[-2], 1), seeds, image.device)
    return image + rows * per_image([one.sigma for one in params], image)
