"""How displaced scan rows are measured; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class ScanRowsParams:
    """How the displacements of rows are measured from the columns.

    Attributes
    ----------
    window : float
        Standard deviation, in cells, of the surroundings over which sites of one kind may move together without that
        being taken for the scan.
    """

    window: Annotated[float, Quantity(unit="cells", low=1, high=50, decimals=1)] = 2.0

    def __post_init__(self) -> None:
        check(self)
