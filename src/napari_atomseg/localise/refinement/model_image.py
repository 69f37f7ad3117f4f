"""The image that fitted columns would give: what is left of the micrograph after it is what the fit does not explain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial import Delaunay, QhullError, cKDTree

from napari_atomseg.core.columns import TAIL_SHARE, Columns
from napari_atomseg.localise.refinement.problem import TAIL_REACH
from napari_atomseg.localise.refinement.shape import HALF

TRUNCATE = 5.0
"""A column gives nothing farther than so many sigmas from its centre."""
CHUNK_PIXELS = 1_000_000
"""Window pixels treated at once; bounds memory to some tens of MB beside the image."""
AROUND = 32
"""Outside of all columns the background is that of so many nearest ones, the nearer the more: one alone would give streaks."""
COARSE_NODES = 256
"""The background is interpolated between columns on at most so many nodes along each axis, and linearly between those."""


class Ellipses(NamedTuple):
    """Columns to be drawn: centre (N, 2), px, (y, x); height; widths, px; angle of the major axis from +x towards +y, rad.

    The last is the Lorentzian share of :mod:`napari_atomseg.localise.refinement.shape`.
    """

    centre: np.ndarray
    height: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    theta: np.ndarray
    tail: np.ndarray

    def rows(self, which: np.ndarray) -> Ellipses:
        """Some of them."""
        return Ellipses(*(values[which] for values in self))


def model_image(columns: Columns, shape: tuple[int, int]) -> np.ndarray:
    r"""Sum of the fitted Gaussians of one frame on their smooth background, in units of the micrograph's intensity.

    Parameters
    ----------
    columns : Columns
        Of one frame. Needs `intensity` (height above the background) and `sigma_px`; where `sigma_minor_px` and
        `theta_rad` are known, `sigma_px` is the width along the major axis, and `theta_rad` the angle of that axis from
        +x towards +y (clockwise on the screen, where y points down). Where only the angle is unknown, a round Gaussian
        of the same flux stands in. Failed columns and those with unknown values are left out.
    shape : tuple of int
        (Y, X).

    Returns
    -------
    ndarray of float32, shape (Y, X)
        The background lies linearly between the columns' `background`, and is that of the nearest columns outside of
        their hull, by inverse squared distance; 0 if none is known.

    Notes
    -----
    With u along the major axis and v across it,

    .. math:: I(y, x) = B(y, x) + \sum_n h_n \exp\left(-\frac{u^2}{2\sigma_n^2} - \frac{v^2}{2\sigma_{n,\mathrm{minor}}^2}\right),

    cut off at 5 sigma, where 4e-6 of the height is left, and at 12 where columns have tails; a column's flux without tails
    is 2 pi sigma sigma_minor h.
    """
    usable = (columns.features["fit"] != "failed").to_numpy() & np.isfinite(columns.positions).all(axis=1)
    fitted = columns.select(usable)
    return (_background(fitted, shape) + _gaussians(ellipses(fitted), shape)).astype(np.float32)


def ellipses(columns: Columns) -> Ellipses:
    """The Gaussians of the columns whose height and width are known."""
    values = columns.features[["intensity", "sigma_px", "sigma_minor_px", "theta_rad"]].to_numpy(dtype=float)
    known = np.isfinite(values[:, :2]).all(axis=1) & (values[:, 1] > 0)
    height, major, minor, theta = values[known].T
    minor = np.where(minor > 0, minor, major)
    askew = ~np.isfinite(theta)
    same_flux = np.sqrt(major * minor)
    return Ellipses(
        centre=columns.positions[known],
        height=height,
        major=np.where(askew, same_flux, major),
        minor=np.where(askew, same_flux, minor),
        theta=np.where(askew, 0.0, theta),
        tail=_tails(columns)[known],
    )


def _tails(columns: Columns) -> np.ndarray:
    """Lorentzian share of each column, shape (N,); 0 where none was fitted."""
    if TAIL_SHARE not in columns.features:
        return np.zeros(len(columns))
    return np.nan_to_num(columns.features[TAIL_SHARE].to_numpy(dtype=float))


def _gaussians(given: Ellipses, shape: tuple[int, int]) -> np.ndarray:
    """Sum of Gaussians without background, shape (Y, X)."""
    total = np.zeros(shape[0] * shape[1])
    # Nothing of a column that wide would be a column; this keeps its window, and thereby memory, bounded.
    truncate = TAIL_REACH if given.tail.any() else TRUNCATE
    reach = np.minimum(np.ceil(truncate * np.maximum(given.major, given.minor)), max(shape)).astype(int)
    for rows in _chunks(reach):
        index, values = _window_pixels(given.rows(rows), int(reach[rows].max()), shape)
        total += np.bincount(index, values, minlength=len(total))
    return total.reshape(shape)


def _chunks(reach: np.ndarray) -> Iterator[np.ndarray]:
    """Rows in an order in which windows of one size come together, a bounded number of pixels at a time."""
    order = np.argsort(reach, kind="stable")
    first = 0
    while first < len(order):
        # The last window of a chunk is its largest, so that the number is found from the largest window at hand.
        pixels = np.arange(1, len(order) - first + 1) * (2 * reach[order[first:]] + 1) ** 2
        count = max(1, int(np.searchsorted(pixels, CHUNK_PIXELS, side="right")))
        yield order[first : first + count]
        first += count


def _window_pixels(given: Ellipses, reach: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Place in the flattened image and value of every pixel in square windows of half side `reach`; both flat."""
    along = np.arange(-reach, reach + 1)
    middle = np.round(given.centre)
    y = (middle[:, :1] + along).astype(int)
    x = (middle[:, 1:] + along).astype(int)
    # Counted from the centre of each column single precision is enough.
    dy = (y - given.centre[:, :1]).astype(np.float32)[:, :, None]
    dx = (x - given.centre[:, 1:]).astype(np.float32)[:, None, :]
    cosine, sine = np.cos(given.theta), np.sin(given.theta)
    per_major, per_minor = given.major**-2, given.minor**-2
    yy, xx, yx = (
        coefficient.astype(np.float32)[:, None, None]
        for coefficient in (
            per_major * sine**2 + per_minor * cosine**2,
            per_major * cosine**2 + per_minor * sine**2,
            2 * (per_major - per_minor) * sine * cosine,
        )
    )
    squared = (yy * dy) * dy + (xx * dx) * dx
    if yx.any():
        squared += (yx * dy) * dx
    tail = given.tail.astype(np.float32)[:, None, None]
    inside = squared <= (TAIL_REACH if tail.any() else TRUNCATE) ** 2
    inside &= ((y >= 0) & (y < shape[0]))[:, :, None]
    inside &= ((x >= 0) & (x < shape[1]))[:, None, :]
    values = np.exp(-0.5 * squared)
    if tail.any():
        values = (1 - tail) * values + tail / (1 + squared / HALF)
    values *= given.height.astype(np.float32)[:, None, None]
    return (y[:, :, None] * shape[1] + x[:, None, :])[inside], values[inside]


