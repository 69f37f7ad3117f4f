"""How columns are found without a network; light to import, for forms and help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Pixels, Quantity


@dataclass(frozen=True, kw_only=True)
class ClassicalParams:
    """How columns are found without a network.

    Attributes
    ----------
    polarity : str
        Columns bright on dark (dark-field), dark on bright (ABF, some HRTEM), or decided from the image.
    column_sigma : float or None
        Width (standard deviation) of a column; empty: measured from the image's autocorrelation.
    contrast : float
        Smallest height relative to the bright columns nearby. Lower finds fainter columns, and more clutter.
    false_share : float
        Largest share of noise among the columns found that is tolerated.
    smallest_area : float
        Columns with fewer pixels above half of their height are dropped; 0 keeps all.
    border : float
        Columns nearer than this to the border are flagged as `border`; empty: two column widths.
    """

    polarity: Literal["auto", "bright", "dark"] = "auto"
    column_sigma: Annotated[float, Quantity(unit="px", low=0.7, high=500, decimals=2)] | None = None
    contrast: Fraction = 0.5
    false_share: Annotated[float, Quantity(low=1e-6, high=0.5, decimals=3)] = 0.05
    smallest_area: Annotated[float, Quantity(unit="px²", low=0, high=1e6, decimals=0)] = 3.0
    border: Pixels | None = None

    def __post_init__(self) -> None:
        check(self)
