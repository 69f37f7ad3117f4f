"""What a recipe teaches: which maps, from which examples, judged by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, Output, structure_outputs
from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training.examples import Examples, draw_examples
from napari_atomseg.training.structure_examples import draw_structure_examples
from napari_atomseg.training.structure_validation import validate_structures
from napari_atomseg.training.validation import validate

SEED = 2**30
"""Of the validation scenes; runs have smaller ones."""
BATCHES, BATCH = 6, 8


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What networks learn from a recipe.

    Attributes
    ----------
    task : str
        As a card names it.
    outputs : tuple of Output
    draw : callable
        Of recipe, seed, number, batch, patch and native sampling: a batch of examples.
    validate : callable
        Of network, examples, native sampling and device: numbers by name.
    """

    task: str
    outputs: tuple[Output, ...]
    draw: Callable[[Recipe, int, int, int, int, float], Examples]
    validate: Callable[[nn.Module, Sequence[Any], float, str], dict[str, float]]


def lesson_of(recipe: Recipe) -> Lesson:
    """Columns of STEM images; structures of TEM images, as many classes as the recipe has."""
    if "lens" in recipe.imaging:
        outputs = structure_outputs(recipe.classes)
        return Lesson(task="structures", outputs=outputs, draw=draw_structure_examples, validate=validate_structures)
    return Lesson(task="columns", outputs=COLUMN_OUTPUTS, draw=draw_examples, validate=validate)


def scenes(recipe: Recipe, patch: int, native: float) -> Iterator[Examples]:
    """The validation scenes of a recipe, drawn batch by batch as they are asked for."""
    draw = lesson_of(recipe).draw
    return (draw(recipe, SEED, number, BATCH, patch, native) for number in range(BATCHES))
