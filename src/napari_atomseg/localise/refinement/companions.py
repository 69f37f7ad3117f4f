"""Columns that nobody asked for, but that pull at those that were: light neighbours that no dark field shows by itself.

A phosphorus column 3 sigma beside one of indium is a shoulder of a tenth of its height; left out, it draws the indium column
by 2 pm. Such companions are looked for in what the fit leaves over and taken off the image before the positions are fitted
again. They are nuisances of the columns that were asked for, not found columns, and are forgotten afterwards.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, spatial

from napari_atomseg.localise.detection.noise_level import sampled_bands
from napari_atomseg.localise.detection.repair import mean_without_spikes
from napari_atomseg.localise.detection.response import DIFFERENCE, squared_gain
from napari_atomseg.localise.refinement.least_squares import of_unit_height
from napari_atomseg.localise.refinement.problem import RefinementProblem
from napari_atomseg.localise.refinement.recurring_sites import expected_heights, recurring_sites, tallest_apart
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, X, Y, blank_model, derivatives
from napari_atomseg.localise.refinement.uncertainty import pseudo_inverses
from napari_atomseg.localise.refinement.windows import cut, window_offsets

SEEN = 4.0
"""Standard deviations of the noise by which a spot must stand out to be looked at ..."""
BELIEVED = 3.0
"""... and its height by, when the columns beside it are free to explain it."""
LOWEST, HIGHEST = 0.015, 0.8
"""Height of a companion in units of that of the column nearest to it: less is the profile's own misfit, more is a column."""
NEAREST, FARTHEST = 1.6, 5.0
"""Distance of a companion to the column nearest to it, in sigma: nearer it cannot be told apart, farther it does no harm."""
NARROWER = 0.85
"""Width of the filter in units of that of the columns: beside a far stronger one a narrow filter sees more."""
WINDOW = 2.5
"""Radius, in sigma, of the window that tells a companion's height."""
MOST_BESIDE = 6
FREE = (Y, X, HEIGHT)


def find_companions(problem: RefinementProblem, canvas: np.ndarray, model: np.ndarray, sign: float) -> np.ndarray:
    """Unseen neighbours of the columns of a model (N, 8) at rest, as rows of a model (M, 8).

    `canvas` (Y, X) is all columns together. Bright spots (dark ones for `sign` -1) in what the model leaves over; their
    heights by least squares together with small changes of the columns beside them, which know their own windows, and
    shrunk by the share of noise in them.

    Parameters
    ----------
    problem : RefinementProblem
    canvas : ndarray, shape (Y, X)
        All columns of the model together, without background.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    sign : float
        +1 for bright columns, -1 for dark ones.
    """
    there = model[(model[:, HEIGHT] != 0) & np.isfinite(model).all(axis=1)]
    if len(there) == 0:
        return blank_model(0)
    canvas = canvas.astype(np.float32)
    variance = _variance(problem, canvas + np.float32(np.median(there[:, LEVEL])))
    found = _spots(problem, canvas, variance, there, sign)
    if len(found) == 0:
        return found
    height, error = _heights(problem, canvas, variance, there, found)
    _, nearest = spatial.cKDTree(there[:, [Y, X]]).query(found[:, [Y, X]])
    share = sign * height / np.abs(there[nearest, HEIGHT])
    kept = (error > 0) & (sign * height > BELIEVED * error) & (share > LOWEST) & (share < HIGHEST)
    found[:, HEIGHT] = height * (1 - (error / np.where(kept, height, 1.0)) ** 2)
    return _with_recurring(problem, canvas, variance, there, found[kept], sign)


def _with_recurring(
    problem: RefinementProblem, canvas: np.ndarray, variance: np.ndarray, there: np.ndarray, found: np.ndarray, sign: float
) -> np.ndarray:
    """Neighbours that recur at their common places beside all columns that may have them, and those that do not, as they are."""
    sites = recurring_sites(there, found)
    if len(sites.places) == 0:
        return found
    recurring = np.repeat(np.median(there, axis=0)[None], len(sites.places), axis=0)
    recurring[:, [Y, X]] = sites.places
    height, error = _heights(problem, canvas, variance, there, recurring)
    sigma = float(np.median(there[:, SIGMA]))
    rows = tallest_apart(sites, sign * height, NEAREST * sigma)
    recurring = recurring[rows]
    recurring[:, HEIGHT] = sign * expected_heights(sign * height[rows], error[rows], sites.kind[rows])
    alone = spatial.cKDTree(recurring[:, [Y, X]]).query(found[:, [Y, X]])[0] > NEAREST * sigma
    return np.concatenate([found[alone], recurring[recurring[:, HEIGHT] != 0]])


