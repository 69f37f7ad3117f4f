"""What a set of specimens for the pairs of a correction is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity

ANY = "any"
"""Word for a direction that is drawn anew for each specimen."""
SHAPES = ("octahedron", "cuboctahedron", "truncated octahedron", "icosahedron", "decahedron", "wulff", "sphere")


@dataclass(frozen=True, kw_only=True)
class PairSetParams:
    """Which specimens the pairs of a correction show.

    Attributes
    ----------
    alloys : str
        Compositions of face-centred cubic particles, separated by commas, such as Au, Pt0.95Mo0.05.
    shapes : str
        Shapes of the particles, separated by commas, taken in turn.
    smallest, largest : float
        Least and greatest diameter of the particles.
    amorphous : str
        Shares of their atoms that are melted, separated by commas, taken in turn.
    zones : str
        Directions of the beam, separated by blanks and taken in turn: zone axes such as 1,1,0, or any for one at random.
    mistilt : float
        Standard deviation of the mistilt about both axes of the image.
    thinnest : float
        Least thickness of crystals, in parts of the thickness.
    number : int
        Pairs of each composition and of each structure.
    seed : int
        Random seed of the set.
    """

    alloys: str = ""
    shapes: str = "cuboctahedron, truncated octahedron, icosahedron, decahedron, sphere"
    smallest: Annotated[float, Quantity(unit="Å", low=4, high=150, decimals=1)] = 14.0
    largest: Annotated[float, Quantity(unit="Å", low=4, high=150, decimals=1)] = 24.0
    amorphous: str = "0, 0, 0.5"
    zones: str = "1,1,0 0,0,1 any 1,1,1"
    mistilt: Annotated[float, Quantity(unit="mrad", low=0, high=500, decimals=1)] = 20.0
    thinnest: Annotated[float, Quantity(low=0.01, high=1)] = 0.25
    number: Annotated[int, Quantity(low=1, high=1000)] = 6
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        from napari_atomseg.specimens.alloys import parse_composition
        from napari_atomseg.specimens.direction import parse_zone_axis

        check(self)
        for composition in listed(self.alloys):
            parse_composition(composition)
        for shape in listed(self.shapes):
            if shape not in SHAPES:
                raise AtomsegError(f'there is no shape "{shape}"; choose from {", ".join(SHAPES)}')
        for zone in self.zones.split():
            if zone != ANY:
                parse_zone_axis(zone)
        if self.largest < self.smallest:
            raise AtomsegError(f"the largest diameter of {self.largest:g} Å lies below the smallest of {self.smallest:g} Å")
        if not (listed(self.shapes) and self.zones.split() and shares_in(self.amorphous)):
            raise AtomsegError("shapes, zones and amorphous shares need one entry at least")

    @property
    def compositions(self) -> tuple[str, ...]:
        """Compositions one by one."""
        return listed(self.alloys)


def listed(text: str) -> tuple[str, ...]:
    """Entries of a text that are separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def shares_in(text: str) -> tuple[float, ...]:
    """Shares from 0 to 1 of a text, separated by commas.

    Raises
    ------
    AtomsegError
        If it holds something else.
    """
    try:
        shares = tuple(float(part) for part in listed(text))
    except ValueError:
        raise AtomsegError(f'"{text}" is no list of shares; write numbers from 0 to 1, such as 0, 0.5, 1') from None
    if any(not 0 <= share <= 1 for share in shares):
        raise AtomsegError(f'amorphous shares lie between 0 and 1, got "{text}"')
    return shares
