"""Random solids in numbers: what they are made of, how they lie, how they are cut and damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Quantity

_Radians = Annotated[float, Quantity(unit="rad", low=-7, high=7, decimals=4)]
_Part = Annotated[float, Quantity(low=0, high=1, decimals=3)]
_SpaceGroup = Annotated[int, Quantity(low=1, high=230)]
_Species = Annotated[int, Quantity(low=1, high=16)]
_Distance = Annotated[float, Quantity(unit="Å", low=0.1, high=1000)]
_Density = Annotated[float, Quantity(unit="g/cm3", low=0.01, high=30)]
_Slope = Annotated[float, Quantity(unit="rad", low=0, high=1.5, decimals=3)]
_Corners = Annotated[int, Quantity(low=3, high=50)]
_Wedge = Literal["none", "top", "bottom", "both"]
_Defect = Literal["none", "moved", "removed"]


@dataclass(frozen=True, kw_only=True)
class SlabParams:
    """A random crystal or glass between two surfaces.

    Attributes
    ----------
    body : crystal or glass
        What it is made of.
    space_group : int
        International number, if a crystal.
    species : int
        Kinds of atoms, if a crystal.
    heaviest : int
        Highest atomic number, from 1.
    longest : float
        Longest edge of the cell; the shortest is 3.1 Angstrom.
    least_distance : float
        Between atoms of a crystal; less where it lets no cell be filled.
    glass_distance : float
        Between atoms of a glass.
    density : float, g/cm3
        Of a glass.
    zone_axis : bool
        Whether the beam runs near a main zone axis, else anywhere.
    mistilt : float, rad
        From the zone axis.
    mistilt_angle : float, rad
        Direction of the mistilt, from x towards y.
    turn : float, rad
        In-plane rotation, from x towards y.
    thickness : float
        Along the beam.
    wedge : none, top, bottom or both
        Surfaces that are cut askew.
    wedge_slope : float, rad
        Angle of a cut with the surface.
    wedge_angle : float, rad
        Direction in which it gets thinner, from x towards y.
    defect : none, moved or removed
        What happened to the atoms at random; moved ones are off by a normal number as wide as the atom's radius.
    defects : float
        Share of such atoms.
    """

    body: Literal["crystal", "glass"] = "crystal"
    space_group: _SpaceGroup = 225
    species: _Species = 1
    heaviest: Annotated[int, Quantity(low=1, high=103)] = 103
    longest: Angstrom = 12.0
    least_distance: _Distance = 1.6
    glass_distance: _Distance = 1.6
    density: _Density = 2.5
    zone_axis: bool = True
    mistilt: _Radians = 0.0
    mistilt_angle: _Radians = 0.0
    turn: _Radians = 0.0
    thickness: Angstrom = 50.0
    wedge: _Wedge = "none"
    wedge_slope: _Slope = 0.3
    wedge_angle: _Radians = 0.0
    defect: _Defect = "none"
    defects: _Part = 0.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class SolidParams(SlabParams):
    """A slab that may be cut into a shape, and what it lies on: another slab, made in the same way.

    Attributes
    ----------
    shape : none, rod, polyhedron or half_space
        Body with which the solid is cut.
    radius : float
        Of rod and polyhedron, in parts of the longest side of the field.
    rod_corners : int
        Of the rod's cross-section.
    corners : int
        Of the polyhedron, four at least.
    keep : bool
        Whether what lies inside stays, else what lies outside.
    support : none, crystal or glass
        What it lies on.
    support_space_group : int
        As of the solid, like all that follows.
    support_species : int
        Kinds of atoms.
    support_least_distance : float
        Between atoms of a crystal.
    support_glass_distance : float
        Between atoms of a glass.
    support_density : float, g/cm3
        Of a glass.
    support_zone_axis : bool
        Whether the beam runs near a main zone axis.
    support_mistilt : float, rad
        From the zone axis.
    support_mistilt_angle : float, rad
        Direction of the mistilt.
    support_turn : float, rad
        In-plane rotation.
    support_thickness : float
        Along the beam.
    support_wedge : none, top, bottom or both
        Surfaces that are cut askew.
    support_wedge_slope : float, rad
        Angle of a cut with the surface.
    support_wedge_angle : float, rad
        Direction in which it gets thinner.
    support_defect : none, moved or removed
        What happened to the atoms at random.
    support_defects : float
        Share of such atoms.
    """

    shape: Literal["none", "rod", "polyhedron", "half_space"] = "none"
    radius: Annotated[float, Quantity(low=1e-4, high=1, decimals=3)] = 0.25
    rod_corners: _Corners = 6
    corners: _Corners = 6
    keep: bool = True
    support: Literal["none", "crystal", "glass"] = "none"
    support_space_group: _SpaceGroup = 225
    support_species: _Species = 1
    support_least_distance: _Distance = 1.6
    support_glass_distance: _Distance = 1.6
    support_density: _Density = 2.5
    support_zone_axis: bool = True
    support_mistilt: _Radians = 0.0
    support_mistilt_angle: _Radians = 0.0
    support_turn: _Radians = 0.0
    support_thickness: Angstrom = 50.0
    support_wedge: _Wedge = "none"
    support_wedge_slope: _Slope = 0.3
    support_wedge_angle: _Radians = 0.0
    support_defect: _Defect = "none"
    support_defects: _Part = 0.0
