"""Cases for a judge: what a network offers as columns in synthetic images, what speaks for each, and whether it is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from napari_atomseg.inference.detection.candidate_features import evidence
from napari_atomseg.inference.detection.candidates import NetworkCandidates, find_candidates
from napari_atomseg.inference.normalise import contrast_of, normalised
from napari_atomseg.inference.resample import resample
from napari_atomseg.networks.activate import activate
from napari_atomseg.networks.zoo import Model
from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training.examples import FINENESS, draw_examples
from napari_atomseg.training.textures import draw_texture
from napari_atomseg.training.validation import BORDER, MATCH

SIDES = ((128, 8), (192, 4), (256, 2), (192, 4))
"""Sides of the images, native px, and how many there are in a batch."""
EMPTY = 0.33
"""Share of images of nothing."""
TEXTURES = 0x7E7


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSamples:
    """Candidates of one image.

    Attributes
    ----------
    features : ndarray, float32, shape (N, F)
        See :data:`~napari_atomseg.inference.detection.candidate_features.FEATURES`.
    is_column : ndarray of bool, shape (N,)
    confidence : ndarray, shape (N,)
        What the map alone said.
    missed : int
        Columns without a candidate.
    """

    features: np.ndarray
    is_column: np.ndarray
    confidence: np.ndarray
    missed: int


def draw_samples(recipes: Sequence[Recipe], model: Model, seed: int, number: int) -> Iterator[TrainingSamples]:
    """Candidates of the images of batch `number`, always the same; those that one may see or not are left out.

    The recipes take turns.

    Parameters
    ----------
    recipes : sequence of Recipe
    model : Model
        The network whose map proposes the candidates.
    seed : int
    number : int
        Of the batch; sides of the images change from one to the next, recipes after each round of sides.

    Yields
    ------
    TrainingSamples
        One for an image at most; about a third of the images show nothing.
    """
    side, batch = SIDES[number % len(SIDES)]
    recipe = recipes[number // len(SIDES) % len(recipes)]
    native = model.card.native_sampling
    examples = draw_examples(recipe, seed, number, batch, side, native)
    rng = np.random.default_rng([seed, number, TEXTURES])
    for row in range(batch):
        if rng.uniform() < EMPTY:
            yield from _samples_of(model, _nothing(rng, side, native), np.zeros((0, 2)), np.zeros((0, 2)))
        else:
            yield from _samples_of(model, examples.image[row : row + 1], examples.positions[row], examples.doubtful[row])


def _nothing(rng: np.random.Generator, side: int, native: float) -> Tensor:
    fine = round(side * float(rng.choice(FINENESS)))
    given = torch.from_numpy(draw_texture(rng, (fine, fine), native * side / fine))[None, None]
    image = resample(given, (side, side))
    return normalised(image, *contrast_of(image))


def _samples_of(model: Model, image: Tensor, true: np.ndarray, doubtful: np.ndarray) -> Iterator[TrainingSamples]:
    native = model.card.native_sampling
    with torch.inference_mode():
        answer = model.network(image.to(memory_format=torch.channels_last)).float()[0]
    outputs = model.card.outputs
    maps = dict(zip((output.name for output in outputs), activate(answer, outputs).numpy(), strict=True))
    raw = image[0, 0].numpy()
    found = find_candidates(maps["columns"], raw, model.card.column_width, native)
    if not len(found):
        return
    right = _is_column(found, true, MATCH / native)
    side = np.array(raw.shape) - 1 - BORDER / native

    def inside(places: np.ndarray) -> np.ndarray:
        return np.all((places > BORDER / native) & (places < side), axis=1)

    asked = inside(found.positions)
    if len(doubtful):
        asked &= right | (cKDTree(doubtful).query(found.positions)[0] > MATCH / native)
    yield TrainingSamples(
        features=evidence(found, maps, raw, native)[asked],
        is_column=right[asked],
        confidence=found.confidence[asked],
        missed=_missed(true[inside(true)], found.positions[right], MATCH / native),
    )


def _missed(true: np.ndarray, seen: np.ndarray, limit: float) -> int:
    """Columns without a right candidate."""
    if not len(true) or not len(seen):
        return len(true)
    return int((cKDTree(seen).query(true)[0] >= limit).sum())


def _is_column(found: NetworkCandidates, true: np.ndarray, limit: float) -> np.ndarray:
    """One candidate for each column, (N,): the nearest that the map shows, else the nearest blob."""
    right = np.zeros(len(found), bool)
    if not len(true):
        return right
    distance, column = cKDTree(true).query(found.positions)
    order = np.lexsort((distance, ~found.drawn))
    order = order[distance[order] < limit]
    _, first = np.unique(column[order], return_index=True)
    right[order[first]] = True
    return right
