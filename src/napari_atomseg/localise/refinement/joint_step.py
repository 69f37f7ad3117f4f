"""One step for all columns of an image together, so that overlapping ones come to rest as fast as lone ones.

Fitting each column with its neighbours as they are (block Gauss-Seidel) crawls where columns overlap. Here the equations
of all windows are linearised in all columns at once, and in what all columns share (a width, the share of the tails, one
background), which is the joint problem of De Backer et al., Ultramicroscopy 171, 104 (2016), Eq. 1; the sparse system is
solved iteratively (GMRES of Saad & Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986)).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.least_squares import window_problem
from napari_atomseg.localise.refinement.parallel import each
from napari_atomseg.localise.refinement.problem import MEDIAN_OF_SQUARES, REACH, SPIKE, TAIL_REACH, RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, TAIL, X, Y, derivatives
from napari_atomseg.localise.refinement.windows import add_columns, cut, pairs_of, window_offsets

TOLERANCE = 1e-3
SUBSPACE = 40
RIDGE = 1e-6
HIGHEST = 3.0
"""A rest that is so many times higher than a typical column is none."""
STRANGEST = 100.0
"""A column that leaves so many times more in its window than most is not one of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """What all columns and what they share should change by.

    Attributes
    ----------
    own : ndarray, shape (N, F)
    shared : ndarray, shape (S,)
    error : ndarray, shape (N,)
        About the standard deviation of a position, all else known, in sigma.
    levels : ndarray, shape (N,)
        Background under each column before the step.
    """

    own: np.ndarray
    levels: np.ndarray
    shared: np.ndarray
    error: np.ndarray


@dataclass(eq=False)
class _Equations:
    """Normal equations of some columns, and of what is shared; filled chunk by chunk.

    `border` is what the shared parameters do to the equations of each column, `back` what each column does to those of
    the shared parameters, in its own window and in those of its neighbours.
    """

    levels: np.ndarray
    blocks: np.ndarray
    gradient: np.ndarray
    border: np.ndarray
    back: np.ndarray
    corner: np.ndarray
    corner_gradient: np.ndarray
    rows: list[np.ndarray]
    columns: list[np.ndarray]
    cross: list[np.ndarray]


def coupled_step(
    problem: RefinementProblem,
    canvas: np.ndarray,
    model: np.ndarray,
    active: np.ndarray,
    pairs: np.ndarray,
    own: tuple[int, ...],
    shared: tuple[int, ...],
    damping: np.ndarray,
    trusted: np.ndarray | None,
) -> Generator[Progress, None, Step]:
    """Gauss-Newton (Fisher scoring) step of the joint problem.

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns of the model together.
    model : ndarray, shape (M, 8)
    active : ndarray of int, shape (N,)
        The columns to be moved, ascending.
    pairs : ndarray of int, shape (K, 2)
        Ordered pairs of columns that pull at each other.
    own, shared : tuple of int
        Parameters that each column has for itself, and those that all have together.
    damping : ndarray, shape (N,)
        Marquardt's, of each column's own parameters.
    trusted : ndarray of bool, shape (M,), or None
        Columns that tell the shared parameters; not needed where there are none.
    """
    trusted = np.ones(len(model), bool) if trusted is None else trusted
    place = np.full(len(model), -1)
    place[active] = np.arange(len(active))
    equations = yield from _gathered(problem, canvas, model, active, place, pairs, own, shared, trusted)
    error = 1 / np.sqrt(np.maximum(equations.blocks[:, 0, 0] + equations.blocks[:, 1, 1], 1e-30) / 2) / model[active, SIGMA]
    equations.blocks += (damping[:, None] * np.einsum("nii->ni", equations.blocks))[:, None, :] * np.eye(len(own))
    step, common = _solved(equations)
    return Step(own=step, levels=equations.levels, shared=common, error=error)


def _gathered(
    problem: RefinementProblem,
    canvas: np.ndarray,
    model: np.ndarray,
    active: np.ndarray,
    place: np.ndarray,
    pairs: np.ndarray,
    own: tuple[int, ...],
    shared: tuple[int, ...],
    trusted: np.ndarray,
) -> Generator[Progress, None, _Equations]:
    count, free, common = len(active), len(own), len(shared)
    slopes_of_all = _slopes_of_all(problem, model, shared, trusted)
    equations = _Equations(
        levels=np.zeros(count),
        blocks=np.zeros((count, free, free)),
        gradient=np.zeros((count, free)),
        border=np.zeros((count, free, common)),
        back=np.zeros((count, free, common)),
        corner=np.zeros((common, common)),
        corner_gradient=np.zeros(common),
        rows=[],
        columns=[],
        cross=[],
    )
    work = partial(_part, problem, canvas, model, place, pairs, own, slopes_of_all, LEVEL not in shared, trusted)
    for first, (chunk, part) in enumerate(each(work, problem.chunks(active))):
        yield Progress(first * len(chunk), len(active), "fitting all together")
        rows = place[chunk]
        equations.levels[rows], equations.blocks[rows], equations.gradient[rows] = part.levels, part.blocks, part.gradient
        equations.border[rows] = part.border
        equations.back[rows] += part.border
        equations.rows.append(rows[part.mine])
        equations.columns.append(part.others)
        equations.cross.append(part.cross)
        np.add.at(equations.back, part.others, part.back)
        equations.corner += part.corner
        equations.corner_gradient += part.corner_gradient
    if LEVEL in shared:
        _add_corner_of_image(equations, problem, canvas, slopes_of_all, model[active])
    return equations


