"""Parameters of the specimens that are made here from several parts; the others have theirs beside their function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity
from napari_atomseg.specimens.zone_axis import STEEPEST, THICKEST

_Angle = Annotated[float, Quantity(unit="rad", low=-7, high=7, decimals=4)]
_Distance = Annotated[float, Quantity(unit="Å", low=0.1, high=1000)]
_Length = Annotated[float, Quantity(unit="Å", low=0.5, high=1000)]
_Element = Annotated[int, Quantity(low=1, high=103)]


@dataclass(frozen=True, kw_only=True)
class CrystalParams:
    """A crystal along a zone axis, with missing columns, a thickness that changes, a free edge, and columns off their sites.

    Attributes
    ----------
    thickness : float
        Along the beam.
    turn : float
        In-plane rotation.
    mistilt : float
        Angle between the columns and the beam.
    mistilt_angle : float
        In which direction the columns lean.
    vacancies : float
        Share of columns that are missing.
    wedge : float
        Share of the thickness lost across the field.
    wedge_angle : float
        Direction of the wedge.
    edge : float, optional
        Place of a straight edge beyond which nothing is, in units of the field.
    edge_angle : float
        Direction of the edge.
    displacement : float
        Standard deviation of columns from their sites.
    scale : float
        Lengths in the plane, 1 as in the literature.
    """

    thickness: Annotated[float, Quantity(unit="Å", low=0.01, high=THICKEST)] = 50.0
    turn: _Angle = 0.0
    mistilt: Annotated[float, Quantity(unit="rad", low=-STEEPEST, high=STEEPEST, decimals=4)] = 0.0
    mistilt_angle: _Angle = 0.0
    vacancies: Fraction = 0.0
    wedge: Fraction = 0.0
    wedge_angle: _Angle = 0.0
    edge: Annotated[float, Quantity(low=-10, high=10)] | None = None
    edge_angle: _Angle = 0.0
    displacement: Annotated[float, Quantity(unit="Å", low=0, high=10)] = 0.0
    scale: Annotated[float, Quantity(low=0.1, high=10)] = 1.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class RandomCrystalFieldParams(CrystalParams):
    """A crystal that never was, along a zone axis.

    Attributes
    ----------
    space_group : int
        International number.
    species : int
        Kinds of atoms.
    shortest : float
        Shortest edge of the cell.
    longest : float
        Longest edge of the cell.
    least_distance : float
        Between atoms.
    least_projected : float
        Between different columns.
    lightest : int
        Lowest atomic number.
    heaviest : int
        Highest atomic number.
    """

    space_group: Annotated[int, Quantity(low=1, high=230)]
    species: Annotated[int, Quantity(low=1, high=16)] = 3
    shortest: _Length = 3.1
    longest: _Length = 12.0
    least_distance: _Distance = 1.6
    least_projected: Annotated[float, Quantity(unit="Å", low=0, high=1000)] = 0.0
    lightest: _Element = 6
    heaviest: _Element = 92


@dataclass(frozen=True, kw_only=True)
class PointsParams:
    """Single atoms or columns at random places.

    Attributes
    ----------
    least_distance : float
        Between points.
    share : float
        Of the places that are taken.
    lightest : int
        Lowest atomic number.
    heaviest : int
        Highest atomic number.
    """

    least_distance: _Distance
    share: Fraction = 1.0
    lightest: _Element = 20
    heaviest: _Element = 80

    def __post_init__(self) -> None:
        check(self)
