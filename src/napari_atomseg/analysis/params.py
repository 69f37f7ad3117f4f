"""How displaced scan rows, lattices and local structures are measured; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_atomseg.core.errors import AtomsegError
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


@dataclass(frozen=True, kw_only=True)
class MeasureParams:
    """How lattices are measured.

    Attributes
    ----------
    sublattice : int
        Sublattice that vectors, strain and cells are measured on and polarisation is measured against; 0 is the brightest.
    window : float
        Radius of the surroundings from which the strain at a column is fitted, in units of the root of the cell's area.
    structure : str
        File of the structure that is the reference of strain, instead of the mean lattice of each grain; needs a zone axis.
        Of several phases, files with ; between.
    zone_axis : str
        Direction of that structure along the beam, such as 1,1,0; of several structures one for each, with ; between.
    """

    sublattice: Annotated[int, Quantity(low=0, high=50)] = 0
    window: Annotated[float, Quantity(unit="cells", low=1, high=20, decimals=1)] = 2.5
    structure: str = ""
    zone_axis: str = ""

    def __post_init__(self) -> None:
        check(self)
        if bool(self.structure) != bool(self.zone_axis):
            raise AtomsegError("a structure and its zone axis belong together: give both, or neither")
        files, axes = several(self.structure), several(self.zone_axis)
        if len(files) != len(axes):
            raise AtomsegError(f"there are {len(files)} structures and {len(axes)} zone axes: give one for each, with ; between")


def several(text: str) -> list[str]:
    """Parts of a text with semicolons between.

    Parameters
    ----------
    text : str
    """
    return [part.strip() for part in text.split(";") if part.strip()]
