"""How well a column's position is known: Fisher information of its pixels, with the neighbours' share taken off."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import numpy as np

from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.least_squares import WindowProblem, window_problem
from napari_atomseg.localise.refinement.parallel import each
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.shape import SIGMA, SLANT, STRETCH, X, Y, derivatives
from napari_atomseg.localise.refinement.windows import pairs_of

RIDGE = 1e-7
TOUCHING = 3.5
"""Columns nearer than this, in sigma, are stated together ..."""
MOST_TOUCHING = 6
"""... with so many others at most."""
WIDTHS_SPREAD, SHAPES_SPREAD = 0.3, 0.3
"""Own widths are expected to differ by so much of the median, and e1 and e2 by so much: one probe made all columns. Where
columns are bright this has no weight."""
LEFT_OVER = 1e-5
"""Smallest eigenvalue, of information scaled to ones, that single precision lets be believed."""


def cramer_rao_bound(
    sigma: float, height: float, background: float, *, pixel_variance: float | None = None, gain: float = 1.0, radius: float = 4.0
) -> float:
    """Smallest standard deviation, per axis in px, with which a lone Gaussian column can be located.

    Parameters
    ----------
    sigma : float
        Width of the column, px.
    height, background : float
        Intensities.
    pixel_variance : float, optional
        Variance of every pixel; by default that of counting noise, `gain` times the expected intensity.
    gain : float
        Variance for each unit of intensity.
    radius : float
        Radius of the window in units of sigma.

    Notes
    -----
    Height, background and width are taken for known; they do not correlate with the position of a column in the
    middle of its window. Without background and with counting noise it is sigma / sqrt(counts) (Bettens et al.,
    Ultramicroscopy 77, 37 (1999), Eq. 27).
    """
    reach = int(np.ceil(radius * sigma))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    shape = np.exp(-(y**2 + x**2) / (2 * sigma**2))
    expected = background + height * shape
    variance = gain * np.maximum(expected, 1e-300) if pixel_variance is None else np.full_like(expected, pixel_variance)
    inside = np.hypot(y, x) <= reach
    slope = height * shape * x / sigma**2
    return float(1 / np.sqrt(np.sum((slope**2 / variance)[inside])))


def covariances(
    problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray, own: tuple[int, ...], pairs: np.ndarray
) -> Generator[Progress, None, tuple[np.ndarray, np.ndarray]]:
    """Covariance of (y, x) of each column, and how much larger its residuals are than the noise level says.

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns of the model together.
    model : ndarray, shape (N, 8)
    own : tuple of int
        Parameters that each column has for itself, the position first.
    pairs : ndarray of int, shape (K, 2)
        Ordered pairs of columns that reach into each other's windows.

    Returns
    -------
    covariance : ndarray, shape (N, 2, 2), px squared
    surplus : ndarray, shape (N,)
        Mean squared residual in units of the variance; 1 where model and noise level are right.

    Notes
    -----
    With H the information of a column, G that of a neighbour and C their cross term, the column knows H - C G^-1 C^T
    if the neighbour is unknown (Schur complement). For neighbours that touch that is not enough, since each window has
    its own background: there the estimates solve A step = gradient with the blocks of all that touch the column, and
    their covariance is A^-1 B A^-T, B being that of the gradients (the "sandwich" of Huber, Proc. 5th Berkeley Symp. 1,
    221 (1967)). What all columns share is taken for known.
    """
    free = len(own)
    information = np.zeros((len(model), free, free))
    surplus = np.ones(len(model))
    rows, columns, crosses = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros((0, free, free))]
    work = partial(_known_of_each, problem, canvas, model, own, pairs)
    for number, (chunk, known) in enumerate(each(work, problem.chunks(np.arange(len(model))))):
        yield Progress(number * len(chunk), len(model), "stating uncertainties")
        information[chunk], surplus[chunk], mine, other, cross = known
        rows.append(chunk[mine])
        columns.append(other)
        crosses.append(cross)
    _add_prior(information, float(np.median(model[:, SIGMA])), own)
    information += RIDGE * np.einsum("nii->ni", information)[:, None, :] * np.eye(free)
    first, second, cross = np.concatenate(rows), np.concatenate(columns), np.concatenate(crosses)
    apart = np.hypot(*(model[first][:, [Y, X]] - model[second][:, [Y, X]]).T) / model[first, SIGMA]
    far = apart > TOUCHING
    left = _less_of_neighbours(information, first[far], second[far], cross[far])
    found = pseudo_inverses(left)
    yield from _touching(problem, canvas, model, own, (first[~far], second[~far], cross[~far]), left, found)
    return found[:, :2, :2], surplus


def _known_of_each(
    problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray, own: tuple[int, ...], pairs: np.ndarray, chunk: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Information and surplus of a chunk of columns; and of their pairs the row in the chunk, the other, the cross term."""
    task = weighted_problem(problem, canvas, model, chunk)
    residual, slopes = task.linearised(model[chunk], own)
    freedom = np.maximum(np.sum(task.windows.weight > 0, axis=1) - len(own) - 1, 1)
    mine, other = pairs_of(chunk, pairs)
    near = task.windows[mine]
    _, theirs = derivatives(*near.distances(model[other]), model[other], own)
    theirs *= near.weight[:, None]
    cross = (slopes[mine] @ theirs.transpose(0, 2, 1)).astype(np.float64)
    return slopes @ slopes.transpose(0, 2, 1), np.einsum("np,np->n", residual, residual) / freedom, mine, other, cross