def _background(columns: Columns, shape: tuple[int, int]) -> np.ndarray:
    """Background between and around the columns, shape (Y, X)."""
    level = columns.features["background"].to_numpy(dtype=float)
    known = np.isfinite(level)
    if not known.any():
        return np.zeros(shape)
    nodes = [np.linspace(0, length - 1, min(length, COARSE_NODES)) for length in shape]
    coarse = _between(columns.positions[known], level[known], nodes[0], nodes[1])
    return _along(_along(coarse, nodes[0], shape[0]).T, nodes[1], shape[1]).T


def _between(points: np.ndarray, values: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Values at evenly spaced nodes: linear between the points, those of the nearest points outside of their hull."""
    found = np.full((len(y), len(x)), np.nan)
    try:
        mesh = Delaunay(points)
    except QhullError:
        pass  # Fewer than three points, or all on one line: no hull.
    else:
        row, column, triangle, shares = _nodes_in_triangles(mesh, points, y, x)
        found[row, column] = np.sum(shares * values[mesh.simplices[triangle]], axis=1)
    outside = np.argwhere(~np.isfinite(found))
    if len(outside):
        places = np.column_stack([y[outside[:, 0]], x[outside[:, 1]]])
        distance, near = cKDTree(points).query(places, k=np.arange(1, min(AROUND, len(points)) + 1))
        weight = 1 / np.maximum(distance, 1e-6) ** 2
        found[outside[:, 0], outside[:, 1]] = np.sum(weight * values[near], axis=1) / weight.sum(axis=1)
    return found


def _nodes_in_triangles(
    mesh: Delaunay, points: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Row and column of each node (M,) that lies in a triangle, that triangle (M,), and the shares of its corners (M, 3).

    Every triangle asks the nodes in its frame. scipy asks all triangles about a node outside of them, which can take
    seconds for the flat ones at the rim of a perfect lattice.
    """
    corners = points[mesh.simplices]
    first = [np.searchsorted(nodes, corners[:, :, axis].min(axis=1)) for axis, nodes in enumerate((y, x))]
    last = [np.searchsorted(nodes, corners[:, :, axis].max(axis=1), side="right") for axis, nodes in enumerate((y, x))]
    wide = last[1] - first[1]
    count = (last[0] - first[0]) * wide
    triangle = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)
    row = first[0][triangle] + number // wide[triangle]
    column = first[1][triangle] + number % wide[triangle]
    affine = mesh.transform[triangle]
    offset = np.column_stack([y[row], x[column]]) - affine[:, 2]
    two = np.einsum("mij,mj->mi", affine[:, :2], offset)
    shares = np.column_stack([two, 1 - two.sum(axis=1)])
    # A triangle without area has no shares: NaN is not inside.
    inside = np.all(shares >= -1e-9, axis=1)
    return row[inside], column[inside], triangle[inside], shares[inside]


def _along(values: np.ndarray, nodes: np.ndarray, length: int) -> np.ndarray:
    """Values (M, ...) at the nodes, linearly at every pixel 0 ... length - 1 of the first axis."""
    if len(nodes) == length:
        return values
    place = np.arange(length) / (nodes[1] - nodes[0])
    lower = np.minimum(place.astype(int), len(nodes) - 2)
    share = (place - lower)[:, None]
    return np.asarray((1 - share) * values[lower] + share * values[lower + 1])
