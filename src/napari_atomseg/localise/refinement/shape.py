"""The shape of a column in an image: an elliptic Gaussian, with a Lorentzian share for the tails where asked for.

With d the distance from the centre, the profile depends on
q = [(1 + e1) dy^2 + (1 - e1) dx^2 - 2 e2 dy dx] / sigma^2 alone, which is smooth at the round column, e1 = e2 = 0:
exp(-q / 2), or with tails (1 - t) exp(-q / 2) + t / (1 + q / (2 ln 2)), a sum of two profiles of one half width (the
pseudo-Voigt profile of spectroscopy).
"""

from __future__ import annotations

import numpy as np

Y, X, SIGMA, HEIGHT, LEVEL, STRETCH, SLANT, TAIL = range(8)
"""Places of the parameters of a column in a row of a model, shape (N, 8): px, px, px, intensity, intensity, then e1, e2
and t, without unit."""
PARAMETERS = 8
FLATTEST = 0.9
"""Of the root of e1^2 + e2^2; it is an axis ratio of 4.4."""
HALF = 2 * float(np.log(2))


def blank_model(count: int) -> np.ndarray:
    """Model of `count` columns, all zero."""
    return np.zeros((count, PARAMETERS))


def squared_distance(dy: np.ndarray, dx: np.ndarray, model: np.ndarray) -> np.ndarray:
    """The q of each pixel, from its distance (N, P) to the centre of its column; shape (N, P).

    Parameters
    ----------
    dy, dx : ndarray, shape (N, P), px
        From the centre of each column to the pixels of its window.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    """
    width = model[:, SIGMA, None].astype(dy.dtype) ** 2
    if is_round(model):
        # In place: these arrays are large, and new memory costs more than the sums.
        squared = dy * dy
        squared += dx * dx
        squared /= width
        return np.asarray(squared)
    stretch, slant = model[:, STRETCH, None].astype(dy.dtype), model[:, SLANT, None].astype(dy.dtype)
    return np.asarray(((1 + stretch) * dy * dy + (1 - stretch) * dx * dx - 2 * slant * dy * dx) / width)


def profile(squared: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Columns of unit height, from q (N, P); shape (N, P).

    Parameters
    ----------
    squared : ndarray, shape (N, P)
        See :func:`squared_distance`.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    """
    core = squared * np.float32(-0.5)
    np.exp(core, out=core)
    if not model[:, TAIL].any():
        return np.asarray(core)
    tail = model[:, TAIL, None].astype(squared.dtype)
    return np.asarray((1 - tail) * core + tail / (1 + squared / HALF))


def derivatives(dy: np.ndarray, dx: np.ndarray, model: np.ndarray, which: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Columns of unit height (N, P), and derivatives of the columns as they are by the asked parameters, (N, F, P).

    Parameters
    ----------
    dy, dx : ndarray, shape (N, P), px
        From the centre of each column to the pixels of its window.
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    which : tuple of int, length F
        Columns of the model by which is derived.
    """
    squared = squared_distance(dy, dx, model)
    shape = profile(squared, model)
    found = np.empty((len(model), len(which), dy.shape[1]), squared.dtype)
    steepness = _steepness(squared, shape, model)
    for place, name in enumerate(which):
        if name == HEIGHT:
            found[:, place] = shape
        elif name == TAIL:
            found[:, place] = model[:, HEIGHT, None] * (1 / (1 + squared / HALF) - np.exp(-squared / 2))
        else:
            np.multiply(steepness, _slope(name, dy, dx, squared, model), out=found[:, place])
    return shape, found


def _steepness(squared: np.ndarray, shape: np.ndarray, model: np.ndarray) -> np.ndarray:
    """How fast a column falls with q, times 2 / sigma^2, shape (N, P)."""
    factor = (2 * model[:, HEIGHT, None] / model[:, SIGMA, None] ** 2).astype(squared.dtype)
    if not model[:, TAIL].any():
        return np.asarray(factor / 2 * shape)
    tail = model[:, TAIL, None].astype(squared.dtype)
    return np.asarray(factor * ((1 - tail) * np.exp(-squared / 2) / 2 + tail / (1 + squared / HALF) ** 2 / HALF))


def _slope(name: int, dy: np.ndarray, dx: np.ndarray, squared: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Derivative of -q by a parameter, times sigma^2 / 2, shape (N, P)."""
    if name in (Y, X):
        near, across, sign = (dy, dx, 1) if name == Y else (dx, dy, -1)
        if is_round(model):
            return near
        stretch, slant = (model[:, place, None].astype(dy.dtype) for place in (STRETCH, SLANT))
        return np.asarray((1 + sign * stretch) * near - slant * across)
    if name == SIGMA:
        return np.asarray(squared * model[:, SIGMA, None].astype(dy.dtype))
    if name == STRETCH:
        return np.asarray((dx * dx - dy * dy) / 2)
    if name == SLANT:
        return np.asarray(dy * dx)
    raise ValueError(f"no shape depends on parameter {name}")


def is_round(model: np.ndarray) -> bool:
    """True if every column is round."""
    return not model[:, STRETCH : SLANT + 1].any()


def axes(model: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Widths along the long and the short axis, px, and the angle of the long axis from x towards y, rad; each (N,)."""
    flatness = np.hypot(model[:, STRETCH], model[:, SLANT])
    angle = np.arctan2(model[:, SLANT], model[:, STRETCH]) / 2
    return model[:, SIGMA] / np.sqrt(1 - flatness), model[:, SIGMA] / np.sqrt(1 + flatness), angle
