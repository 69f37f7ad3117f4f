"""What the columns of an image look like beyond a Gaussian, learnt from all of them together.

Probe, source and channelling give a column tails and a core that no Gaussian has; where columns overlap, what one has too much
on its neighbour's side draws the neighbour. Its far side shows the same excess, so that the radial profile can be learnt from
the image itself: the part of the residuals that depends on nothing but the distance from each column, in units of sigma, and
(linearly) on the logarithm of the column's height. It is taken off the image before the positions are fitted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import BSpline

from napari_atomseg.localise.refinement.least_squares import window_problem
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, X, Y, squared_distance
from napari_atomseg.localise.refinement.windows import Windows, add_columns, cut, pairs_of, pairs_within, window_offsets

REACH = 5.0
"""The excess ends so many sigmas from the centre."""
TERMS = 8
"""Cubic splines along the radius."""
USUAL_EXCESS = 0.05
"""Coefficients are expected to be of this size, in units of the height; noise is not followed further than that asks for."""
LEARNT_FROM = 500
"""Windows of so many columns tell enough."""
RIDGE = 1e-3
"""Relative: without noise, too, what the windows hardly tell is left alone."""
FEWEST = 12
EQUAL_HEIGHTS = 0.1
"""Standard deviation of the logarithm of the heights below which all columns are of one kind."""
CONVINCING = 5.0
"""Standard deviations by which the misfit must fall for the excess to be believed."""
SAMPLES = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class ExcessProfile:
    """Radial excess of columns over a Gaussian, in units of the column's height.

    Attributes
    ----------
    coefficients : ndarray, shape (D, 8)
        Of the splines; D = 2 where it depends on the height.
    mean, spread : float
        Of the logarithm of the heights.
    """

    coefficients: np.ndarray
    mean: float
    spread: float

    def height_terms(self, model: np.ndarray) -> np.ndarray:
        """Of each column of a model (N, 8), shape (N, D)."""
        return _height_terms(model, self.mean, self.spread)[:, : len(self.coefficients)]


def learn_profile(problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray) -> ExcessProfile | None:
    """Excess of the columns of a model (N, 8) at rest on the problem's image; None unless the image asks for it.

    `canvas` (Y, X) is all columns of the model together.

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns of the model together, without background.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.

    Notes
    -----
    Regularised linear least squares of the weighted residuals of each window, without what the window's background and the
    position, height and width of its own column can make.
    """
    there = np.flatnonzero(model[:, HEIGHT] != 0)
    if len(there) < FEWEST:
        return None
    heights = np.log(np.abs(model[there, HEIGHT]))
    mean, spread = float(heights.mean()), float(heights.std())
    size = TERMS * (1 if spread < EQUAL_HEIGHTS else 2)
    chosen = there[:: -(-len(there) // LEARNT_FROM)]
    pairs = pairs_within(model, problem.radius + REACH * float(np.median(model[there, SIGMA])))
    normal, gradient, power, freedom = np.zeros((size, size)), np.zeros(size), 0.0, 0
    for chunk in problem.chunks(chosen, 2 * size * len(problem.offsets)):
        residual, design = _equations_of(problem, canvas, model, chunk, pairs, (mean, spread, size))
        normal += np.sum(design @ design.transpose(0, 2, 1), axis=0, dtype=np.float64)
        gradient += np.sum(design @ residual[:, :, None], axis=(0, 2), dtype=np.float64)
        power += float(np.sum(residual.astype(np.float64) ** 2))
        freedom += int(np.sum(residual != 0))
    found = np.linalg.solve(normal + np.diag(1 / USUAL_EXCESS**2 + RIDGE * np.diag(normal)), gradient)
    # In units of the noise that is there, should the noise level be wrong.
    fall = float(2 * gradient @ found - found @ normal @ found) / max(power / max(freedom, 1), 1e-30)
    if fall < size + CONVINCING * np.sqrt(2 * size):
        return None
    return ExcessProfile(coefficients=found.reshape(-1, TERMS), mean=mean, spread=spread)


def excess_image(problem: RefinementProblem, model: np.ndarray, profile: ExcessProfile) -> np.ndarray:
    """The excess of all columns of a model together, shape (Y, X).

    Parameters
    ----------
    problem : RefinementProblem
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    profile : ExcessProfile
    """
    found = np.zeros(problem.image.shape)
    there = np.flatnonzero((model[:, HEIGHT] != 0) & np.isfinite(model).all(axis=1))
    if len(there) == 0:
        return found
    offsets = window_offsets(min(REACH * float(model[there, SIGMA].max()) + 1, problem.farthest))
    curves = (profile.coefficients @ _splines()).astype(np.float32)
    for chunk in problem.chunks(there, len(offsets)):
        windows = cut(problem.image, problem.valid, model[chunk][:, [Y, X]], offsets, problem.shifts)
        place = _places(windows, model[chunk])
        terms = profile.height_terms(model[chunk]).astype(np.float32)
        values = sum(curve[place] * terms[:, number, None] for number, curve in enumerate(curves))
        add_columns(found, windows, values * model[chunk, HEIGHT, None].astype(np.float32))
    return found


def _equations_of(
    problem: RefinementProblem,
    canvas: np.ndarray,
    model: np.ndarray,
    chunk: np.ndarray,
    pairs: np.ndarray,
    kinds: tuple[float, float, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted residuals (N, P) of a chunk and derivatives by the coefficients (N, K, P), both without the column's own part."""
    mean, spread, size = kinds
    weighted, others = problem.fitted_windows(canvas, chunk, model[chunk])
    background = "local" if problem.params.background == "shared" else problem.params.background
    task = window_problem(weighted, others, background)
    own = (Y, X, HEIGHT, SIGMA)
    residual, slopes = task.linearised(model[chunk], own)
    design = np.zeros((len(chunk), weighted.index.shape[1], size), np.float32)
    mine, other = pairs_of(chunk, pairs)
    for rows, columns in ((np.arange(len(chunk)), chunk), (mine, other)):
        if len(rows) == 0:
            continue
        # Rows ascend: what belongs to one window is summed at once.
        places, starts = np.unique(rows, return_index=True)
        values = _sampled_splines()[_places(weighted[rows], model[columns])]
        terms = _height_terms(model[columns], mean, spread).astype(np.float32)
        values *= model[columns, HEIGHT, None, None].astype(np.float32)
        for order in range(size // TERMS):
            if order:
                values *= terms[:, order, None, None]
            design[places, :, order * TERMS : (order + 1) * TERMS] += np.add.reduceat(values, starts)
    design = task.without_background(np.ascontiguousarray(design.transpose(0, 2, 1)) * weighted.weight[:, None])
    products = slopes @ slopes.transpose(0, 2, 1)
    ridge = 1e-6 * np.einsum("nii->n", products)[:, None, None] * np.eye(len(own), dtype=np.float32) + 1e-30
    shares = np.linalg.solve(products + ridge, slopes @ design.transpose(0, 2, 1))
    return residual, design - shares.transpose(0, 2, 1) @ slopes


def _height_terms(model: np.ndarray, mean: float, spread: float) -> np.ndarray:
    """1, and how far the logarithm of the height lies from the usual in standard deviations, at most 2; shape (N, 2)."""
    apart = (np.log(np.maximum(np.abs(model[:, HEIGHT]), 1e-12)) - mean) / max(spread, 1e-12)
    return np.stack([np.ones(len(model)), np.clip(apart, -2, 2)], axis=1)


def _places(windows: Windows, model: np.ndarray) -> np.ndarray:
    """Index (N, P) into the sampled splines of the distance of each pixel from its column; the last beyond their reach."""
    distance = np.sqrt(squared_distance(*windows.distances(model), model))
    return np.minimum(distance * (SAMPLES / REACH), SAMPLES).astype(np.intp)


@lru_cache(maxsize=1)
def _splines() -> np.ndarray:
    """Cubic splines over the radius, even at the centre and smoothly zero at :data:`REACH`; shape (8, 1001)."""
    step = REACH / (TERMS + 2)
    radius = (np.arange(SAMPLES + 1) + 0.5) * REACH / SAMPLES
    knots = np.arange(-3, TERMS + 7) * step
    pieces = [
        np.nan_to_num(BSpline.basis_element(knots[first : first + 5], extrapolate=False)(radius)) for first in range(TERMS + 1)
    ]
    # Mirrored at the centre.
    pieces[2] += pieces[0]
    found = np.stack(pieces[1:])
    found[:, -1] = 0.0
    return found


@lru_cache(maxsize=1)
def _sampled_splines() -> np.ndarray:
    """The same with the splines of one radius side by side, shape (1001, 8)."""
    return np.ascontiguousarray(_splines().T, np.float32)
