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
HALF = 2 * np.log(2)


def blank_model(count: int) -> np.ndarray:
    """Model of `count` columns, all zero."""
    return np.zeros((count, PARAMETERS))


def squared_distance(dy: np.ndarray, dx: np.ndarray, model: np.ndarray) -> np.ndarray:
    """q of each pixel, from its distance (N, P) to the centre of its column; shape (N, P)."""
    width = model[:, SIGMA, None].astype(dy.dtype) ** 2
    if is_round(model):
        return np.asarray((dy * dy + dx * dx) / width)
    stretch, slant = model[:, STRETCH, None].astype(dy.dtype), model[:, SLANT, None].astype(dy.dtype)
    return np.asarray(((1 + stretch) * dy * dy + (1 - stretch) * dx * dx - 2 * slant * dy * dx) / width)


def profile(squared: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Columns of unit height, from q (N, P); shape (N, P)."""
    core = np.exp(-squared / 2)
    if not model[:, TAIL].any():
        return np.asarray(core)
    tail = model[:, TAIL, None].astype(squared.dtype)
    return np.asarray((1 - tail) * core + tail / (1 + squared / HALF))


def derivatives(dy: np.ndarray, dx: np.ndarray, model: np.ndarray, which: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Columns of unit height (N, P), and derivatives of the columns as they are by the asked parameters, (N, F, P)."""
    squared = squared_distance(dy, dx, model)
    shape = profile(squared, model)
    kind = squared.dtype
    height, inverse = model[:, HEIGHT, None].astype(kind), (1 / model[:, SIGMA, None] ** 2).astype(kind)
    tail = model[:, TAIL, None].astype(kind)
    if tail.any():
        lorentz = 1 / (1 + squared / HALF)
        steepness = height * ((1 - tail) * np.exp(-squared / 2) / 2 + tail * lorentz**2 / HALF)
    else:
        steepness = height * shape / 2
    stretch, slant = model[:, STRETCH, None].astype(kind), model[:, SLANT, None].astype(kind)
    round_ones = is_round(model)
    found = np.empty((len(model), len(which), dy.shape[1]), kind)
    for place, name in enumerate(which):
        if name == HEIGHT:
            found[:, place] = shape
        elif name == Y:
            along = dy if round_ones else (1 + stretch) * dy - slant * dx
            np.multiply(steepness * (2 * inverse), along, out=found[:, place])
        elif name == X:
            along = dx if round_ones else (1 - stretch) * dx - slant * dy
            np.multiply(steepness * (2 * inverse), along, out=found[:, place])
        elif name == SIGMA:
            np.multiply(steepness * (2 / model[:, SIGMA, None]).astype(kind), squared, out=found[:, place])
        elif name == STRETCH:
            found[:, place] = steepness * inverse * (dx * dx - dy * dy)
        elif name == SLANT:
            found[:, place] = steepness * inverse * 2 * dy * dx
        elif name == TAIL:
            found[:, place] = height * (1 / (1 + squared / HALF) - np.exp(-squared / 2))
        else:
            raise ValueError(f"no shape depends on parameter {name}")
    return shape, found


def is_round(model: np.ndarray) -> bool:
    """True if every column is round."""
    return not model[:, STRETCH : SLANT + 1].any()


def axes(model: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Widths along the long and the short axis, px, and the angle of the long axis from x towards y, rad; each (N,)."""
    flatness = np.hypot(model[:, STRETCH], model[:, SLANT])
    angle = np.arctan2(model[:, SLANT], model[:, STRETCH]) / 2
    return model[:, SIGMA] / np.sqrt(1 - flatness), model[:, SIGMA] / np.sqrt(1 + flatness), angle
