"""How far a refinement is: the model, what is lost, what still moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import spatial

from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, SLANT, STRETCH, TAIL, X, Y

AT_REST = 1e-3
REST_IN_ERRORS = 0.03
"""A column that changes by less, in units of its width or of its error bar, is left alone."""
PULL = 5.0
"""Columns nearer than this, in sigma, pull at each other."""
FARTHEST = 2.2
"""No column is believed farther than this from where it was put, in sigma."""


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """How far the refinement is.

    Attributes
    ----------
    model : ndarray, shape (N, 8)
        Current parameters; height 0 for columns that are not there.
    faint : ndarray of bool, shape (N,)
        Too faint to be fitted, or on a neighbour's shoulder.
    away : ndarray of bool, shape (N,)
        Ran away at the last attempt.
    moved : ndarray, shape (N,)
        Last step, in units of what matters: 1 is at rest.
    sign : float
        +1 for bright columns, -1 for dark ones.
    """

    model: np.ndarray
    faint: np.ndarray
    away: np.ndarray
    moved: np.ndarray
    sign: float


JOINT = (Y, X, HEIGHT)
"""What each column has for itself when all are fitted together."""


def shape_parameters(params: RefineParams) -> tuple[int, ...]:
    """The parameters of a column's shape."""
    return (SIGMA, STRETCH, SLANT) if params.shape == "elliptic" else (SIGMA,)


def shared_parameters(params: RefineParams) -> tuple[int, ...]:
    """What all columns have together when all are fitted together."""
    return (*shape_parameters(params), *((TAIL,) if params.tails else ()), *((LEVEL,) if params.background == "shared" else ()))


def stated_parameters(params: RefineParams) -> tuple[int, ...]:
    """What is unknown of each column when its uncertainty is stated."""
    return (*JOINT, *shape_parameters(params)) if params.width == "each" else JOINT


def canvas_of(problem: RefinementProblem, model: np.ndarray) -> np.ndarray:
    """All columns of a model together, without background, shape (Y, X).

    Parameters
    ----------
    problem : RefinementProblem
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    """
    canvas = np.zeros(problem.image.shape)
    problem.add(canvas, model)
    return canvas


def restless_columns(moved: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Columns that are not at rest, and those that they pull at, shape (N,)."""
    restless = moved > 1
    grown = restless.copy()
    grown[pairs[restless[pairs[:, 1]], 0]] = True
    return grown


def replace_on(canvas: np.ndarray, problem: RefinementProblem, model: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """Give some columns new parameters, in the model and in the image of all, in place.

    Parameters
    ----------
    canvas : ndarray, shape (Y, X)
        Image of the model; changed.
    problem : RefinementProblem
    model : ndarray, shape (N, 8)
        One column a row, see :mod:`.shape`; changed.
    rows : ndarray of int, shape (M,)
        Columns that are replaced.
    values : ndarray, shape (M, 8)
        What they become.
    """
    before = model[rows].copy()
    before[:, HEIGHT] *= -1
    problem.add(canvas, before)
    model[rows] = values
    problem.add(canvas, model[rows])


def is_diverged(fitted: np.ndarray, start: np.ndarray, sign: float) -> np.ndarray:
    """True where a fit ran away, turned round or broke, shape (N,).

    Parameters
    ----------
    fitted, start : ndarray, shape (N, 8)
        Model after the fit and before it.
    sign : float
        +1 for bright columns, -1 for dark ones.
    """
    away = np.hypot(fitted[:, Y] - start[:, Y], fitted[:, X] - start[:, X]) > FARTHEST * start[:, SIGMA]
    return np.asarray(away | ~np.isfinite(fitted).all(axis=1) | (sign * fitted[:, HEIGHT] <= 0))


def without_lost(state: State) -> np.ndarray:
    """The model (N, 8) in which columns that are not there have no height."""
    model = state.model.copy()
    model[state.faint | state.away, HEIGHT] = 0
    return model


def nearest_others(positions: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Distance to the nearest other column that was fitted, shape (N,), px; infinity if there is none.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
    failed : ndarray of bool, shape (N,)
        Columns that were not fitted, which are no others.
    """
    closest = np.full(len(positions), np.inf)
    rows = np.flatnonzero(~failed)
    if len(rows) > 1:
        closest[rows] = spatial.cKDTree(positions[rows]).query(positions[rows], k=2)[0][:, 1]
    return closest
