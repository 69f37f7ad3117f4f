"""Sites that show only when the evidence of all frames is added up."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def new_places(novelty: np.ndarray, places: np.ndarray, sigma: float, least: float, apart: float) -> np.ndarray:
    """Places (N, 2) of maxima of the evidence for further sites.

    Parameters
    ----------
    novelty : ndarray, shape (Y, X)
        Of :class:`Gathered`.
    places : ndarray, shape (S, 2), px
        Known sites.
    sigma : float, px
        Width of a column.
    least : float
        Evidence that a site has at least.
    apart : float, px
        Distance of sites at least.
    """
    size = 2 * int(np.ceil(max(sigma, apart / 2))) + 1
    top = (novelty == ndimage.maximum_filter(novelty, size)) & (novelty > least)
    found = np.argwhere(top).astype(float)
    found = found[np.argsort(-novelty[top], kind="stable")]
    kept: list[np.ndarray] = []
    for one in found:
        others = np.concatenate([places, np.array(kept).reshape(-1, 2)])
        if not len(others) or np.hypot(*(others - one).T).min() >= apart:
            kept.append(_between_pixels(novelty, one.astype(int)))
    return np.array(kept).reshape(-1, 2)


def _between_pixels(image: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """The place (2,) of a maximum, by a parabola along each axis; the pixel itself at the border."""
    place = pixel.astype(float)
    for axis in range(2):
        step = np.eye(2, dtype=int)[axis]
        if 0 < pixel[axis] < image.shape[axis] - 1:
            before, here, after = (float(image[tuple(pixel + k * step)]) for k in (-1, 0, 1))
            bend = before - 2 * here + after
            place[axis] += 0.5 * (before - after) / bend if bend < 0 else 0.0
    return place
