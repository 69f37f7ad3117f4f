"""Options that commands share are typed one by one and handed over together."""

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer

from napari_atomseg.cli.option_groups import spread_groups
from napari_atomseg.cli.options import ImageChoice, PartChoice
from napari_atomseg.cli.tables import TableChoice


@dataclass(frozen=True)
class Lamp:
    """A group of options, and a field that none sets."""

    brightness: Annotated[int, typer.Option(help="Percent.")] = 50
    colour: Annotated[str, typer.Option(help="Name.")] = "white"
    switched: int = 0


def lit(name: str, *, lamp: Lamp, force: bool = False) -> None:
    """A command with a group between options of its own."""
    seen.append((name, lamp, force))


seen = []


def test_the_options_of_a_group_stand_in_its_place():
    command = spread_groups(lit)
    assert list(inspect.signature(command).parameters) == ["name", "brightness", "colour", "force"]
    assert inspect.signature(command).parameters["brightness"].default == 50
    assert command.__doc__ == lit.__doc__


def test_what_was_typed_is_handed_over_as_one_object():
    seen.clear()
    spread_groups(lit)(name="desk", brightness=10, colour="red", force=True)
    assert seen == [("desk", Lamp(brightness=10, colour="red"), True)]


@pytest.mark.parametrize(
    ("group", "typed", "option"),
    [
        (ImageChoice, {"pixel_size": "-1A"}, "--pixel-size"),
        (PartChoice, {"frame": "last"}, "--frame"),
        (PartChoice, {"region": "1,2,3"}, "--region"),
        (TableChoice, {"unit": "furlong"}, "--unit"),
        (TableChoice, {"first_index": 2}, "--first-index"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(group, typed, option):
    with pytest.raises(typer.BadParameter) as seen:
        group(**typed)
    assert seen.value.param_hint == option
