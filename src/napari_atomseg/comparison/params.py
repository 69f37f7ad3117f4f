"""What may be adjusted before two images are compared; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class CompareParams:
    """What may be adjusted before two images are subtracted.

    Attributes
    ----------
    rotation : bool
        Fit a small rotation of the simulated image.
    scale : bool
        Fit a small change of its magnification.
    largest_rotation_deg : float
        Largest rotation to either side.
    largest_scale : float
        Largest difference of the magnification from 1.
    intensities : str
        Intensities are compared after gain and offset are fitted (linear), or as fractions of the beam (absolute).
    """

    rotation: bool = True
    scale: bool = True
    largest_rotation_deg: Annotated[float, Quantity(unit="°", low=0, high=20, decimals=1)] = 5.0
    largest_scale: Annotated[float, Quantity(low=0, high=0.2, decimals=3)] = 0.05
    intensities: Literal["linear", "absolute"] = "linear"

    def __post_init__(self) -> None:
        check(self)
