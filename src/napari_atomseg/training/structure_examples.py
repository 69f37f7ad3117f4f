"""Endless examples for networks that recognise structures in TEM images: normalised images, and class maps.

Example n of a recipe and a seed is always the same, as for :mod:`.examples`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from napari_atomseg.inference.local_normalisation import WIDTH, locally_normalised
from napari_atomseg.synthesis.recipe import Recipe, draw_record
from napari_atomseg.training.examples import Examples
from napari_atomseg.training.microscopes import pictures
from napari_atomseg.training.sheets import Sheet, sheet

SHEETS = 512
"""Specimens that a run learns from; most of the variety is that of microscopes."""
DOUBTED = 0.5
"""Structures where less than this is asked are neither to be found nor to be left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StructureExamples(Examples):
    """A batch to learn from; images have shape (B, F, Y, X), targets (B, K + 1, Y, X) with the background last.

    Attributes
    ----------
    snr : ndarray, shape (B,)
        Of one atom, for an observer who knows the lens: the root of dose times variance of the noiseless image, divided by the
        atoms' density.
    """

    snr: np.ndarray


DENSITY = 0.382
"""Atoms of graphene per square Angstrom."""


def draw_structure_examples(
    recipe: Recipe, seed: int, number: int, batch: int, patch: int, native: float = 0.2
) -> StructureExamples:
    """Batch `number` of an endless stream.

    Parameters
    ----------
    recipe : Recipe
        Of images of a TEM.
    seed, number : int
    batch : int
        Examples.
    patch : int, px
        Side.
    native : float, Angstrom
        Pixel size of the network.
    """
    rng = np.random.default_rng([seed, number, 0x7E3])
    first = (seed * 2**20 + number) * batch
    records = [draw_record(recipe, (first + row) % 2**62, patch) for row in range(batch)]
    # A seed has sheets of its own, so that those of validation are never learnt from.
    sheets = [_moved(sheet(recipe, seed * SHEETS + int(rng.integers(SHEETS)), patch, native), patch, rng) for _ in records]
    images, clean = pictures(torch.stack([one.potential for one in sheets]), records, native, rng)
    doses = np.array([float(record.dose or 0.0) for record in records])
    asked = torch.stack([one.asked for one in sheets])
    hidden = [_hidden(one) for one in sheets]
    return StructureExamples(
        image=locally_normalised(images, WIDTH / native),
        targets=torch.stack([one.targets for one in sheets]),
        asked=asked,
        positions=tuple(one.positions[~away] for one, away in zip(sheets, hidden, strict=True)),
        doubtful=tuple(one.positions[away] for one, away in zip(sheets, hidden, strict=True)),
        snr=np.sqrt(doses * clean[:, 0].var(dim=(1, 2)).numpy() / DENSITY),
    )


def _moved(given: Sheet, side: int, rng: np.random.Generator) -> Sheet:
    shift = (int(rng.integers(side)), int(rng.integers(side)))
    return given.moved(int(rng.integers(4)), bool(rng.integers(2)), shift)


def _hidden(given: Sheet) -> np.ndarray:
    """Which structures lie where nothing is asked, shape (N,)."""
    limit = given.asked.shape[-1] - 1
    y, x = np.clip(np.rint(given.positions), 0, limit).astype(int).T
    return given.asked[0].numpy()[y, x] < DOUBTED
