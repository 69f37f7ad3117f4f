"""A recipe for counting the atoms of particles of one fcc metal: that for gold, with another element and lattice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.specimens.elements import element_of
from napari_atomseg.specimens.fcc import fcc_lattice_constant
from napari_atomseg.synthesis.recipe import Recipe, read_recipe

GENERAL = "hrtem-particles"
UNSURE = 0.01
"""Lattice constants are drawn from so much below to so much above, as a share: as for gold, and as pixel sizes are known."""


@dataclass(frozen=True, kw_only=True)
class FccMetal:
    """What particles are made of.

    Attributes
    ----------
    element : str
        Symbol or atomic number of the metal.
    lattice_constant : float
        Side of the metal's cubic cell; automatic is the element's own.
    """

    element: str = "Ag"
    lattice_constant: Annotated[float, Quantity(unit="Å", low=3, high=7, decimals=3)] | None = None

    def __post_init__(self) -> None:
        check(self)

    @property
    def symbol(self) -> str:
        """Symbol of the element; AtomsegError if there is none."""
        return element_of(self.element).element

    @property
    def side(self) -> float:
        """Side of the cubic cell, Å; AtomsegError if it has to be given."""
        return fcc_lattice_constant(self.symbol, self.lattice_constant)


def recipe_of_metal(metal: FccMetal) -> Recipe:
    """Recipe for counting the atoms of a metal's columns near [110].

    Parameters
    ----------
    metal : FccMetal

    Raises
    ------
    AtomsegError
        If it is no element, or has no fcc lattice and none is given.
    """
    from ase.data import atomic_numbers

    symbol, side = metal.symbol, metal.side
    own = {
        "number": int(atomic_numbers[symbol]),
        "lattice_constant": {"uniform": [round(side * (1 - UNSURE), 4), round(side * (1 + UNSURE), 4)]},
    }
    recipe = read_recipe(GENERAL)
    return replace(
        recipe,
        name=f"{GENERAL}-{symbol}",
        about=recipe.about.replace("gold particles", f"{symbol} particles (fcc, {side:g} Å)"),
        specimens=tuple({**kind, **own} for kind in recipe.specimens),
    )
