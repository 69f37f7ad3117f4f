"""Low-resolution scenes: particles, grains, bands, boxes and cracks, in which nothing is an atom (Lobato et al., 2024).

They teach a restoring network what images without a lattice look like. There is no physics in them: objects are drawn and
added up. The paper (npj Comput. Mater. 10, 10 (2024), "Undistorted data generation") describes soft and sharp particles and
grains; for bands, boxes and cracks it gives only the names, so that their numbers and shapes are ours, as all sizes are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from scipy.spatial import ConvexHull, cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity

Shape = tuple[int, int]
_Number = Annotated[int, Quantity(low=0, high=2000)]
_Part = Annotated[float, Quantity(low=1e-3, high=2, decimals=3)]


@dataclass(frozen=True, kw_only=True)
class SoftParticlesParams:
    """Particles that fade out: turned elliptic versions of the profile of Eq. 17.

    Attributes
    ----------
    number : int
        15 to 85 in the paper.
    smallest, largest : float
        Limits of the width r_m, in parts of the shorter side.
    """

    number: _Number = 40
    smallest: _Part = 0.01
    largest: _Part = 0.08

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class SharpParticlesParams:
    """Ellipses and polygons of three to five corners with a sharp border, each with the intensity of a plane.

    Attributes
    ----------
    number : int
        15 to 40 in the paper.
    smallest, largest : float
        Limits of the radius, in parts of the shorter side.
    """

    number: _Number = 25
    smallest: _Part = 0.03
    largest: _Part = 0.15

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class GrainsParams:
    """Voronoi cells that fill the image, each with the intensity of a plane.

    Attributes
    ----------
    number : int
        15 to 175 in the paper.
    borders : bool
        Whether border lines are drawn, with 0.5 to 1.5 times the mean of the grains; half of all in the paper.
    border_width : float, px
    """

    number: Annotated[int, Quantity(low=1, high=2000)] = 60
    borders: bool = False
    border_width: Annotated[float, Quantity(unit="px", low=0.5, high=100)] = 1.5

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class BandsParams:
    """Straight bands from side to side of the image, each with the intensity of a plane.

    Attributes
    ----------
    number : int
    smallest, largest : float
        Limits of the width, in parts of the shorter side.
    """

    number: _Number = 6
    smallest: _Part = 0.02
    largest: _Part = 0.3

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class BoxesParams:
    """Turned rectangles, each with the intensity of a plane.

    Attributes
    ----------
    number : int
    smallest, largest : float
        Limits of half a side, in parts of the shorter side of the image.
    """

    number: _Number = 15
    smallest: _Part = 0.02
    largest: _Part = 0.2

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class CracksParams:
    """Thin bent lines, bright as everything here; inverted contrast makes them dark.

    Attributes
    ----------
    number : int
    thinnest, thickest : float
        Limits of the width, in parts of the shorter side.
    """

    number: _Number = 5
    thinnest: _Part = 0.004
    thickest: _Part = 0.03

    def __post_init__(self) -> None:
        check(self)


def soft_particles(shape: Shape, params: SoftParticlesParams, rng: np.random.Generator) -> np.ndarray:
    """Soft particles, shape (Y, X).

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    params : SoftParticlesParams
    rng : Generator
    """
    image = np.zeros(shape)
    side = min(shape)
    heights, steepness = rng.uniform(0.5, 1.0, 3), rng.uniform(4, 16)
    for centre in scattered(shape, params.number, rng):
        width = max(rng.uniform(params.smallest, params.largest) * side, 0.5)
        turned = (width, width * rng.uniform(0.8, 1.2), rng.uniform(0, np.pi))
        height = rng.uniform(0.2, 1.0)
        window = _window(shape, centre, 8 * width)
        v, u = _turned(window, centre, turned[2])
        rho = np.hypot(u / turned[0], v / turned[1])
        profile = heights[0] * np.exp(-(rho**2) / 2) + heights[1] * np.exp(-rho) + heights[2] / (1 + rho ** (2 * steepness))
        image[window] += height * profile / heights.sum()
    return image


def sharp_particles(shape: Shape, params: SharpParticlesParams, rng: np.random.Generator) -> np.ndarray:
    """Sharp particles, shape (Y, X).

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    params : SharpParticlesParams
    rng : Generator
    """
    image = np.zeros(shape)
    side = min(shape)
    for centre in scattered(shape, params.number, rng):
        radius = rng.uniform(params.smallest, params.largest) * side
        window = _window(shape, centre, radius + 1)
        v, u = _turned(window, centre, rng.uniform(0, 2 * np.pi))
        if rng.uniform() < 0.5:
            inside = np.hypot(u, v / rng.uniform(0.4, 1.0)) <= radius
        else:
            corners = int(rng.integers(3, 6))
            angle = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
            faces = ConvexHull(radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)).equations
            inside = np.all([a * v + b * u + c <= 0 for a, b, c in faces], axis=0)
        image[window] += inside * _plane(v, u, radius, rng)
    return image


def grains(shape: Shape, params: GrainsParams, rng: np.random.Generator) -> np.ndarray:
    """Grains, shape (Y, X); every pixel belongs to one.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    params : GrainsParams
    rng : Generator
    """
    places = rng.uniform(0, 1, (params.number, 2)) * np.array(shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    pixels = np.stack([y, x], axis=-1).reshape(-1, 2)
    near = 2 if params.number > 1 else 1
    distance, which = (value.reshape(*shape, near) for value in cKDTree(places).query(pixels, k=near))
    own = which[..., 0]
    level, slope, angle = (
        rng.uniform(0.3, 1.0, params.number),
        rng.uniform(0, 0.25, params.number),
        rng.uniform(0, 7, params.number),
    )
    reach = np.sqrt(shape[0] * shape[1] / params.number)
    along = ((y - places[own, 0]) * np.sin(angle)[own] + (x - places[own, 1]) * np.cos(angle)[own]) / reach
    image = level[own] * np.clip(1 + slope[own] * along, 0.3, 2.0)
    strength = rng.uniform(0.5, 1.5)
    if params.borders and near == 2:
        apart = np.hypot(*np.moveaxis(places[own] - places[which[..., 1]], -1, 0))
        # Distance of a pixel from the line halfway between the two nearest points.
        to_border = (distance[..., 1] ** 2 - distance[..., 0] ** 2) / np.maximum(2 * apart, 1e-9)
        image = np.where(to_border <= params.border_width / 2, strength * image.mean(), image)
    return image


def bands(shape: Shape, params: BandsParams, rng: np.random.Generator) -> np.ndarray:
    """Bands, shape (Y, X).

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    params : BandsParams
    rng : Generator
    """
    image = np.zeros(shape)
    side = min(shape)
    everywhere = (slice(0, shape[0]), slice(0, shape[1]))
    for centre in scattered(shape, params.number, rng):
        width = max(rng.uniform(params.smallest, params.largest) * side, 1.0)
        v, u = _turned(everywhere, centre, rng.uniform(0, np.pi))
        image += (np.abs(v) <= width / 2) * _plane(v, u, max(shape), rng)
    return image


def boxes(shape: Shape, params: BoxesParams, rng: np.random.Generator) -> np.ndarray:
    """Boxes, shape (Y, X).

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    params : BoxesParams
    rng : Generator
    """
    image = np.zeros(shape)
    side = min(shape)
    for centre in scattered(shape, params.number, rng):
        half = np.maximum(rng.uniform(params.smallest, params.largest, 2) * side, 0.5)
        window = _window(shape, centre, float(np.hypot(*half)) + 1)
        v, u = _turned(window, centre, rng.uniform(0, np.pi))
        inside = (np.abs(v) <= half[0]) & (np.abs(u) <= half[1])
        image[window] += inside * _plane(v, u, float(half.max()), rng)
    return image


def cracks(shape: Shape, params: CracksParams, rng: np.random.Generator) -> np.ndarray:
    """Cracks, shape (Y, X): lines whose direction wanders, thinner towards their ends.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    params : CracksParams
    rng : Generator
    """
    image = np.zeros(shape)
    side = min(shape)
    pixels = np.moveaxis(np.mgrid[: shape[0], : shape[1]], 0, -1).reshape(-1, 2)
    for centre in scattered(shape, params.number, rng):
        steps = int(side * rng.uniform(0.3, 1.5))
        direction = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.12, steps))
        line = centre + np.cumsum(np.stack([np.sin(direction), np.cos(direction)], axis=1), axis=0)
        half = max(rng.uniform(params.thinnest, params.thickest) * side / 2, 0.5)
        widths = np.maximum(half * np.sqrt(np.sin(np.pi * (np.arange(steps) + 0.5) / steps)), 0.5)
        distance, nearest = cKDTree(line).query(pixels, distance_upper_bound=half + 1)
        found = np.isfinite(distance)
        inside = np.zeros(len(pixels))
        inside[found] = np.clip(widths[nearest[found]] + 0.5 - distance[found], 0, 1)
        image += rng.uniform(0.2, 1.0) * inside.reshape(shape)
    return image


PARTS: dict[str, tuple[type, Callable[[Shape, Any, np.random.Generator], np.ndarray]]] = {
    "soft_particles": (SoftParticlesParams, soft_particles),
    "sharp_particles": (SharpParticlesParams, sharp_particles),
    "grains": (GrainsParams, grains),
    "bands": (BandsParams, bands),
    "boxes": (BoxesParams, boxes),
    "cracks": (CracksParams, cracks),
}


def low_resolution(shape: Shape, parts: Sequence[tuple[str, Any]], seed: int) -> np.ndarray:
    """A scene without noise, shape (Y, X), float32, between 0 and 1: the sum of its parts.

    Parameters
    ----------
    shape : tuple of int
        (Y, X), px.
    parts : sequence of (name, parameters)
        Names as in :data:`PARTS`.
    seed : int
        The same gives the same image.

    Raises
    ------
    AtomsegError
        If a part is unknown.
    """
    rng = np.random.default_rng([seed, 0x10A])
    image = np.zeros(shape)
    for name, params in parts:
        if name not in PARTS:
            raise AtomsegError(f'low-resolution scenes have no part "{name}"; choose of {", ".join(PARTS)}')
        image += PARTS[name][1](shape, params, rng)
    return np.asarray(image / max(float(image.max()), 1e-12), dtype=np.float32)


def scattered(shape: Shape, number: int, rng: np.random.Generator) -> np.ndarray:
    """Places at random and apart, as the paper's individual points.

    Parameters
    ----------
    shape : tuple of int, px
        (Y, X) of the field.
    number : int
        Of places, at most: one that finds no room in 20 tries is left out.
    rng : Generator
        The smallest distance is drawn as well, from 1 to 20 px.

    Returns
    -------
    ndarray, shape (N, 2), px, (y, x)
    """
    least = rng.uniform(1, 20)
    placed = np.zeros((0, 2))
    for _ in range(number):
        candidates = rng.uniform(0, 1, (20, 2)) * np.array(shape)
        far = np.all(np.hypot(*np.moveaxis(candidates[:, None] - placed[None], -1, 0)) >= least, axis=1)
        placed = np.concatenate([placed, candidates[far][:1]])
    return placed


def _window(shape: Shape, centre: np.ndarray, reach: float) -> tuple[slice, slice]:
    """The part of the image within a distance of a place."""
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach) + 1, shape).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _turned(window: tuple[slice, slice], centre: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances (v, u) of the pixels of a window from a place, along turned axes."""
    y, x = np.mgrid[window]
    y, x = y - centre[0], x - centre[1]
    return y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)


def _plane(v: np.ndarray, u: np.ndarray, reach: float, rng: np.random.Generator) -> np.ndarray:
    """A positive plane of random height and slope, so that an object does not look flat."""
    height, slope, angle = rng.uniform(0.2, 1.0), rng.uniform(0, 0.7), rng.uniform(0, 2 * np.pi)
    along = (v * np.sin(angle) + u * np.cos(angle)) / reach
    return np.asarray(height * np.clip(1 + slope * along, 0.05, 2.0))