def _add_prior(information: np.ndarray, usual: float, own: tuple[int, ...]) -> None:
    """Add to information (N, F, F), in place, that the shapes of columns do not differ much."""
    for name, spread in ((SIGMA, WIDTHS_SPREAD * usual), (STRETCH, SHAPES_SPREAD), (SLANT, SHAPES_SPREAD)):
        if name in own:
            information[:, own.index(name), own.index(name)] += 1 / spread**2


def weighted_problem(problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray, rows: np.ndarray) -> WindowProblem:
    """The windows of some rows of a model (N, 8), each pixel weighted by its own noise whatever the likelihood.

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns of the model together, without background.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    rows : ndarray of int
    """
    return window_problem(*problem.fitted_windows(canvas, rows, model[rows], each_its_own=True), problem.params.background)


def _less_of_neighbours(information: np.ndarray, first: np.ndarray, second: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Information (N, F, F) of each column when its neighbours, each for itself, are unknown."""
    shares = cross @ pseudo_inverses(information)[second] @ cross.transpose(0, 2, 1)
    left = information.copy()
    np.subtract.at(left, first, np.where(np.isfinite(shares), shares, 0.0))
    # Where little is left the neighbours cannot be told apart; the column alone is then the better statement.
    enough = np.asarray((np.linalg.eigvalsh(_scaled(left)[0]) > LEFT_OVER).all(axis=1))
    return np.where(enough[:, None, None], left, information)


def _touching(
    problem: RefinementProblem,
    canvas: np.ndarray,
    model: np.ndarray,
    own: tuple[int, ...],
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    information: np.ndarray,
    found: np.ndarray,
) -> Generator[Progress, None, None]:
    """Put the covariances of columns with touching neighbours into `found` (N, F, F), in place."""
    first, second, cross = pairs
    free = len(own)
    common = np.zeros_like(cross)
    for part in problem.chunks(np.arange(len(first)), 2 * len(problem.offsets)):
        yield Progress(int(part[0]), len(first), "stating uncertainties")
        common[part] = _common_information(problem, canvas, model, own, first[part], second[part])
    place = {pair: number for number, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True))}
    starts = np.searchsorted(first, np.arange(len(model) + 1))
    for row in np.unique(first):
        group = [int(row), *second[starts[row] : starts[row + 1]][:MOST_TOUCHING].tolist()]
        matrix = np.zeros((len(group), free, len(group), free))
        middle = np.zeros_like(matrix)
        for up, one in enumerate(group):
            for down, other in enumerate(group):
                number = place.get((one, other))
                if one == other:
                    matrix[up, :, down] = middle[up, :, down] = information[one]
                elif number is not None:
                    matrix[up, :, down], middle[up, :, down] = cross[number], common[number]
        size = len(group) * free
        flat, outer = _scaled(matrix.reshape(1, size, size))
        inverse = np.linalg.pinv(flat[0], rcond=1e-7)
        whole = inverse @ (middle.reshape(size, size) / outer[0]) @ inverse.T / outer[0]
        if np.isfinite(whole).all() and (np.diag(whole)[:2] > 0).all():
            found[row] = whole[:free, :free]


def _common_information(
    problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray, own: tuple[int, ...], first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Covariance (K, F, F) of the gradients of two columns: only the pixels of both windows tell both."""
    one, other = (weighted_problem(problem, canvas, model, rows) for rows in (first, second))
    mine, theirs = one.linearised(model[first], own)[1], other.linearised(model[second], own)[1]
    reach = int(np.abs(problem.offsets).max())
    side = 2 * reach + 1
    table = np.full((side + 2, side + 2), -1)
    table[problem.offsets[:, 0] + reach + 1, problem.offsets[:, 1] + reach + 1] = np.arange(len(problem.offsets))
    shifted = problem.offsets + (one.windows.centre - other.windows.centre)[:, None]
    inside = np.clip(shifted + reach + 1, 0, side + 1)
    pixel = table[inside[..., 0], inside[..., 1]]
    both = (pixel >= 0)[:, None]
    there = np.take_along_axis(theirs, np.maximum(pixel, 0)[:, None], axis=2) * both
    return np.asarray((mine @ there.transpose(0, 2, 1)).astype(np.float64))


def pseudo_inverses(matrices: np.ndarray) -> np.ndarray:
    """Inverses of symmetric matrices (N, F, F) of mixed units; what is not seen at all gets 0."""
    scaled, outer = _scaled(matrices)
    return np.asarray(np.linalg.pinv(scaled, rcond=1e-7, hermitian=True) / outer)


def _scaled(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices with a diagonal of ones, and what they were divided by."""
    finite = np.where(np.isfinite(matrices).all(axis=(1, 2))[:, None, None], matrices, 0.0)
    diagonal = np.einsum("nii->ni", finite)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    outer = scale[:, :, None] * scale[:, None, :]
    return finite / outer, outer
