"""Pixels to which the heights of columns and a background are fitted, and what each of them looks like there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

REACH = 4.0
"""A column is drawn out to so many sigmas."""
AROUND = 1.5
"""Pixels farther from every column than so many distances of neighbours have no say in levels under each column."""
NODES = 8.0
"""A background that varies is linear between nodes so many distances of neighbours apart."""
STIFF = 1e-4
"""Weight of the second differences of the nodes, in units of what one node's pixels weigh: for nodes that few pixels see."""
UNSEEN = 0.02
"""Columns of which less than this share lies in the image are not fitted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shapes:
    """Where columns stand and how wide they are: positions (N, 2), px; sigmas, px, and angle of the long axis, each (N,)."""

    positions: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    theta: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """Volume of each Gaussian of unit height, px squared."""
        return np.asarray(2 * np.pi * self.major * self.minor)

    def scaled(self, factor: np.ndarray | float) -> Shapes:
        """The same with other widths."""
        return replace(self, major=self.major * factor, minor=self.minor * factor)

    def with_usual(self, places: np.ndarray) -> Shapes:
        """These, and round ones of the usual width at further places (M, 2)."""
        usual = np.full(len(places), float(np.sqrt(np.median(self.major) * np.median(self.minor))))
        return Shapes(
            positions=np.concatenate([self.positions, places]),
            major=np.append(self.major, usual),
            minor=np.append(self.minor, usual),
            theta=np.append(self.theta, np.zeros(len(places))),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class System:
    """Linear equations of the pixels: `design` (P, U) times the unknowns is what the pixels at `places` (P, 2) should hold.

    The unknowns act about `homes` (U, 2), px; those of the whole image about none, which is NaN.
    """

    design: sparse.csc_array
    places: np.ndarray
    ridge: np.ndarray
    homes: np.ndarray

    @cached_property
    def _factors(self) -> Any:
        normal = (self.design.T @ self.design).tocsc()
        held = (normal + sparse.diags_array(self.ridge + 1e-12 * normal.diagonal().mean())).tocsc()
        # Symmetric and positive: an order for such fills far less than the usual one.
        return splu(held, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Unknowns for a right side (U,) or several (U, K) of the normal equations."""
        return np.asarray(self._factors.solve(right))


def neighbour_distance(positions: np.ndarray) -> float:
    """Usual distance of a column (N, 2) to its nearest neighbour; NaN for fewer than two columns."""
    if len(positions) < 2:
        return float("nan")
    return float(np.median(cKDTree(positions).query(positions, k=2)[0][:, 1]))


