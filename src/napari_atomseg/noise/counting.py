"""The statistics of single electrons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom
from napari_atomseg.noise import seeded
from napari_atomseg.noise.batch import only_where
from napari_atomseg.noise.quantities import DoseScale
from napari_atomseg.optics.batch import per_image

ELEMENTARY_CHARGE = 1.602176634e-19
"""C."""


def electrons_per_pixel(dose: float, pixel_size: Angstrom) -> float:
    """Electrons that the beam puts into one square pixel; `dose` in e/A2.

    Parameters
    ----------
    dose : float, e/A2
        Of the incident beam.
    pixel_size : float, Angstrom
    """
    return dose * pixel_size**2


def electrons_in_dwell(dwell_time: float, current: float) -> float:
    """Electrons that a probe brings to one position, n = t I / e.

    Parameters
    ----------
    dwell_time : float, µs
    current : float, pA
        Of the probe.
    """
    return dwell_time * 1e-6 * current * 1e-12 / ELEMENTARY_CHARGE


@dataclass(frozen=True, kw_only=True)
class CountingParams:
    """Shot noise of one sample.

    Attributes
    ----------
    dose_scale : float, e, or None
        Dose scale factor alpha of Eq. 30, electrons per unit of image intensity; nothing is counted without one.
    """

    dose_scale: DoseScale | None = 1.0

    def __post_init__(self) -> None:
        check(self)


@only_where(lambda params: params.dose_scale is not None)
def counting(image: Tensor, params: Sequence[CountingParams], seeds: Sequence[int]) -> Tensor:
    r"""Counted electrons in the image's own units: variance is mean / alpha.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X), float32
        Expected intensity; values below zero count as zero.
    params : sequence of CountingParams, length B
    seeds : sequence of int, length B

    Returns
    -------
    Tensor, shape (B, 1, Y, X), float32
        Multiples of 1 / alpha.

    Notes
    -----
    .. math:: x \leftarrow P(\alpha x) / \alpha

    References
    ----------
    Lobato, Friedrich, Van Aert, npj Comput. Mater. 10, 10 (2024), Eq. 30, doi:10.1038/s41524-023-01188-0.
    """
    scale = per_image([one.dose_scale or 1.0 for one in params], image)
    return seeded.poisson(image * scale, seeds) / scale
