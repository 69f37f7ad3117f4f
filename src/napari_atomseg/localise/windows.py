"""Round windows around columns, gathered into batches, and what columns give in each other's windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import spatial

Y, X, SIGMA, HEIGHT, LEVEL = range(5)
"""Places of the parameters of a column in a row of a model, shape (N, 5): px, px, px, intensity, intensity."""
PROFILE_REACH = 3.0
"""Beyond so many sigmas a column gives nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Pixels around each column of a chunk.

    Attributes
    ----------
    y, x : ndarray of int, shape (N, P)
        Pixel coordinates; those outside the image are kept, but have no weight.
    values : ndarray, shape (N, P)
        Intensities.
    weight : ndarray, shape (N, P)
        Weight of each pixel's residual; 0 outside the image and on invalid pixels.
    """

    y: np.ndarray
    x: np.ndarray
    values: np.ndarray
    weight: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Windows:
        return Windows(y=self.y[rows], x=self.x[rows], values=self.values[rows], weight=self.weight[rows])

    def weighted(self, weight: np.ndarray) -> Windows:
        """The same pixels with other weights."""
        return replace(self, weight=weight)


def window_offsets(radius: float) -> np.ndarray:
    """Pixels (P, 2) of a disc around the origin."""
    reach = int(np.ceil(radius))
    offsets = np.argwhere(np.ones((2 * reach + 1, 2 * reach + 1))) - reach
    return np.asarray(offsets[np.hypot(*offsets.T) <= radius])


def window_radius(positions: np.ndarray, sigma: float, window: float) -> float:
    """`window` sigmas, and wider where columns stand apart: without some background, width and level cannot be told apart."""
    points = positions[np.isfinite(positions).all(axis=1)]
    apart = float(np.median(spatial.cKDTree(points).query(points, k=2)[0][:, 1])) if len(points) > 1 else np.inf
    return max(2.5, window * sigma, min(0.6 * apart, 2 * window * sigma))


def cut(image: np.ndarray, valid: np.ndarray, centres: np.ndarray, offsets: np.ndarray) -> Windows:
    """Windows of an image (Y, X) around the pixels nearest to `centres` (N, 2); weight 1 on valid pixels inside."""
    centre = np.round(np.nan_to_num(centres)).astype(int)
    y = centre[:, :1] + offsets[:, 0]
    x = centre[:, 1:] + offsets[:, 1]
    inside = (y >= 0) & (x >= 0) & (y < image.shape[0]) & (x < image.shape[1])
    row, column = np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)
    weight = (inside & valid[row, column]).astype(float)
    return Windows(y=y, x=x, values=image[row, column].astype(float), weight=weight)


def profile(windows: Windows, model: np.ndarray) -> np.ndarray:
    """Gaussian of unit height of each column in its window, shape (N, P)."""
    squared = (windows.y - model[:, Y, None]) ** 2 + (windows.x - model[:, X, None]) ** 2
    return np.asarray(np.exp(-squared / (2 * model[:, SIGMA, None] ** 2)))


def neighbour_pairs(model: np.ndarray, radius: float) -> np.ndarray:
    """Ordered pairs (i, j), sorted by i, of columns such that j reaches into the window of i; shape (M, 2)."""
    finite = np.flatnonzero(np.isfinite(model[:, :3]).all(axis=1))
    if len(finite) == 0:
        return np.zeros((0, 2), int)
    tree = spatial.cKDTree(model[finite, :2])
    reach = radius + PROFILE_REACH * float(np.median(model[finite, SIGMA]))
    pairs = finite[tree.query_pairs(reach, output_type="ndarray")]
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return np.asarray(both[np.argsort(both[:, 0], kind="stable")])


def pairs_of(chunk: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of all pairs those whose first column is in the chunk (ascending): its row in the chunk, and the other column."""
    first, last = np.searchsorted(pairs[:, 0], [chunk[0], chunk[-1] + 1])
    near = pairs[first:last]
    place = np.minimum(np.searchsorted(chunk, near[:, 0]), len(chunk) - 1)
    mine = chunk[place] == near[:, 0]
    return place[mine], near[mine, 1]


def sum_of_neighbours(windows: Windows, model: np.ndarray, chunk: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """What all neighbours together give in each window, shape (N, P); `chunk` is in ascending order."""
    total = np.zeros_like(windows.values)
    own, other = pairs_of(chunk, pairs)
    some = model[other, HEIGHT] != 0
    own, other = own[some], other[some]
    # Rank by rank, so that each addition touches a window only once and plain indexing suffices.
    rank = np.arange(len(own)) - np.searchsorted(own, own, side="left")
    for level in range(int(rank.max(initial=-1)) + 1):
        rows, columns = own[rank == level], other[rank == level]
        total[rows] += model[columns, HEIGHT, None] * profile(windows[rows], model[columns])
    return total
