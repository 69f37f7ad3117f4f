"""How a structure lies in the microscope, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity
from napari_atomseg.specimens.direction import parse_zone_axis
from napari_atomseg.specimens.repetition import AUTO, repeat_of
from napari_atomseg.specimens.thermal_motion import thermal_by_element

_Tilt = Annotated[float, Quantity(unit="mrad", low=-3200, high=3200, decimals=1)]


@dataclass(frozen=True, kw_only=True)
class CutParams:
    """How a structure lies in the microscope, and how much of it there is.

    Attributes
    ----------
    zone_axis : str
        Crystal direction [uvw] along the beam, such as 1,1,0; of a particle, direction in its own x, y, z.
    rotation_deg : float
        Rotation in the image plane. It turns +x towards +y.
    tilt_y, tilt_x : float
        Mistilt: rotation about the y and the x axis of the image.
    thickness : float
        Thickness of what is repeated along the beam; sheets across it and particles stay whole.
    repeat : str
        Cells along a, b, c: auto repeats along the periodic axes that no empty slab of 4 Å cuts; none takes the atoms as they
        are; numbers such as 3,3,1 take so many cells, beyond which there is nothing.
    width_y, width_x : float
        Field of view; automatic is 40 Å of what is repeated and the whole of what ends.
    vacancies : float
        Share of the atoms that are removed at random.
    thermal : float
        Root mean square thermal displacement u along one axis; the Debye-Waller factor is B = 8 pi2 u2. Automatic is that of
        the file, or else 0.08 Å.
    thermal_of : str
        Others for single elements, such as Sr 0.07, O 0.09, in Å.
    seed : int
        Random seed of vacancies and of mixed or partly filled sites.
    """

    zone_axis: str = "0,0,1"
    rotation_deg: Annotated[float, Quantity(unit="°", low=-360, high=360, decimals=2)] = 0.0
    tilt_y: _Tilt = 0.0
    tilt_x: _Tilt = 0.0
    thickness: Annotated[float, Quantity(unit="Å", low=0.1, high=10_000, decimals=1)] = 50.0
    repeat: str = AUTO
    width_y: Annotated[float, Quantity(unit="Å", low=1, high=10_000, decimals=1)] | None = None
    width_x: Annotated[float, Quantity(unit="Å", low=1, high=10_000, decimals=1)] | None = None
    vacancies: Fraction = 0.0
    thermal: Annotated[float, Quantity(unit="Å", low=0, high=2, decimals=3)] | None = None
    thermal_of: str = ""
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 0

    def __post_init__(self) -> None:
        check(self)
        parse_zone_axis(self.zone_axis)
        repeat_of(self.repeat)
        thermal_by_element(self.thermal_of)

    @property
    def straight(self) -> bool:
        """Whether the axes of the piece are those of the crystal."""
        return self.rotation_deg == 0 and self.tilt_y == 0 and self.tilt_x == 0


def with_field(params: CutParams, field: tuple[float, float]) -> CutParams:
    """The same piece with another field of view (y, x), Angstrom.

    Parameters
    ----------
    params : CutParams
    field : tuple of float, Angstrom, (y, x)
    """
    return replace(params, width_y=float(field[0]), width_x=float(field[1]))