class _Part(NamedTuple):
    """What a chunk of columns adds to the equations; `mine` are rows of the chunk, `others` places of their neighbours."""

    levels: np.ndarray
    blocks: np.ndarray
    gradient: np.ndarray
    border: np.ndarray
    mine: np.ndarray
    others: np.ndarray
    cross: np.ndarray
    back: np.ndarray
    corner: np.ndarray
    corner_gradient: np.ndarray


def _part(
    problem: RefinementProblem,
    canvas: np.ndarray,
    model: np.ndarray,
    place: np.ndarray,
    pairs: np.ndarray,
    own: tuple[int, ...],
    slopes_of_all: np.ndarray,
    by_windows: bool,
    trusted: np.ndarray,
    chunk: np.ndarray,
) -> _Part:
    weighted, others = problem.fitted_windows(canvas, chunk, model[chunk])
    task = window_problem(weighted, others, problem.params.background)
    residual, slopes = task.linearised(model[chunk], own)
    common = len(slopes_of_all)
    of_all = slopes_of_all.reshape(common, problem.image.size)[:, weighted.index].transpose(1, 0, 2) * weighted.weight[:, None]
    of_all = task.without_background(of_all.astype(np.float32))
    of_all *= trusted[chunk][:, None, None]
    mine, other = pairs_of(chunk, pairs) if len(pairs) else (np.zeros(0, int), np.zeros(0, int))
    known = place[other] >= 0
    mine, other = mine[known], other[known]
    near = weighted[mine]
    _, theirs = derivatives(*near.distances(model[other]), model[other], own)
    theirs *= near.weight[:, None]
    return _Part(
        levels=task.levels(model[chunk]),
        blocks=slopes @ slopes.transpose(0, 2, 1),
        gradient=(slopes @ residual[:, :, None])[:, :, 0],
        border=slopes @ of_all.transpose(0, 2, 1),
        mine=mine,
        others=place[other],
        cross=(slopes[mine] @ theirs.transpose(0, 2, 1)).astype(np.float64),
        back=by_windows * (theirs @ of_all[mine].transpose(0, 2, 1)),
        corner=by_windows * np.einsum("nsp,ntp->st", of_all, of_all, dtype=np.float64),
        corner_gradient=by_windows * np.einsum("nsp,np->s", of_all, residual, dtype=np.float64),
    )


def trusted_columns(problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray) -> np.ndarray:
    """False for columns that have no say in what all share, since they stand on a label or on nothing, shape (N,).

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns of the model together, without background.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    """
    there = np.flatnonzero((model[:, HEIGHT] != 0) & np.isfinite(model).all(axis=1))
    left = np.zeros(len(model))

    def rest(chunk: np.ndarray) -> np.ndarray:
        task = window_problem(*problem.fitted_windows(canvas, chunk, model[chunk]), problem.params.background)
        residual, _ = task.linearised(model[chunk], (Y,))
        return np.asarray(np.einsum("np,np->n", residual, residual))

    for chunk, found in each(rest, problem.chunks(there)):
        left[chunk] = found
    usual = float(np.median(left[there])) if len(there) else 0.0
    return np.asarray(left <= STRANGEST * max(usual, 1e-30))


def _slopes_of_all(problem: RefinementProblem, model: np.ndarray, shared: tuple[int, ...], trusted: np.ndarray) -> np.ndarray:
    """Derivative of the whole image, as the trusted columns make it, by each shared parameter, shape (S, Y, X)."""
    found = np.zeros((len(shared), *problem.image.shape))
    there = np.flatnonzero((model[:, HEIGHT] != 0) & np.isfinite(model).all(axis=1))
    there = there[trusted[there]]
    shapes = tuple(name for name in shared if name != LEVEL)
    if LEVEL in shared:
        found[shared.index(LEVEL)] = 1.0
    if not shapes or len(there) == 0:
        return found
    reach = TAIL_REACH if TAIL in shared else REACH
    offsets = window_offsets(min(max(reach * float(np.max(model[there, SIGMA])), problem.radius + 1.5), problem.farthest))
    for chunk in problem.chunks(there, len(offsets)):
        windows = cut(problem.image, problem.valid, model[chunk][:, [Y, X]], offsets, problem.shifts)
        _, slopes = derivatives(*windows.distances(model[chunk]), model[chunk], shapes)
        for name, values in zip(shapes, slopes.transpose(1, 0, 2), strict=True):
            add_columns(found[shared.index(name)], windows, values)
    return found


