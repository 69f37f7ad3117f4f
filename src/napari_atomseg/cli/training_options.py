"""What a network is trained on, and its shape, as groups of options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, kw_only=True)
class SubjectChoice:
    """What the images show, as typed: a recipe, a crystal or a metal; a group of options.

    Raises
    ------
    typer.BadParameter
        If it is none or several of them, or a zone axis is given without a crystal.
    """

    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="A preset (`synthesise list` names them) or a YAML file.")
    ] = None
    crystal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Structure file that most images show, in place of a recipe.")
    ] = None
    zone_axis: Annotated[
        str | None, typer.Option(metavar="u,v,w", help="Crystal direction along the beam.", show_default="0,0,1")
    ] = None
    zone: Annotated[str | None, typer.Option(metavar="u,v,w", help="Crystal direction along the beam.", hidden=True)] = None
    metal: Annotated[
        str | None, typer.Option(metavar="ELEMENT", help="Metal of fcc particles whose atoms are counted, in place of a recipe.")
    ] = None

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.recipe, self.crystal, self.metal)) != 1:
            raise typer.BadParameter(
                "give a recipe, or a crystal with --crystal, or a metal with --metal, and only one of them", param_hint="RECIPE"
            )
        if (self.zone_axis or self.zone) is not None and self.crystal is None:
            raise typer.BadParameter("a recipe has its own zone axes; it belongs to --crystal", param_hint="--zone-axis")

    @property
    def path(self) -> Path:
        """Its name, as what is worked on."""
        return Path(str(self.recipe or self.crystal or self.metal))

    @property
    def along(self) -> str:
        """Crystal direction along the beam in words; the option may have been called by either name."""
        return self.zone_axis or self.zone or "0,0,1"

    @property
    def words(self) -> list[str]:
        """What to type for it, but for a metal, which has more options of its own."""
        recipe = [self.recipe] if self.recipe is not None else []
        return recipe + (["--crystal", str(self.crystal), "--zone-axis", self.along] if self.crystal is not None else [])


@dataclass(frozen=True, kw_only=True)
class ShapeChoice:
    """Architecture and shape of the network as typed, the recipe's where nothing was; a group of options."""

    architecture: Annotated[
        str | None, typer.Option(metavar="NAME", help="Kind of the network, such as unet or cgrdn; the recipe's if left out.")
    ] = None
    channels: Annotated[int | None, typer.Option(metavar="N", help="Channels of the network's first level.")] = None
    width: Annotated[int | None, typer.Option(metavar="N", help="Channels of the network's first level.", hidden=True)] = None
    depth: Annotated[int | None, typer.Option(metavar="N", help="Levels of the network.")] = None
    row_context: Annotated[int | None, typer.Option(metavar="PX", help="Reach along scan rows; 0 for none.")] = None
    refinements: Annotated[
        int | None, typer.Option(metavar="N", help="Blocks in which rows are compared and put back; 0 for none.")
    ] = None
    stem: Annotated[
        int | None, typer.Option(metavar="1|2", help="Pixels along each axis that are packed into channels first; 1 for none.")
    ] = None
    groups: Annotated[int | None, typer.Option(metavar="N", help="Groups of blocks of a cgrdn.")] = None
    blocks: Annotated[int | None, typer.Option(metavar="N", help="Dense blocks of each group of a cgrdn.")] = None
    layers: Annotated[int | None, typer.Option(metavar="N", help="Convolutions of each dense block of a cgrdn.")] = None
    growth: Annotated[int | None, typer.Option(metavar="N", help="Channels that each of these adds.")] = None

    @property
    def fields(self) -> dict[str, int]:
        """Fields of the network's parameters that were typed; its width may have been called by either name."""
        typed = {
            "width": self.channels or self.width,
            "depth": self.depth,
            "row_context": self.row_context,
            "refinements": self.refinements,
            "stem": self.stem,
            "groups": self.groups,
            "blocks": self.blocks,
            "layers": self.layers,
            "growth": self.growth,
        }
        return {name: value for name, value in typed.items() if value is not None}
