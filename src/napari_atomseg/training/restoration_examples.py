"""Endless examples for networks that restore: recorded images, and the same without noise and distortions.

Example n of a recipe and a seed is always the same, as for :mod:`.examples`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.inference.whole_normalisation import cut_off, mean_and_deviation
from napari_atomseg.synthesis.recipe import Recipe, draw_record
from napari_atomseg.synthesis.render import render
from napari_atomseg.training.examples import Examples

UNKNOWN = 0.15
"""Share of the examples that do not say of which kind they are."""
ATTEMPTS = 20
SEEN_AGAIN = (0, 12, 36, 96)
"""Batches before this one whose scenes it shows again, flipped where physics allows: to draw one takes longer than to learn
from it. Multiples of twelve, so that each of a few processes finds what it has drawn itself."""
KEPT = 1024
"""Scenes that are kept for that."""
DEVIATION_SPREAD, LEVEL_SPREAD = 0.25, 0.15
"""How far, in parts of the deviation, the normalisation of an example differs from that of a larger image around it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RestorationExamples(Examples):
    """A batch to learn from; images have shape (B, 1 + K, Y, X) with planes that say their kind, targets (B, 1, Y, X).

    Attributes
    ----------
    kinds : ndarray of int, shape (B,)
        Place of each one's recipe among the parts.
    """

    kinds: np.ndarray


def draw_restoration_examples(
    recipe: Recipe, seed: int, number: int, batch: int, patch: int, native: float = 0.0
) -> RestorationExamples:
    """Batch `number` of an endless stream.

    Parameters
    ----------
    recipe : Recipe
        Of parts, one for each kind of image.
    seed, number : int
    batch : int
        Examples.
    patch : int, px
        Side.
    native : float
        Not used: images keep the pixels that they are recorded with.
    """
    rng = np.random.default_rng([seed, number, 0x2E5])
    fresh = -(-batch // len(SEEN_AGAIN))
    drawn = []
    for row in range(batch):
        before, place = SEEN_AGAIN[row % len(SEEN_AGAIN)], row // len(SEEN_AGAIN)
        scene = seed * 2**24 + (number - before) % 2**20 * fresh + place
        drawn.append(_flipped(_kept(recipe, scene, patch), rng))
    names = [part.name for part in recipe.parts]
    return restoration_examples(
        torch.cat([one.image for one in drawn]),
        torch.cat([one.scene for one in drawn]),
        np.array([names.index(one.kind) for one in drawn]),
        rng.uniform(size=batch) >= UNKNOWN,
        len(names),
        rng,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pair:
    """A recorded image and its scene, both (1, 1, Y, X)."""

    image: Tensor
    scene: Tensor
    kind: str
    modality: str


_drawn_before: OrderedDict[tuple[int, int, int], tuple[Recipe, _Pair]] = OrderedDict()
"""By the recipe's identity, which lasts as long as it is kept here, the scene's number and the side."""


def _kept(recipe: Recipe, scene: int, patch: int) -> _Pair:
    """A pair, drawn unless it was drawn not long ago."""
    key = (id(recipe), scene, patch)
    if key not in _drawn_before:
        _drawn_before[key] = recipe, _drawn(recipe, scene, patch)
        if len(_drawn_before) > KEPT:
            _drawn_before.popitem(last=False)
    return _drawn_before[key][1]


def _drawn(recipe: Recipe, seed: int, patch: int) -> _Pair:
    """One image; in place of one that cannot be made the next one, for no recipe may stop a training."""
    for attempt in range(ATTEMPTS):
        try:
            made = render([draw_record(recipe, (seed + attempt * 2**40) % 2**62, patch)], ("noise_free",))
        except AtomsegError as error:
            last = error
            continue
        kind = made.records[0].recipe
        modality = next(part.modality for part in recipe.parts if part.name == kind)
        return _Pair(image=made.image, scene=made.labels["noise_free"], kind=kind, modality=modality)
    raise last


def _flipped(pair: _Pair, rng: np.random.Generator) -> _Pair:
    """The same seen from the other side: a scan's rows may come in the other order, but each still runs from left to right."""
    axes = [2] if rng.integers(2) else []
    if rng.integers(2) and pair.modality == "tem":
        axes.append(3)
    return replace(pair, image=pair.image.flip(axes), scene=pair.scene.flip(axes)) if axes else pair


def restoration_examples(
    images: Tensor, scenes: Tensor, kinds: np.ndarray, known: np.ndarray, number: int, rng: np.random.Generator | None
) -> RestorationExamples:
    """Examples of recorded images (B, 1, Y, X) and their scenes.

    Parameters
    ----------
    images, scenes : Tensor, shape (B, 1, Y, X)
    kinds : ndarray of int, shape (B,)
    known : ndarray of bool, shape (B,)
        Whether the network is told the kind.
    number : int
        Of kinds.
    rng : numpy.random.Generator or None
        Of how far the normalisation is off; None for none.
    """
    given = cut_off(images)
    mean, deviation = mean_and_deviation(given)
    if rng is not None:
        size = (len(images), 1, 1, 1)
        mean = mean + deviation * torch.from_numpy(rng.normal(0, LEVEL_SPREAD, size).astype(np.float32))
        deviation = deviation * torch.from_numpy(np.exp(rng.normal(0, DEVIATION_SPREAD, size)).astype(np.float32))
    planes = kind_planes([kind if told else None for kind, told in zip(kinds, known, strict=True)], number, images.shape[-2:])
    nothing = tuple(np.zeros((0, 2)) for _ in kinds)
    return RestorationExamples(
        image=torch.cat([(given - mean) / deviation, planes], dim=1),
        targets=(scenes - mean) / deviation,
        asked=torch.ones_like(images),
        positions=nothing,
        doubtful=nothing,
        kinds=kinds,
    )


def kind_planes(kinds: Sequence[int | None], number: int, shape: Sequence[int]) -> Tensor:
    """Planes that are 1 for the kind of an image and 0 for others; all 0 where it is not known.

    Parameters
    ----------
    kinds : sequence of int or None, length B
        Kind of each image, 0 to K - 1.
    number : int
        Of kinds, K.
    shape : sequence of int
        (Y, X).

    Returns
    -------
    Tensor, float32, shape (B, K, Y, X)
    """
    planes = torch.zeros(len(kinds), number, *shape)
    for row, kind in enumerate(kinds):
        if kind is not None:
            planes[row, kind] = 1.0
    return planes
