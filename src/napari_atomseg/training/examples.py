"""Endless examples for the training of networks: images at the network's sampling, and what is to be seen in them.

Example n of a recipe and a seed is always the same, whoever draws it and when, so that a run can be continued exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from napari_atomseg.core.params import from_dict
from napari_atomseg.core.tasks import TASKS
from napari_atomseg.imaging.linear_adf import ColumnBatch, batch_columns
from napari_atomseg.inference.normalise import FARTHEST, contrast_of, normalised
from napari_atomseg.inference.resample import resample
from napari_atomseg.optics.probe import ProbeParams, half_maximum_width
from napari_atomseg.synthesis import labels
from napari_atomseg.synthesis.recipe import Recipe, draw_record
from napari_atomseg.synthesis.record import Record
from napari_atomseg.synthesis.render import Batch, render

FINENESS = (1.0, 1.0, 1.0, 0.65, 0.8, 1.3, 1.6, 2.0)
"""Native pixels in units of those that examples are recorded with: each batch is recorded at one, and resampled."""
CONTRAST_SPREAD, LEVEL_SPREAD = 0.2, 0.08
"""How far, in parts of the contrast, the normalisation of an example differs from that of a larger image around it."""
PEAK_REACH, SURROUNDINGS = 0.45, 1.0
"""Radii about a column, Angstrom, within which it has to be the brightest, and in which the darkest pixel is its foot."""
PEAK_SHARE = 0.9
VISIBLE, DOUBTFUL = 0.07, 0.02
"""A column is asked for if it stands out by this share of the image's range; below the second it is none of the network's
business, and between them, or on the shoulder of a brighter one, nothing is asked."""
DOUBT_RADIUS = 0.45
"""Radius about a doubtful column within which nothing is asked, Angstrom."""
SCATTERED, GRAIN = ("points", "particle"), 2.0
"""Specimens with columns that no lattice tells of: one that stands out by less than so many standard deviations of the film's
own grain is doubtful."""
GRAIN_SIZE = 2.0
"""Variations of the background over more than this are not grain, Angstrom."""
PART_OF_MORE, MOST_MORE = 0.2, 6.0
"""Share of the examples that are the part of an image of up to so many times their contrast: thick places beside thin ones."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """A batch to learn from.

    Attributes
    ----------
    image : Tensor, shape (B, 1, Y, X)
        Normalised.
    targets : Tensor, shape (B, 5, Y, X)
        In the order of :data:`~napari_atomseg.core.tasks.TASKS`.
    asked : Tensor, shape (B, 1, Y, X)
        1 where the maps of columns are to be judged, 0 about columns that one may see or not.
    positions : tuple of ndarray, shape (N, 2), px
        Visible columns.
    doubtful : tuple of ndarray, shape (N, 2), px
        Those that one may see or not.
    """

    image: Tensor
    targets: Tensor
    asked: Tensor
    positions: tuple[np.ndarray, ...]
    doubtful: tuple[np.ndarray, ...]


def draw_examples(recipe: Recipe, seed: int, number: int, batch: int, patch: int, native: float = 0.2) -> Examples:
    """Batch `number` of an endless stream.

    Parameters
    ----------
    recipe : Recipe
        Of images of a STEM.
    seed, number : int
    batch : int
        Examples.
    patch : int, px
        Side.
    native : float, Angstrom
        Pixel size of the network; recipes draw theirs about it, so that it may be off by as much.
    """
    rng = np.random.default_rng([seed, number, 0xE7A])
    side = round(patch * float(rng.choice(FINENESS)))
    scale = side / patch
    first = (seed * 2**20 + number) * batch
    records = [_finer(draw_record(recipe, (first + row) % 2**62, patch), side) for row in range(batch)]
    drawn = render(records, ("noise_free", "background_free"))
    return _examples(drawn, (patch, patch), scale, rng)


def _finer(record: Record, side: int) -> Record:
    """The same field in another number of pixels, with as many electrons."""
    scale = side / record.shape[0]
    return replace(record, shape=(side, side), pixel_size=record.pixel_size / scale, peak=record.peak / scale**2)


def _examples(drawn: Batch, shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Examples:
    image, scene, clean = (
        resample(given, shape) for given in (drawn.image, drawn.labels["noise_free"], drawn.labels["background_free"])
    )
    empty = [row for row, truth in enumerate(drawn.columns) if not len(truth.positions)]
    clean[empty] = 0.0
    sizes = [record.pixel_size * scale for record in drawn.records]
    probes = [from_dict(ProbeParams, dict(record.imaging.get("probe", {}))) for record in drawn.records]
    positions = [(places + 0.5) / scale - 0.5 for places in drawn.positions]
    grain = [
        GRAIN * _grain(scene[row, 0] - clean[row, 0], size) if record.specimen["kind"] in SCATTERED else 0.0
        for row, (record, size) in enumerate(zip(drawn.records, sizes, strict=True))
    ]
    seen = [
        _visibility(clean[row, 0], places, size, least)
        for row, (places, size, least) in enumerate(zip(positions, sizes, grain, strict=True))
    ]
    visible = _batch([places[kind == 2] for places, kind in zip(positions, seen, strict=True)])
    doubtful = _batch([places[kind == 1] for places, kind in zip(positions, seen, strict=True)])
    columns = labels.gaussian_map(visible, shape, [labels.GAUSSIAN_WIDTH / size for size in sizes])
    mask = labels.circular_mask(
        visible, shape, [half_maximum_width(probe) / size for probe, size in zip(probes, sizes, strict=True)]
    )
    doubt = labels.circular_mask(doubtful, shape, [2 * DOUBT_RADIUS / size for size in sizes])
    weights = _intensities(drawn, scale)
    everything = _batch(positions, weights)
    deblurred = labels.deblurred(everything, shape, [labels.DEBLURRED_WIDTH / size for size in sizes])
    dark, contrast = _normalisation(image, rng)
    targets = torch.cat(
        [columns, mask, normalised(scene, dark, contrast), (clean / contrast).clamp(max=FARTHEST), deblurred / contrast], dim=1
    )
    assert targets.shape[1] == len(TASKS)
    return Examples(
        image=normalised(image, dark, contrast),
        targets=targets,
        asked=1 - doubt * (columns < 0.05),
        positions=tuple(places[kind == 2] for places, kind in zip(positions, seen, strict=True)),
        doubtful=tuple(places[kind == 1] for places, kind in zip(positions, seen, strict=True)),
    )


def _normalisation(image: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Dark level and contrast, off by what they are off where an image is larger than what is learnt from."""
    dark, contrast = contrast_of(image)
    size = (len(image), 1, 1, 1)
    more = np.where(rng.uniform(size=size) < PART_OF_MORE, np.exp(rng.uniform(0, np.log(MOST_MORE), size)), 1.0)
    factor = more * np.exp(rng.normal(0, CONTRAST_SPREAD, size))
    offset = rng.normal(0, LEVEL_SPREAD, size) - (more - 1) * rng.uniform(size=size)
    level, spread = (torch.from_numpy(value.astype(np.float32)) for value in (offset, factor))
    return dark + level * contrast, contrast * spread


