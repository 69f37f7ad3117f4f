"""How many images are drawn from a recipe, and which; light to import, for help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class SynthesisParams:
    """How many images are drawn from a recipe, and which.

    Attributes
    ----------
    number : int
        Number of images.
    seed : int
        Random seed; the same seed gives the same images.
    size : int
        Side of the images, instead of the recipe's.
    """

    number: Annotated[int, Quantity(low=1, high=1e9)] = 1
    seed: Annotated[int, Quantity(low=0, high=2**63 - 1)] = 0
    size: Annotated[int, Quantity(unit="px", low=1, high=1e5)] | None = None

    def __post_init__(self) -> None:
        check(self)
