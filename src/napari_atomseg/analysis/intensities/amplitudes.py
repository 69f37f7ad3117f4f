r"""Heights of all columns and the background, fitted to the image together while the places stay.

.. math:: I(y, x) = \sum_k c_k B_k(y, x) + \sum_n h_n g_n(y, x)

with the Gaussians g_n as they were refined, of a common or their own width that is adjusted once more, because the background
it was refined on may have been another one (De Backer et al., Ultramicroscopy 171, 104 (2016), Eqs. 1-3, there with a constant
background). What is linear is solved exactly, the width by Gauss and Newton.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress

REACH = 4.0
"""A column is drawn out to so many sigmas."""
AROUND = 1.5
"""Pixels farther from every column than so many distances of neighbours have no say in levels under each column."""
NODES = 8.0
"""A background that varies is linear between nodes so many distances of neighbours apart."""
STIFF = 1e-4
"""Weight of the second differences of the nodes, in units of what one node's pixels weigh: for nodes that few pixels see."""
WIDTH_STEPS, AT_REST = 6, 2e-4
MOST_CHANGE = 0.3
"""Of the width, as a share."""
UNSEEN = 0.02
"""Columns of which less than this share lies in the image are not fitted."""
TOGETHER = 16
"""Groups of columns whose errors are asked for together."""
DRAWS = 2
"""Of signs for each group: what columns of a group have in common, such as one width for all, averages out."""
LEVELS = 12
"""Classes of brightness in which the variance of the residuals is read."""


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Amplitudes:
    """Heights on a background, and what is needed to say how well anything linear in them is known.

    Attributes
    ----------
    shapes : Shapes
        With the widths as they were adjusted.
    heights, levels : ndarray, shape (N,)
        Of the columns, and of the background under them.
    background : ndarray, shape (Y, X)
        NaN where it was not fitted.
    adjusted, own_widths : bool
        Whether widths were adjusted, and whether each column's own or one factor for all.
    unknown_levels : int
        Of the background; they are the last ones of the system.
    system : System
        Pixels that were fitted and what was fitted to them.
    variance : ndarray, shape (P,)
        Of each fitted pixel, as the residuals say for its brightness.
    """

    shapes: Shapes
    heights: np.ndarray
    levels: np.ndarray
    background: np.ndarray
    adjusted: bool
    own_widths: bool
    unknown_levels: int
    system: System
    variance: np.ndarray

    @property
    def volumes(self) -> np.ndarray:
        """Of the columns, intensity times px squared, shape (N,)."""
        return self.shapes.area * self.heights

    def volume_std(self) -> np.ndarray:
        """One standard deviation of each volume, shape (N,).

        Notes
        -----
        As in :meth:`spread`, columns far from each other are asked for together. That volumes follow from the unknowns alone
        spares the way over the pixels: of the variance of a sum each unknown's share goes to the column it is nearest to.
        """
        system = self.system
        noise = (system.design.T @ (sparse.diags_array(self.variance) @ system.design)).tocsr()
        placed = np.isfinite(system.homes[:, 0])
        groups = [group for group in far_apart(self.shapes.positions) for _ in range(DRAWS)]
        found = np.zeros(len(self.heights))
        rng = np.random.default_rng(0)
        for start in range(0, len(groups), TOGETHER):
            part = groups[start : start + TOGETHER]
            signs = np.zeros((len(found), len(part)))
            for number, group in enumerate(part):
                signs[group, number] = rng.choice([-1.0, 1.0], len(group))
            unknowns = system.solve(self._volumes_by_unknowns(signs))
            shares = unknowns * (noise @ unknowns)
            for number, group in enumerate(part):
                owner = cKDTree(self.shapes.positions[group]).query(system.homes[placed])[1]
                own = np.bincount(owner, shares[placed, number], minlength=len(group))
                found[group] += (own + shares[~placed, number].sum() / len(group)) / DRAWS
        return np.asarray(np.sqrt(np.maximum(found, 0.0)))

    def _volumes_by_unknowns(self, signs: np.ndarray) -> np.ndarray:
        """Derivatives by the unknowns (U, K) of sums of volumes times signs (N, K)."""
        count = len(self.heights)
        wanted = np.zeros((self.system.design.shape[1], signs.shape[1]))
        wanted[:count] = signs * self.shapes.area[:, None]
        # A width that is adjusted changes the volume too: d(2 pi s^2 h) / d ln s = 2 V.
        by_width = signs * 2 * self.volumes[:, None]
        if self.adjusted and self.own_widths:
            wanted[count : 2 * count] = by_width
        elif self.adjusted:
            wanted[count] = by_width.sum(axis=0)
        return wanted

    def spread(self, back: Any) -> np.ndarray:
        """Standard deviation of one linear function of the image for each column, from its transpose.

        Parameters
        ----------
        back : callable
            Takes a number for each column (N,) and gives the weights of the fitted pixels (P,) in the sum of the functions
            times those numbers.

        Notes
        -----
        For signs of columns far from each other the variance of the sum is the sum of the variances; which column it
        belongs to is read from where in the image it arises.
        """
        groups = far_apart(self.shapes.positions)
        # Pixels go to the nearest column of a group by squares, whose size does not matter to columns so far apart.
        side = max(1.0, np.nan_to_num(neighbour_distance(self.shapes.positions)) / 2)
        squares = np.floor(self.system.places / side).astype(int)
        width = squares[:, 1].max() + 1
        keys, cell = np.unique(squares[:, 0] * width + squares[:, 1], return_inverse=True)
        centres = (np.column_stack([keys // width, keys % width]) + 0.5) * side
        found = np.zeros(len(self.heights))
        rng = np.random.default_rng(0)
        for group in groups:
            signs = np.zeros(len(found))
            signs[group] = rng.choice([-1.0, 1.0], len(group))
            weights = back(signs)
            if len(group) == 1:
                found[group] = np.sum(weights**2 * self.variance)
                continue
            owner = cKDTree(self.shapes.positions[group]).query(centres)[1][cell]
            found[group] = np.bincount(owner, weights**2 * self.variance, minlength=len(group))
        return np.asarray(np.sqrt(found))


def far_apart(positions: np.ndarray, boxes: float = 9.0) -> list[np.ndarray]:
    """Columns in groups whose members stand many distances of neighbours apart; together they are all columns.

    Parameters
    ----------
    positions : ndarray, shape (N, 2)
    boxes : float
        Side of the squares from which one column each is taken, in distances of neighbours.
    """
    side = boxes * neighbour_distance(positions)
    if not np.isfinite(side) or len(positions) < boxes**2:
        return [np.array([row]) for row in range(len(positions))]
    box = np.floor((positions - positions.min(axis=0)) / side).astype(int)
    key = box[:, 0] * (box[:, 1].max() + 1) + box[:, 1]
    order = np.lexsort((positions[:, 1], np.round(positions[:, 0] / (side / boxes)), key))
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    return [order[rank == one] for one in range(rank.max() + 1)]


def neighbour_distance(positions: np.ndarray) -> float:
    """Usual distance of a column (N, 2) to its nearest neighbour; NaN for fewer than two columns."""
    if len(positions) < 2:
        return float("nan")
    return float(np.median(cKDTree(positions).query(positions, k=2)[0][:, 1]))


def fit_amplitudes(
    image: np.ndarray, shapes: Shapes, background: Literal["local", "smooth", "shared", "none"], *, adjust_widths: bool = True
) -> Generator[Progress, None, Amplitudes]:
    """Fit heights, background and widths to an image.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        What is not finite has no say.
    shapes : Shapes
        As they were refined.
    background : str
        ``local``: one level in the pixels nearest to each column. ``smooth``: linear between nodes eight distances of
        neighbours apart. ``shared``: one level in the whole image. ``none``: zero.
    adjust_widths : bool

    Raises
    ------
    AtomsegError
        If the image is empty, or has fewer pixels at the columns than there are unknowns.
    """
    image = np.asarray(image, dtype=float)
    if not np.isfinite(image).any() or np.ptp(image[np.isfinite(image)]) == 0:
        raise AtomsegError("the image is empty: all of its pixels are the same")
    field = _Field(image, shapes, background)
    own = bool(np.ptp(shapes.major) > 1e-3 * np.median(shapes.major))
    factor: Any = np.ones(len(shapes.major)) if own else 1.0
    base, ridge_of_widths = field.background_design(), 0.0
    for step in range(WIDTH_STEPS + 1):
        yield Progress(step, WIDTH_STEPS, "fitting heights and background")
        now = shapes.scaled(factor)
        unit, slopes = field.gaussians(now)
        field.hold_unseen(unit)
        heights, levels, _ = _solved(field, [unit, base], field.stiffness, base)
        if not adjust_widths:
            system = field.system([unit, base], field.stiffness)
            break
        change = sparse.csc_array(slopes @ sparse.diags_array(heights)) if own else sparse.csc_array((slopes @ heights)[:, None])
        residual = field.values - unit @ heights - base @ levels
        if own:
            ridge_of_widths = float(np.mean(residual**2)) / MOST_CHANGE**2
        ridge = np.concatenate(
            [field.stiffness[: len(heights)], np.full(change.shape[1], ridge_of_widths), field.stiffness[len(heights) :]]
        )
        system = field.system([unit, change, base], ridge)
        if step == WIDTH_STEPS:
            break
        right = system.design.T @ residual
        right[len(heights) + change.shape[1] :] -= field.stiffness[len(heights) :] * levels
        moves = system.solve(right)[len(heights) : len(heights) + change.shape[1]]
        moves = np.clip(moves if own else moves[0], -MOST_CHANGE / 2, MOST_CHANGE / 2)
        if np.max(np.abs(moves)) < AT_REST:
            break
        factor = np.clip(factor * np.exp(moves), 1 - MOST_CHANGE, 1 + MOST_CHANGE)
    expected = unit @ heights + base @ levels
    under, plane = field.levels_under(levels)
    return Amplitudes(
        shapes=now,
        heights=heights,
        levels=under,
        background=plane,
        adjusted=adjust_widths,
        own_widths=own,
        unknown_levels=base.shape[1],
        system=system,
        variance=variance_of(field.values - expected, expected),
    )


def _solved(field: _Field, parts: list[Any], ridge: np.ndarray, base: Any) -> tuple[np.ndarray, np.ndarray, System]:
    system = field.system(parts, ridge)
    if system.design.shape[0] <= system.design.shape[1]:
        raise AtomsegError(
            f"there are {system.design.shape[0]:,} pixels at the columns for {system.design.shape[1]:,} unknowns; "
            "the columns stand too close for this pixel size"
        )
    unknowns = system.solve(system.design.T @ field.values)
    count = system.design.shape[1] - base.shape[1]
    return unknowns[:count], unknowns[count:], system


def variance_of(residual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Variance of each pixel (P,), as residuals of pixels of like brightness scatter."""
    order = np.argsort(expected, kind="stable")
    parts = [part for part in np.array_split(order, LEVELS) if len(part)]
    centres = np.array([expected[part].mean() for part in parts])
    means = np.array([np.mean(residual[part] ** 2) for part in parts])
    # What many columns and nodes have fitted away is missing from the residuals; the caller's fits leave few such unknowns.
    return np.asarray(np.interp(expected, centres, np.maximum(means, 1e-300)))


class _Field:
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