def _intensities(drawn: Batch, scale: float) -> list[np.ndarray]:
    """Integrated intensity of every column in native pixels, where resampling has averaged."""
    found = []
    for truth, record, clean in zip(drawn.columns, drawn.records, drawn.labels["background_free"], strict=True):
        inside = np.all((truth.positions > 0) & (truth.positions < np.array(record.shape) * record.pixel_size), axis=1)
        total = float(truth.scattering[inside].sum())
        factor = float(clean.sum()) / total / scale**2 if total > 0 else 0.0
        found.append(truth.scattering * factor)
    return found


def _batch(positions: Sequence[np.ndarray], weights: Sequence[np.ndarray] | None = None) -> ColumnBatch:
    given = weights or [np.ones(len(places)) for places in positions]
    return batch_columns(
        [torch.from_numpy(np.ascontiguousarray(places)) for places in positions],
        [torch.from_numpy(np.ascontiguousarray(values)) for values in given],
        [0.0] * len(positions),
        "cpu",
    )


def _grain(background: Tensor, pixel_size: float) -> float:
    """Standard deviation of what varies from place to place in a background (Y, X)."""
    reach = max(1, round(GRAIN_SIZE / pixel_size / 2))
    given = background[None, None]
    slow = torch.nn.functional.avg_pool2d(given, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)
    return float((given - slow).std())


def _visibility(clean: Tensor, positions: np.ndarray, pixel_size: float, least: float = 0.0) -> np.ndarray:
    """2 for columns that the noiseless image shows, 1 for doubtful ones, 0 for those that it does not show; shape (N,).

    Those that stand out by less than `least` are doubtful.
    """
    if not len(positions):
        return np.zeros(0, int)
    top = _highest(clean, PEAK_REACH / pixel_size)
    foot = -_highest(-clean, SURROUNDINGS / pixel_size)
    limit = np.array(clean.shape) - 1
    y, x = np.clip(np.rint(positions), 0, limit).astype(int).T
    at = _highest(clean, 1.0).numpy()[y, x]
    contrast = at - foot.numpy()[y, x]
    span = float(clean.max() - clean.min())
    # Columns that run into each other have no summit of their own, whatever a crystallographer knows of them.
    own = _highest((clean == _highest(clean, 1.0)).float(), 1.0).numpy()[y, x] > 0
    summit = own & (at >= PEAK_SHARE * top.numpy()[y, x])
    outside = np.any((positions < -0.5) | (positions > limit + 0.5), axis=1)
    visible = (summit & (contrast > max(VISIBLE * span, least))) | outside
    doubtful = ~visible & (contrast > DOUBTFUL * span)
    return np.where(visible, 2, np.where(doubtful, 1, 0))


def _highest(image: Tensor, reach: float) -> Tensor:
    step = max(1, round(reach))
    return torch.nn.functional.max_pool2d(image[None, None], 2 * step + 1, stride=1, padding=step)[0, 0]
