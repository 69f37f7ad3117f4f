"""Points too faint to be let loose: on nothing, or on the shoulder of a far stronger column; and a second look at them."""

from __future__ import annotations

import numpy as np
from scipy import spatial

from napari_atomseg.localise.refinement.least_squares import heights_and_levels
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, X, Y
from napari_atomseg.localise.refinement.windows import Windows

SEEN_AGAIN = 3.0
FAINTEST = 0.05
"""Of the strongest of the eight nearest."""
APART = 1.6
"""Nearer than so many sigmas two columns are one."""
CLAIM = 1.5
"""Farther than so many sigmas from where it was put no column is claimed."""
SHOULDER = 3.2
"""Within so many sigmas a column stands on its neighbour's shoulder ..."""
SHOULDER_SHARE = 0.35
"""... and must have this share of its height to be told from it while neighbours are held ..."""
JOINT_SHOULDER_SHARE = 0.2
"""... and this one where all are fitted together: no Gaussian follows a real column's shoulder better than to a tenth."""


def all_too_faint(model: np.ndarray, sign: float, *, shoulder: float = SHOULDER_SHARE) -> np.ndarray:
    """:func:`too_faint` for the columns of a model themselves, shape (N,).

    Parameters
    ----------
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    sign : float
        +1 for bright columns, -1 for dark ones.
    shoulder : float
        See :func:`too_faint`.
    """
    return too_faint(model, model[:, [Y, X]], np.arange(len(model)), model[:, HEIGHT], sign, shoulder=shoulder)


def too_faint(
    model: np.ndarray,
    positions: np.ndarray,
    rows: np.ndarray,
    heights: np.ndarray,
    sign: float,
    *,
    shoulder: float = SHOULDER_SHARE,
) -> np.ndarray:
    """True where a height is nothing beside its neighbourhood, or cannot be told from a neighbour's shoulder, shape (M,).

    `shoulder` is the share of the neighbour's height that a column on its shoulder must have.

    Parameters
    ----------
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    positions : ndarray, shape (M, 2), px, (y, x)
        Of the candidates.
    rows : ndarray of int, shape (M,)
        The row of the model that is the candidate itself, and no neighbour of it.
    heights : ndarray, shape (M,)
    sign : float
        +1 for bright columns, -1 for dark ones.
    shoulder : float
        Share of a neighbour's height.
    """
    usable = np.flatnonzero(np.isfinite(model[:, [Y, X, SIGMA]]).all(axis=1))
    if len(usable) == 0:
        return np.ones(len(rows), bool)
    tree = spatial.cKDTree(model[usable][:, [Y, X]])
    distance, near = tree.query(np.nan_to_num(positions), k=min(9, len(usable)))
    distance, near = distance.reshape(len(rows), -1), usable[near.reshape(len(rows), -1)]
    strength = np.where(near == np.asarray(rows)[:, None], 0.0, sign * model[near, HEIGHT])
    own = sign * heights
    on_shoulder = np.where(distance < SHOULDER * float(np.median(model[usable, SIGMA])), strength, 0.0)
    beside = np.maximum(strength.max(axis=1), own)
    return np.asarray((own < FAINTEST * beside) | (own < shoulder * on_shoulder.max(axis=1)) | ~np.isfinite(own))


