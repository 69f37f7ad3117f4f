import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check, fields_of, from_dict, to_dict
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A probe.

    Attributes
    ----------
    angle : float
        Semi-angle,
        over two lines.
    shape : str
        Round or square.
    tilt : float or None
        Empty: none.
    on : bool
        Whether it is on.
    """

    angle: Annotated[float, Quantity(unit="mrad", low=0, high=200)] = 25.0
    shape: Literal["round", "square"] = "round"
    tilt: Annotated[float, Quantity(low=-1, high=1)] | None = None
    on: bool = True

    def __post_init__(self):
        check(self)


def test_a_field_is_described_once():
    angle, shape, tilt, on = fields_of(Probe)
    assert (angle.name, angle.kind, angle.quantity.unit, angle.default) == ("angle", float, "mrad", 25.0)
    assert angle.help == "Semi-angle, over two lines."
    assert shape.choices == ("round", "square")
    assert (tilt.optional, tilt.kind, tilt.quantity.low) == (True, float, -1)
    assert on.kind is bool


def test_errors_name_field_limits_unit_and_value():
    with pytest.raises(AtomsegError, match=r"Probe\.angle must lie in \[0, 200\] mrad, got 2000 mrad"):
        Probe(angle=2000)


@pytest.mark.parametrize(
    "values",
    [{"angle": "5"}, {"angle": True}, {"angle": math.nan}, {"angle": None}, {"shape": "oval"}, {"tilt": 2}, {"on": "yes"}],
)
def test_illegal_values_are_refused(values):
    with pytest.raises(AtomsegError, match="Probe"):
        Probe(**values)


def test_dictionaries_go_both_ways():
    probe = Probe(angle=3.0, tilt=0.5)
    assert from_dict(Probe, to_dict(probe)) == probe
    assert dataclasses.replace(probe, tilt=None).tilt is None
    with pytest.raises(AtomsegError, match="has no parameter colour"):
        from_dict(Probe, {"colour": 1})


def test_help_is_inherited_and_can_be_said_anew():
    @dataclass(frozen=True, kw_only=True)
    class Base:
        """Parent.

        Attributes
        ----------
        a : float
            From the parent.
        b : float
            To be replaced.
        """

        a: float = 0.0
        b: float = 0.0

    @dataclass(frozen=True, kw_only=True)
    class Child(Base):
        """Child.

        Attributes
        ----------
        b : float
            From the child.
        """

        c: float = 0.0

    assert [field.help for field in fields_of(Child)][:2] == ["From the parent.", "From the child."]