class Field:
    """Pixels that are fitted, and the unit images of what is fitted to them."""

    def __init__(self, image: np.ndarray, shapes: Shapes, background: str) -> None:
        self._shape, self._shapes, self._kind = image.shape, shapes, background
        apart = neighbour_distance(shapes.positions)
        self._apart = apart if np.isfinite(apart) else 6 * float(np.median(shapes.major))
        grid = np.indices(image.shape).reshape(2, -1).T
        used = np.isfinite(image).ravel()
        self._owner = np.zeros(0, int)
        if background == "local":
            far = max(AROUND * self._apart, REACH * float(np.median(shapes.major)))
            distance, owner = cKDTree(shapes.positions).query(grid[used], distance_upper_bound=far)
            self._owner = owner[np.isfinite(distance)]
            used[used] = np.isfinite(distance)
        self.places = grid[used].astype(float)
        self.values = image.ravel()[used]
        self._row = np.full(len(grid), -1)
        self._row[used] = np.arange(len(self.places))
        self._nodes: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))
        self.stiffness = np.zeros(0)
        self.homes = np.zeros((0, 2))

    def system(self, parts: list[Any], ridge: np.ndarray) -> System:
        """Equations of the columns, of their widths if those are among the unknowns, and of the background."""
        positions = self._shapes.positions
        widths = parts[1] if len(parts) == 3 else None
        between = np.zeros((0, 2)) if widths is None else np.full((1, 2), np.nan) if widths.shape[1] == 1 else positions
        homes = np.concatenate([positions, between, self.homes])
        return System(design=sparse.hstack(parts, format="csc"), places=self.places, ridge=ridge, homes=homes)

    def gaussians(self, shapes: Shapes) -> tuple[Any, Any]:
        """Columns of unit height, and their derivatives by the logarithm of the width, each (P, N)."""
        reach = int(np.ceil(REACH * float(np.median(shapes.major)) * 1.2))
        along = np.arange(-reach, reach + 1)
        offsets = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)
        offsets = offsets[np.hypot(*offsets.T) <= reach]
        pixel = np.round(shapes.positions).astype(int)[:, None] + offsets
        inside = np.all((pixel >= 0) & (pixel < np.array(self._shape)), axis=-1)
        row = self._row[np.where(inside, pixel[..., 0] * self._shape[1] + pixel[..., 1], 0)]
        inside &= row >= 0
        dy, dx = (pixel - shapes.positions[:, None]).transpose(2, 0, 1)
        cosine, sine = np.cos(shapes.theta)[:, None], np.sin(shapes.theta)[:, None]
        squared = ((dx * cosine + dy * sine) / shapes.major[:, None]) ** 2 + (
            (dy * cosine - dx * sine) / shapes.minor[:, None]
        ) ** 2
        value = np.exp(-squared / 2)
        rows, ends = row[inside], np.concatenate([[0], np.cumsum(np.count_nonzero(inside, axis=1))])
        size = (len(self.places), len(pixel))
        unit = sparse.csc_array((value[inside], rows, ends), shape=size)
        slopes = sparse.csc_array(((value * squared)[inside], rows, ends), shape=size)
        return unit, slopes

    def hold_unseen(self, unit: Any) -> None:
        """Hold the heights of columns, unit images (P, N), at zero that hardly any pixel sees."""
        seen = np.asarray(unit.multiply(unit).sum(axis=0)).ravel()
        usual = float(np.median(seen))
        self.stiffness[: len(seen)] = np.where(seen < UNSEEN * usual, usual, 0.0)

    def background_design(self) -> Any:
        """Unit images of the background's unknowns, (P, B)."""
        count = len(self._shapes.positions)
        pixels = len(self.places)
        if self._kind == "none":
            self.stiffness = np.zeros(count)
            return sparse.csc_array((pixels, 0))
        if self._kind == "shared":
            self.stiffness = np.zeros(count + 1)
            self.homes = np.full((1, 2), np.nan)
            return sparse.csc_array(np.ones((pixels, 1)))
        if self._kind == "local":
            self.stiffness = np.zeros(2 * count)
            self.homes = self._shapes.positions
            return sparse.csc_array((np.ones(pixels), (np.arange(pixels), self._owner)), shape=(pixels, count))
        self._nodes = tuple(  # type: ignore[assignment]
            np.linspace(0, side - 1, max(2, round(side / (NODES * self._apart)) + 1)) for side in self._shape
        )
        base = self._hats(self.places)
        seen = np.asarray(base.sum(axis=0)).ravel()
        self._seen = seen > 1e-6 * seen.max()
        base = sparse.csc_array(base[:, self._seen])
        self.homes = np.stack(np.meshgrid(*self._nodes, indexing="ij"), axis=-1).reshape(-1, 2)[self._seen]
        self.stiffness = np.concatenate([np.zeros(count), np.full(base.shape[1], STIFF * float(np.mean(seen[self._seen])))])
        return base

    def _hats(self, places: np.ndarray) -> Any:
        """Bilinear interpolation between nodes, (P, nodes)."""
        parts = []
        for axis, nodes in enumerate(self._nodes):
            place = np.clip(places[:, axis], 0, nodes[-1]) / (nodes[1] - nodes[0])
            low = np.minimum(place.astype(int), len(nodes) - 2)
            parts.append((low, place - low))
        (y, up), (x, right) = parts
        width = len(self._nodes[1])
        index = np.concatenate([(y + one) * width + x + two for one in (0, 1) for two in (0, 1)])
        share = np.concatenate([(up if one else 1 - up) * (right if two else 1 - right) for one in (0, 1) for two in (0, 1)])
        rows = np.tile(np.arange(len(places)), 4)
        return sparse.csr_array((share, (rows, index)), shape=(len(places), len(self._nodes[0]) * width))

    def levels_under(self, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Background under each column (N,), and of the pixels that were fitted, (Y, X)."""
        plane = np.full(self._shape, np.nan)
        positions = self._shapes.positions
        rows = tuple(self.places.astype(int).T)
        if self._kind in ("shared", "none"):
            plane[:] = levels[0] if len(levels) else 0.0
            return np.full(len(positions), plane[0, 0]), plane
        if self._kind == "local":
            plane[rows] = levels[self._owner]
            return levels, plane
        plane[rows] = self._hats(self.places)[:, self._seen] @ levels
        return np.asarray(self._hats(positions)[:, self._seen] @ levels), plane
