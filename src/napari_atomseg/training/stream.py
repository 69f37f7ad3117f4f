"""Batches without end, drawn ahead while the network learns."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training.drawing import drawn
from napari_atomseg.training.examples import Examples
from napari_atomseg.training.lessons import lesson_of
from napari_atomseg.training.params import TrainParams


@dataclass(frozen=True)
class Batches:
    """Batch n of a run, for any n."""

    recipe: Recipe
    params: TrainParams

    def __call__(self, number: int) -> Examples:
        given = self.params
        draw = lesson_of(self.recipe, given.task).draw
        return draw(self.recipe, given.seed, number, given.batch, given.patch, given.native_sampling)


def stream(recipe: Recipe, params: TrainParams, start: int, workers: int) -> Generator[Examples, None, None]:
    """The batches of a run from number `start` on; with `workers` processes that draw, or 0 to draw between the updates.

    Parameters
    ----------
    recipe : Recipe
    params : TrainParams
    start : int
        Number of the first batch.
    workers : int
        Processes.
    """
    return drawn(Batches(recipe, params), start, workers)