def _variance(problem: RefinementProblem, expected: np.ndarray) -> np.ndarray:
    """Variance of every pixel (Y, X); as large as differences of neighbouring pixels say, should the noise level be wrong."""
    variance = problem.image_variance(expected)
    ratios = []
    for rows in sampled_bands(expected.shape):
        rest = np.where(problem.valid[rows], problem.image[rows] - expected[rows], np.float32(0))
        ratios.append((ndimage.convolve(rest, DIFFERENCE, mode="reflect") ** 2 / variance[rows]).ravel())
    return variance * np.float32(max(1.0, mean_without_spikes(np.concatenate(ratios))))


def _spots(problem: RefinementProblem, canvas: np.ndarray, variance: np.ndarray, there: np.ndarray, sign: float) -> np.ndarray:
    """Maxima of the filtered rest that no noise makes, at a fitting distance from columns; rows of a model (M, 8)."""
    sigma, level = float(np.median(there[:, SIGMA])), float(np.median(there[:, LEVEL]))
    rest = np.where(problem.valid, problem.image - canvas - np.float32(level), np.float32(0))
    width = NARROWER * sigma
    response = -sign * width**2 * ndimage.gaussian_laplace(rest, width, mode="reflect", truncate=4.0)
    around = ndimage.gaussian_filter(variance, width / np.sqrt(2), mode="reflect")
    top = response == ndimage.maximum_filter(response, 2 * round(width) + 1, mode="nearest")
    places = np.argwhere(top & (response > SEEN * np.sqrt(around * squared_gain(width))))
    tree = spatial.cKDTree(there[:, [Y, X]])
    distance = tree.query(places)[0] if len(places) else np.zeros(0)
    places = places[(distance > NEAREST * sigma) & (distance < FARTHEST * sigma)]
    found = blank_model(len(places))
    # What all columns share, companions share too.
    found[:] = np.median(there, axis=0)
    found[:, [Y, X]] = places
    return found


def _heights(
    problem: RefinementProblem, canvas: np.ndarray, variance: np.ndarray, there: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Heights of companions and their standard deviations, each (M,)."""
    offsets = window_offsets(WINDOW * float(np.median(there[:, SIGMA])))
    _, beside = spatial.cKDTree(there[:, [Y, X]]).query(found[:, [Y, X]], k=np.arange(1, min(MOST_BESIDE, len(there)) + 1))
    known = _information(problem, variance, there)
    size = 2 + len(FREE) * beside.shape[1]
    height, error = np.zeros(len(found)), np.full(len(found), np.inf)
    for chunk in problem.chunks(np.arange(len(found)), size * len(offsets)):
        windows = cut(problem.image, problem.valid, found[chunk][:, [Y, X]], offsets, problem.shifts)
        expected = canvas.ravel()[windows.index] + found[chunk, LEVEL, None]
        weight = windows.weight / np.sqrt(variance.ravel()[windows.index])
        design = np.ones((len(chunk), size, len(offsets)))
        design[:, 0] = windows.columns(of_unit_height(found[chunk]))
        normal = np.zeros((len(chunk), size, size))
        for number, rows in enumerate(beside[chunk].T):
            part = slice(2 + len(FREE) * number, 2 + len(FREE) * (number + 1))
            design[:, part] = derivatives(*windows.distances(there[rows]), there[rows], FREE)[1]
            normal[:, part, part] = known[rows]
        design *= weight[:, None]
        normal += design @ design.transpose(0, 2, 1)
        gradient = np.einsum("nkp,np->nk", design, weight * (windows.values - expected))
        row = pseudo_inverses(normal)[:, 0]
        height[chunk] = np.einsum("nk,nk->n", row, gradient)
        error[chunk] = np.sqrt(np.maximum(row[:, 0], 0.0))
    return height, error


def _information(problem: RefinementProblem, variance: np.ndarray, there: np.ndarray) -> np.ndarray:
    """What its own window tells of each column's place and height, without its background; shape (N, 3, 3)."""
    found = np.zeros((len(there), len(FREE), len(FREE)))
    offsets = window_offsets(WINDOW * float(np.median(there[:, SIGMA])))
    for chunk in problem.chunks(np.arange(len(there)), len(FREE) * len(offsets)):
        windows = cut(problem.image, problem.valid, there[chunk][:, [Y, X]], offsets, problem.shifts)
        own = there[chunk]
        weight = windows.weight / np.sqrt(variance.ravel()[windows.index])
        slopes = derivatives(*windows.distances(own), own, FREE)[1] * weight[:, None]
        level = weight / np.sqrt(np.maximum(np.sum(weight**2, axis=1, keepdims=True), 1e-30))
        slopes = slopes - (slopes @ level[:, :, None]) * level[:, None]
        found[chunk] = slopes @ slopes.transpose(0, 2, 1)
    return found