def look_again(
    problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray, faint: np.ndarray, away: np.ndarray, sign: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Search for the lost around where they were put, on what the others leave of the image; the found may be fitted again.

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns drawn but the lost.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    faint : ndarray of bool, shape (N,)
        Columns that were lost because they were too faint, or on a neighbour's shoulder.
    away : ndarray of bool, shape (N,)
        Columns that were lost because they ran away.
    sign : float
        +1 for bright columns, -1 for dark ones.

    Returns
    -------
    model : ndarray, shape (N, 8)
        Columns that are still lost have no height.
    faint, away : ndarray of bool, shape (N,)
        False for the found.
    """
    model, faint, away = model.copy(), faint.copy(), away.copy()
    model[faint | away, HEIGHT] = 0
    for chunk in problem.chunks(np.flatnonzero(faint | away)):
        windows = problem.windows(chunk)
        others = problem.others(canvas, windows, model[chunk])
        candidate, significance = _best_place(problem, windows, others, model[chunk], problem.start[chunk, :2], sign)
        seen = sign * significance > SEEN_AGAIN
        seen &= ~too_faint(model, candidate[:, :2], chunk, candidate[:, HEIGHT], sign)
        seen &= _apart_from_others(model, candidate, faint | away)
        seen &= _nearest_claimants(problem.start[chunk][:, [Y, X]], candidate, seen)
        found = chunk[seen]
        model[found] = candidate[seen]
        faint[found] = away[found] = False
    return model, faint, away


def handed_over(problem: RefinementProblem, model: np.ndarray, faint: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give each column that a stranger has taken to the lost one that was put nearer to it; the stranger is lost instead.

    Parameters
    ----------
    problem : RefinementProblem
        Tells where columns were put.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    faint, away : ndarray of bool, shape (N,)
        Columns that are lost; see :func:`look_again`.

    Returns
    -------
    model : ndarray, shape (N, 8)
    faint, away : ndarray of bool, shape (N,)
    """
    model, faint, away = model.copy(), faint.copy(), away.copy()
    start = problem.start[:, [Y, X]]
    lost = faint | away
    there = np.flatnonzero(~lost & (model[:, HEIGHT] != 0))
    if not lost.any() or len(there) == 0:
        return model, faint, away
    place = model[there][:, [Y, X]]
    strayed = np.hypot(*(place - start[there]).T)
    tree = spatial.cKDTree(np.nan_to_num(start[lost], nan=-1e9))
    claim, claimant = tree.query(place)
    unjust = np.flatnonzero((claim < strayed) & (claim < CLAIM * model[there, SIGMA]))
    taken: set[int] = set()
    for row in unjust[np.argsort(claim[unjust])]:
        heir, stranger = int(np.flatnonzero(lost)[claimant[row]]), int(there[row])
        if heir not in taken:
            taken.add(heir)
            model[heir] = model[stranger]
            model[stranger, HEIGHT] = 0
            faint[heir] = away[heir] = False
            faint[stranger] = True
    return model, faint, away


def _nearest_claimants(start: np.ndarray, candidate: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """False for all but the one put nearest where several have found one and the same column, shape (N,)."""
    kept = np.ones(len(seen), bool)
    rows = np.flatnonzero(seen)
    if len(rows) < 2:
        return kept
    place = candidate[rows][:, [Y, X]]
    far = np.hypot(*(place - start[rows]).T)
    for first, second in spatial.cKDTree(place).query_pairs(APART * float(np.median(candidate[rows, SIGMA]))):
        kept[rows[first if far[first] > far[second] else second]] = False
    return kept


def _best_place(
    problem: RefinementProblem, windows: Windows, others: np.ndarray, model: np.ndarray, centre: np.ndarray, sign: float
) -> tuple[np.ndarray, np.ndarray]:
    """The place within 1.5 sigma of the start where a column explains most; nearer places are preferred a little."""
    best, significance, score = model.copy(), np.zeros(len(model)), np.full(len(model), -np.inf)
    weighted = problem.weighted(windows, others, model)
    for dy, dx in np.argwhere(np.ones((7, 7))) / 2 - 1.5:
        if np.hypot(dy, dx) > 1.52:
            continue
        trial = model.copy()
        trial[:, :2] = centre + np.array([dy, dx]) * model[:, SIGMA, None]
        trial[:, HEIGHT], trial[:, LEVEL], information = heights_and_levels(weighted, others, trial)
        found = trial[:, HEIGHT] * np.sqrt(information)
        value = sign * found - (dy**2 + dx**2) / 2
        better = value > score
        best[better], significance[better], score[better] = trial[better], found[better], value[better]
    return best, significance


def _apart_from_others(model: np.ndarray, candidate: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """True where no column that is there stands within 1.6 sigma of a candidate, shape (N,)."""
    present = model[~lost & np.isfinite(model[:, :2]).all(axis=1), :2]
    if len(present) == 0:
        return np.ones(len(candidate), bool)
    distance = spatial.cKDTree(present).query(np.nan_to_num(candidate[:, :2]))[0]
    return np.asarray(distance > APART * candidate[:, SIGMA])
