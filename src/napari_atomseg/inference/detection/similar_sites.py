"""What stands in places that look like a given one from around: a site_statistics on it that does not look at the place itself.

A crystal repeats itself. Around an oxygen column that the counts hardly show stand the same neighbours as around a hundred
others, and what is seen at those tells what to expect at this one; a speck of the support beside a particle has no such fellows,
or ones that are empty. No lattice is fitted, so grains, edges, twins and particles need no care of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RING = (0.9, 6.5)
"""Distances from the place between which its surroundings are looked at, Angstrom: not at itself."""
STEP = 0.55
"""Distance of the points at which surroundings are read, Angstrom."""
FADING = 4.0
"""What is farther than this counts less, Angstrom."""
BLUR = 0.25
"""By which surroundings may be displaced and still look alike, Angstrom."""
ANYWHERE, AT_COLUMNS = 1500, 1000
"""Places of the image that are compared with, at most."""
COMPONENTS = 80
"""Numbers by which surroundings are told."""
TELLING = 300
"""From the surroundings of so many places."""
OWN = 1.2
"""Places nearer than this are no others, Angstrom."""
BEST = 4
"""The so many most alike tell how alike others can be."""
TEMPERATURES = (0.03, 0.1)
"""Differences in likeness, a cosine, at which a place counts e times less."""
SEED = 20
AT_A_TIME = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteStatistics:
    """What places that look alike say, each of shape (N,), at every one of :data:`TEMPERATURES`.

    Attributes
    ----------
    likeness : ndarray
        Cosine between the surroundings and those of the fourth best place, 1 if they are the same.
    effective_matches : ndarray
        Logarithm of the number of places that count.
    surroundings : ndarray
        How much there is around.
    seen : tuple of ndarray
        Mean of the map of columns at like places.
    scatter : tuple of ndarray
        Standard deviation of that.
    height : tuple of ndarray
        Mean intensity there.
    """

    likeness: np.ndarray
    effective_matches: np.ndarray
    surroundings: np.ndarray
    seen: tuple[np.ndarray, ...]
    scatter: tuple[np.ndarray, ...]
    height: tuple[np.ndarray, ...]


def site_statistics(
    columns_map: np.ndarray, heights: np.ndarray, places: np.ndarray, sure: np.ndarray, sampling: float
) -> SiteStatistics:
    """What like places say of each place.

    Parameters
    ----------
    columns_map : ndarray, shape (Y, X)
        From 0 to 1.
    heights : ndarray, shape (Y, X)
        Intensity of the columns alone, 1 for bright ones.
    places : ndarray, shape (N, 2), px
    sure : ndarray, shape (M, 2), px
        Columns that nobody doubts, among those compared with.
    sampling : float, Angstrom per pixel
    """
    maps = torch.from_numpy(np.stack([columns_map, heights]).astype(np.float32))
    soft = _blurred(maps, BLUR / sampling)
    soft[1].clamp_(-0.2, 2.0)
    others = torch.from_numpy(_compared_with(columns_map.shape, sure)).float()
    asked = torch.from_numpy(np.asarray(places)).float()
    there = _read(maps, others)
    theirs, _, usual = _surroundings(soft, others, sampling)
    axes = _axes(theirs)
    theirs = theirs @ axes
    parts = []
    for start in range(0, len(asked), AT_A_TIME):
        some = asked[start : start + AT_A_TIME]
        mine, size, _ = _surroundings(soft, some, sampling, usual)
        parts.append((size, *_counted(mine @ axes, some, theirs, others, there, sampling)))
    around, best, fellows, seen, scatter, height = (torch.cat(one).numpy() for one in zip(*parts, strict=True))
    return SiteStatistics(
        likeness=best,
        effective_matches=fellows,
        surroundings=around,
        seen=tuple(seen.T),
        scatter=tuple(scatter.T),
        height=tuple(height.T),
    )


def _compared_with(shape: tuple[int, ...], sure: np.ndarray) -> np.ndarray:
    """Places all over the image and columns of it, always the same ones, in whatever order the columns come."""
    rng = np.random.default_rng(SEED)
    sure = sure[np.lexsort(sure.T)]
    anywhere = rng.uniform(size=(ANYWHERE, 2)) * (np.array(shape) - 1)
    if len(sure) > AT_COLUMNS:
        sure = sure[rng.choice(len(sure), AT_COLUMNS, replace=False)]
    return np.concatenate([anywhere, sure])


def _blurred(maps: Tensor, width: float) -> Tensor:
    reach = max(1, round(3 * width))
    along = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / width) ** 2)
    along = along / along.sum()
    given = maps[:, None]
    given = torch.nn.functional.conv2d(given, along.reshape(1, 1, -1, 1), padding=(reach, 0))
    return torch.nn.functional.conv2d(given, along.reshape(1, 1, 1, -1), padding=(0, reach))[:, 0]


def _read(maps: Tensor, places: Tensor) -> Tensor:
    """Values (C, ...) of maps (C, Y, X) at places (..., 2), px; 0 outside."""
    rows, columns = maps.shape[-2:]
    flat = places.reshape(1, 1, -1, 2)
    grid = torch.stack([(2 * flat[..., 1] + 1) / columns - 1, (2 * flat[..., 0] + 1) / rows - 1], dim=-1)
    values = torch.nn.functional.grid_sample(maps[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return values[0, :, 0].reshape(len(maps), *places.shape[:-1])


def _surroundings(maps: Tensor, places: Tensor, sampling: float, usual: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """What is around places: directions (N, D) of length 1, how much there is, (N,), and how much there is usually, (C,).

    What is usual is that of these places, unless it is given.
    """
    steps = torch.arange(-int(RING[1] / STEP), int(RING[1] / STEP) + 1) * STEP
    away = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), dim=-1).reshape(-1, 2)
    distance = away.norm(dim=1)
    ring = (distance > RING[0]) & (distance < RING[1])
    weight = torch.exp(-0.5 * (distance[ring] / FADING) ** 2)
    values = _read(maps, places[:, None] + away[ring] / sampling) * weight
    length = values.norm(dim=2)
    # Where nothing is around, nothing is like anything.
    usual = length.mean(dim=1) if usual is None else usual
    values = values / (length + 0.05 * usual[:, None] + 1e-3)[..., None]
    return torch.cat(list(values), dim=1) / np.sqrt(len(maps)), length[0] / float(ring.sum()) ** 0.5, usual


def _axes(surroundings: Tensor) -> Tensor:
    """Directions (D, COMPONENTS) in which surroundings (N, D) differ most, from some of them."""
    # Where most surroundings are empty, single precision does not converge.
    some = surroundings[:: max(1, len(surroundings) // TELLING)].double()
    power, mix = torch.linalg.eigh(some @ some.T)
    kept = power > 1e-5 * power[-1]
    return (some.T @ mix[:, kept] / power[kept].sqrt())[:, -COMPONENTS:].float()


def _counted(
    mine: Tensor, places: Tensor, theirs: Tensor, others: Tensor, there: Tensor, sampling: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    alike = mine @ theirs.T
    alike[torch.cdist(places, others) < OWN / sampling] = -1.0
    best = alike.topk(min(BEST, alike.shape[1]), dim=1).values[:, -1]
    below = (alike - best[:, None]).clamp_max_(0.0)
    seen, scatter, height = [], [], []
    fellows = torch.zeros_like(best)
    for temperature in TEMPERATURES:
        weight = torch.exp(below / temperature)
        fellows = weight.sum(1)
        first, second, level = (weight @ torch.stack([there[0], there[0].square(), there[1]], dim=1) / fellows[:, None]).T
        seen.append(first)
        scatter.append((second - first.square()).clamp_min(0).sqrt())
        height.append(level)
    return best, fellows.log(), torch.stack(seen, 1), torch.stack(scatter, 1), torch.stack(height, 1)
