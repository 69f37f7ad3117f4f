"""Batches without end, drawn ahead by worker processes while the network learns."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training.examples import Examples, draw_examples
from napari_atomseg.training.params import TrainParams

FARTHEST = 10**9
AHEAD = 4
"""Batches that each worker keeps ready."""


@dataclass(frozen=True)
class Batches(Dataset[Examples]):
    """Batch n of a run, for any n."""

    recipe: Recipe
    params: TrainParams

    def __getitem__(self, number: int) -> Examples:
        given = self.params
        return draw_examples(self.recipe, given.seed, number, given.batch, given.patch, given.native_sampling)


def stream(recipe: Recipe, params: TrainParams, start: int, workers: int) -> Generator[Examples, None, None]:
    """The batches of a run from number `start` on.

    Parameters
    ----------
    workers : int
        Processes that draw; 0 draws between the updates.
    """
    batches = Batches(recipe, params)
    if workers == 0:
        yield from (batches[number] for number in count(start))
        return
    yield from DataLoader(
        batches,
        sampler=range(start, FARTHEST),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        prefetch_factor=AHEAD,
        multiprocessing_context="spawn",
        worker_init_fn=_alone,
    )


def _as_it_is(given: Any) -> Any:
    return given


def _alone(worker: int) -> None:
    """One thread for each worker: they share the cores with the training."""
    torch.set_num_threads(1)
