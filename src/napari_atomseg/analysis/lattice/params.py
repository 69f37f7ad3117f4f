"""How a lattice is estimated; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity


@dataclass(frozen=True, kw_only=True)
class LatticeParams:
    """How the lattice is estimated.

    Attributes
    ----------
    tolerance : float or None
        Largest distance of a column from its site, in units of the shortest distance between sites. By default 3.5 times
        the scatter.
    window : float
        Standard deviation, in cells, of the surroundings that tell how the lattice bends.
    occupancy : float
        Share of cells in which a site must be occupied to belong to the motif.
    by_intensity : bool
        Take columns of clearly different intensity for different sites, so that the cell may be a multiple of the
        smallest one that the positions allow.
    """

    tolerance: Fraction | None = None
    window: Annotated[float, Quantity(unit="cells", low=1, high=50, decimals=1)] = 3.0
    occupancy: Fraction = 0.3
    by_intensity: bool = True

    def __post_init__(self) -> None:
        check(self)