def _add_corner_of_image(
    equations: _Equations, problem: RefinementProblem, canvas: np.ndarray, slopes: np.ndarray, model: np.ndarray
) -> None:
    """What the pixels of the whole image, each once, say of the shared parameters."""
    level, highest = float(model[0, LEVEL]), HIGHEST * float(np.median(np.abs(model[:, HEIGHT])))
    variance = problem.image_variance(canvas + level)
    residual = problem.image - canvas - level
    strange = residual**2 / variance
    # A spike is no electron, nor is a label; what is no higher than a column may be one that is not fitted yet.
    usual = max(1.0, float(np.median(strange)) / MEDIAN_OF_SQUARES)
    spike = (strange > SPIKE**2 * usual) & (np.abs(residual) > highest)
    weighted = np.where(problem.valid & ~spike, slopes / variance, 0.0).reshape(len(slopes), -1)
    equations.corner += weighted @ slopes.reshape(len(slopes), -1).T
    equations.corner_gradient += weighted @ residual.ravel()


def _solved(equations: _Equations) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the columns (N, F) and of the shared parameters (S,)."""
    count, free = equations.gradient.shape
    common = len(equations.corner)
    inverse = _inverses(equations.blocks)
    # Divided by its own block, each column asks for the same; what is left between columns is small but where they touch.
    right = inverse @ np.concatenate([equations.gradient[:, :, None], equations.border], axis=2)
    if sum(map(len, equations.rows)):
        rows = np.concatenate(equations.rows)
        between = sparse.coo_array(
            ((inverse[rows] @ np.concatenate(equations.cross)).ravel(), _places(rows, np.concatenate(equations.columns), free)),
            shape=(count * free, count * free),
        ).tocsr()
        matrix = between + sparse.eye_array(count * free, format="csr")
        flat = right.reshape(count * free, 1 + common)
        right = np.stack([_iterated(matrix, column) for column in flat.T], axis=1).reshape(count, free, 1 + common)
    alone, answers = right[:, :, 0], right[:, :, 1:]
    if not common:
        return alone, np.zeros(0)
    corner = equations.corner - np.einsum("nfs,nft->st", equations.back, answers)
    gradient = equations.corner_gradient - np.einsum("nfs,nf->s", equations.back, alone)
    if not (np.isfinite(corner).all() and np.isfinite(gradient).all()):
        return alone, np.zeros(common)
    scale = np.sqrt(np.where(np.diag(corner) > 1e-30, np.diag(corner), 1.0))
    shared = np.linalg.lstsq(corner / np.outer(scale, scale), gradient / scale, rcond=1e-8)[0] / scale
    return alone - answers @ shared, shared


def _places(rows: np.ndarray, columns: np.ndarray, free: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the entries of blocks, flattened."""
    entry = np.arange(free)
    down = np.broadcast_to(rows[:, None, None] * free + entry[:, None], (len(rows), free, free))
    right = np.broadcast_to(columns[:, None, None] * free + entry, (len(rows), free, free))
    return down.ravel(), right.ravel()


def _iterated(matrix: sparse.csr_array, right: np.ndarray) -> np.ndarray:
    found, code = linalg.bicgstab(matrix, right, rtol=TOLERANCE, maxiter=SUBSPACE)
    if code:
        found, _ = linalg.gmres(matrix, right, rtol=TOLERANCE, restart=SUBSPACE, maxiter=2)
    return np.asarray(found)


def _inverses(blocks: np.ndarray) -> np.ndarray:
    """Inverse of each block (N, F, F), scaled and a little damped; zero where a parameter is not seen at all."""
    diagonal = np.einsum("nii->ni", blocks)
    seen = np.isfinite(diagonal) & (diagonal > 0)
    scale = np.sqrt(np.where(seen, diagonal, 1.0))
    outer = scale[:, :, None] * scale[:, None, :]
    scaled = np.where(np.isfinite(blocks), blocks, 0.0) / outer + RIDGE * np.eye(blocks.shape[1])
    scaled += (~seen)[:, :, None] * np.eye(blocks.shape[1])
    both = seen[:, :, None] & seen[:, None, :]
    return np.asarray(np.where(both, np.linalg.inv(scaled) / outer, 0.0))
