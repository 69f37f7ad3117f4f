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
from napari_atomseg.inference.displaced_rows import (
    LEAST_DISPLACEMENT,
    MOST_LOOKS,
    SCANS_OF_ATOMS,
    row_displacements,
    straight_image,
)
from napari_atomseg.inference.periodic_structure import periodic_plane
from napari_atomseg.inference.whole_normalisation import cut_off, mean_and_deviation
from napari_atomseg.synthesis.recipe import Recipe, draw_record
from napari_atomseg.synthesis.render import render
from napari_atomseg.training.examples import Examples

UNKNOWN = 0.15
"""Share of the examples that do not say of which kind they are."""
STRAIGHT = 0.75
"""Share of the scans of atoms whose rows are put back, more or less, before they are learnt from: as they are looked at again."""
ATTEMPTS = 20
FIELD = 2
"""Side of the images that are recorded in units of that of their parts that are learnt from: what repeats over a whole image, and
its mean and deviation, are those of more than the part."""
SEEN_AGAIN = (0, 12, 36, 96, 180, 276, 372, 480)
"""Batches before this one of whose images it shows other parts, flipped where physics allows: to draw one takes longer than to
learn from it. Multiples of twelve, so that each of a few processes finds what it has drawn itself."""
KEPT = 1024
"""Images that are kept for that, twice as many as must be: they are still there if some had to be drawn again."""
DEVIATION_SPREAD, LEVEL_SPREAD = 0.25, 0.15
"""How far, in parts of the deviation, the normalisation of an example differs from that of a larger image around it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RestorationExamples(Examples):
    """A batch to learn from; images (B, 2 + K, Y, X) have planes that say their kind and what repeats; targets (B, 1, Y, X).

    Attributes
    ----------
    kinds : ndarray of int, shape (B,)
        Place of each one's kind among those of the recipe (:func:`kinds_of`).
    """

    kinds: np.ndarray


def draw_restoration_examples(
    recipe: Recipe, seed: int, number: int, batch: int, patch: int, native: float = 0.0
) -> RestorationExamples:
    """Batch `number` of an endless stream.

    Parameters
    ----------
    recipe : Recipe
        Of parts, at least one for each kind of image.
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
        drawn.append(_flipped(_part(_kept(recipe, scene, FIELD * patch), patch, rng), rng))
    kinds = kinds_of(recipe)
    return restoration_examples(
        torch.cat([one.planes for one in drawn]).float(),
        np.array([kinds.index(one.kind) for one in drawn]),
        rng.uniform(size=batch) >= UNKNOWN,
        len(kinds),
        rng,
    )


def kinds_of(recipe: Recipe) -> list[str]:
    """Kinds of the images of a recipe of parts, each once, in the order of the parts.

    Parameters
    ----------
    recipe : Recipe
        Of parts, of which some may be of one kind.
    """
    return list(dict.fromkeys(part.kind for part in recipe.parts))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pair:
    """A recorded image, what repeats over it, and its scene: :func:`standard_planes`, in half precision."""

    planes: Tensor
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
        part = next(part for part in recipe.parts if part.name == made.records[0].recipe)
        image, scene = made.image, made.labels["noise_free"]
        if part.kind in SCANS_OF_ATOMS:
            image = straightened(image, scene, np.random.default_rng([seed % 2**62, 0x517]))
        planes = standard_planes(image, scene, scanned=part.modality != "tem")
        return _Pair(planes=planes.half(), kind=part.kind, modality=part.modality)
    raise last


def straightened(image: Tensor, scene: Tensor, rng: np.random.Generator) -> Tensor:
    """An image as it may be looked at again: some as recorded, of others the rows more or less where the scene shows them.

    Parameters
    ----------
    image, scene : Tensor, shape (1, 1, Y, X)
    rng : numpy.random.Generator
        Of which images, and how often their rows are put back.
    """
    if rng.uniform() >= STRAIGHT:
        return image
    recorded, true = (one[0, 0].numpy() for one in (image, scene))
    plane, rows = recorded, np.zeros(recorded.shape[0])
    for _ in range(int(rng.integers(1, MOST_LOOKS))):
        along = row_displacements(plane - true, true)
        if np.sqrt(np.mean(along**2)) < LEAST_DISPLACEMENT:
            break
        rows = rows + along
        plane = straight_image(recorded, np.stack([np.zeros_like(rows), rows], axis=1))
    return torch.from_numpy(plane)[None, None]


def _part(pair: _Pair, side: int, rng: np.random.Generator) -> _Pair:
    """A square of so many pixels."""
    first = [int(rng.integers(0, length - side + 1)) for length in pair.planes.shape[2:]]
    return replace(pair, planes=pair.planes[:, :, first[0] : first[0] + side, first[1] : first[1] + side])


def _flipped(pair: _Pair, rng: np.random.Generator) -> _Pair:
    """The same seen from the other side: a scan's rows may come in the other order, but each still runs from left to right."""
    axes = [2] if rng.integers(2) else []
    if rng.integers(2) and pair.modality == "tem":
        axes.append(3)
    return replace(pair, planes=pair.planes.flip(axes)) if axes else pair


def standard_planes(image: Tensor, scene: Tensor, *, scanned: bool) -> Tensor:
    """A recorded image with mean 0 and deviation 1, what repeats over it, and its scene, all on the scale of the first.

    Parameters
    ----------
    image, scene : Tensor, shape (1, 1, Y, X)
    scanned : bool
        Whether rows were recorded one after the other.

    Returns
    -------
    Tensor, shape (1, 3, Y, X)
    """
    given = cut_off(image)
    mean, deviation = mean_and_deviation(given)
    repeated = torch.from_numpy(periodic_plane(image[0, 0].numpy(), scanned))[None, None]
    return torch.cat([(given - mean) / deviation, repeated / deviation, (scene - mean) / deviation], dim=1)


def restoration_examples(
    standard: Tensor, kinds: np.ndarray, known: np.ndarray, number: int, rng: np.random.Generator | None
) -> RestorationExamples:
    """Examples of recorded images, what repeats over them, and their scenes.

    Parameters
    ----------
    standard : Tensor, shape (B, 3, Y, X)
        Of :func:`standard_planes`, or parts of them.
    kinds : ndarray of int, shape (B,)
    known : ndarray of bool, shape (B,)
        Whether the network is told the kind.
    number : int
        Of kinds.
    rng : numpy.random.Generator or None
        Of how far the normalisation is off; None for none.
    """
    if rng is not None:
        size = (len(standard), 1, 1, 1)
        level = torch.from_numpy(rng.normal(0, LEVEL_SPREAD, size).astype(np.float32))
        spread = torch.from_numpy(np.exp(rng.normal(0, DEVIATION_SPREAD, size)).astype(np.float32))
        # What repeats has no level.
        standard = (standard - level * torch.tensor([1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)) / spread
    recorded, repeated, scene = (standard[:, number : number + 1] for number in range(3))
    planes = kind_planes([kind if told else None for kind, told in zip(kinds, known, strict=True)], number, standard.shape[-2:])
    nothing = tuple(np.zeros((0, 2)) for _ in kinds)
    return RestorationExamples(
        image=torch.cat([recorded, planes, repeated], dim=1),
        targets=scene,
        asked=torch.ones_like(recorded),
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
