r"""Heights of all columns and the background, fitted to the image together while the places stay.

.. math:: I(y, x) = \sum_k c_k B_k(y, x) + \sum_n h_n g_n(y, x)

with the Gaussians g_n as they were refined, of a common or their own width that is adjusted once more, because the background
it was refined on may have been another one (De Backer et al., Ultramicroscopy 171, 104 (2016), Eqs. 1-3, there with a constant
background). What is linear is solved exactly, the width by Gauss and Newton.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from napari_atomseg.analysis.intensities.fitted_field import Field, Shapes, System, neighbour_distance
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress

WIDTH_STEPS, AT_REST = 6, 2e-4
MOST_CHANGE = 0.3
"""Of the width, as a share."""
TOGETHER = 16
"""Groups of columns whose errors are asked for together."""
DRAWS = 2
"""Of signs for each group: what columns of a group have in common, such as one width for all, averages out."""
LEVELS = 12
"""Classes of brightness in which the variance of the residuals is read."""


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
    field = Field(image, shapes, background)
    own = bool(np.ptp(shapes.major) > 1e-3 * np.median(shapes.major))
    factor: Any = np.ones(len(shapes.major)) if own else 1.0
    base = field.background_design()
    for step in range(WIDTH_STEPS + 1):
        yield Progress(step, WIDTH_STEPS, "fitting heights and background")
        now = shapes.scaled(factor)
        unit, slopes = field.gaussians(now)
        field.hold_unseen(unit)
        heights, levels, _ = _solved(field, [unit, base], field.stiffness, base)
        if not adjust_widths:
            system = field.system([unit, base], field.stiffness)
            break
        system, moves = _step_of_widths(field, [unit, slopes, base], heights, levels, own)
        if step == WIDTH_STEPS or np.max(np.abs(moves)) < AT_REST:
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


def _step_of_widths(
    field: Field, parts: list[Any], heights: np.ndarray, levels: np.ndarray, own: bool
) -> tuple[System, np.ndarray | float]:
    """Equations with the widths among the unknowns, and how the logarithms of the widths should change, (N,) or all alike."""
    unit, slopes, base = parts
    change = sparse.csc_array(slopes @ sparse.diags_array(heights)) if own else sparse.csc_array((slopes @ heights)[:, None])
    residual = field.values - unit @ heights - base @ levels
    held = float(np.mean(residual**2)) / MOST_CHANGE**2 if own else 0.0
    columns = slice(0, len(heights))
    widths = slice(len(heights), len(heights) + change.shape[1])
    ridge = np.concatenate([field.stiffness[columns], np.full(change.shape[1], held), field.stiffness[len(heights) :]])
    system = field.system([unit, change, base], ridge)
    right = system.design.T @ residual
    right[widths.stop :] -= field.stiffness[len(heights) :] * levels
    moves = system.solve(right)[widths]
    return system, np.clip(moves if own else moves[0], -MOST_CHANGE / 2, MOST_CHANGE / 2)


def _solved(field: Field, parts: list[Any], ridge: np.ndarray, base: Any) -> tuple[np.ndarray, np.ndarray, System]:
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
