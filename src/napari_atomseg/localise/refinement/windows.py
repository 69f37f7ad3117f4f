"""Round windows around columns, gathered into batches, and the image of all columns together.

Pixels are counted from each window's own centre in single precision, so that rounding does not grow with the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import spatial

from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, X, Y, profile, squared_distance


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Pixels around each column of a chunk.

    Attributes
    ----------
    centre : ndarray of int, shape (N, 2)
        The pixel in the middle of each window.
    offsets : ndarray of float32, shape (P, 2)
        Pixels of a window, from its middle.
    index : ndarray of int, shape (N, P)
        Place of each pixel in the flattened image; those outside the image point to one inside, and have no weight.
    values : ndarray of float32, shape (N, P)
        Intensities.
    weight : ndarray of float32, shape (N, P)
        Weight of each pixel's residual; 0 outside the image and on invalid pixels.
    shift : ndarray of float32, shape (2, N, P), or None
        How far, along y and x, the row of each pixel was displaced when it was recorded, px.
    """

    centre: np.ndarray
    offsets: np.ndarray
    index: np.ndarray
    values: np.ndarray
    weight: np.ndarray
    shift: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray) -> Windows:
        return Windows(
            centre=self.centre[rows],
            offsets=self.offsets,
            index=self.index[rows],
            values=self.values[rows],
            weight=self.weight[rows],
            shift=None if self.shift is None else self.shift[:, rows],
        )

    def weighted(self, weight: np.ndarray) -> Windows:
        """The same pixels with other weights."""
        return replace(self, weight=weight.astype(np.float32))

    def distances(self, model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance (dy, dx) of each pixel from the column that the window is paired with, each (N, P), px."""
        from_centre = (model[:, [Y, X]] - self.centre).astype(np.float32)
        dy = self.offsets[:, 0] - from_centre[:, :1]
        dx = self.offsets[:, 1] - from_centre[:, 1:]
        return (dy, dx) if self.shift is None else (dy - self.shift[0], dx - self.shift[1])

    def columns(self, model: np.ndarray) -> np.ndarray:
        """What the columns of a model (N, 8) give, each in its window; shape (N, P)."""
        shape = profile(squared_distance(*self.distances(model), model), model)
        return np.asarray(model[:, HEIGHT, None].astype(np.float32) * shape)


def window_offsets(radius: float) -> np.ndarray:
    """Pixels (P, 2) of a disc around the origin."""
    reach = int(np.ceil(radius))
    offsets = np.argwhere(np.ones((2 * reach + 1, 2 * reach + 1))) - reach
    return np.asarray(offsets[np.hypot(*offsets.T) <= radius])


def window_radius(positions: np.ndarray, sigma: float, window: float) -> float:
    """`window` sigmas, and wider where columns stand apart: without some background, width and level cannot be told apart.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
    sigma : float, px
        Width of the columns.
    window : float
        Least radius in units of it.
    """
    points = positions[np.isfinite(positions).all(axis=1)]
    apart = float(np.median(spatial.cKDTree(points).query(points, k=2)[0][:, 1])) if len(points) > 1 else np.inf
    return max(2.5, window * sigma, min(0.6 * apart, 2 * window * sigma))


def cut(
    image: np.ndarray, valid: np.ndarray, centres: np.ndarray, offsets: np.ndarray, shifts: np.ndarray | None = None
) -> Windows:
    """Windows around the pixels nearest to given places.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    valid : ndarray of bool, shape (Y, X)
        Where the image holds something.
    centres : ndarray, shape (N, 2), px
        Not finite counts as (0, 0).
    offsets : ndarray of int, shape (P, 2)
        Of :func:`window_offsets`.
    shifts : ndarray, shape (Y, 2), px, optional
        How far each row was displaced.

    Returns
    -------
    Windows
        With weight 1 on valid pixels inside the image.
    """
    centre = np.round(np.clip(np.nan_to_num(centres), -1e6, 1e6)).astype(np.intp)
    height, width = image.shape
    index = (centre[:, :1] * width + centre[:, 1:]) + (offsets[:, 0] * width + offsets[:, 1])
    weight = np.ones(index.shape, np.float32)
    reach = int(np.abs(offsets).max(initial=0))
    cut_off = np.flatnonzero(np.any((centre < reach) | (centre >= np.array(image.shape) - reach), axis=1))
    if len(cut_off):
        y, x = centre[cut_off, :1] + offsets[:, 0], centre[cut_off, 1:] + offsets[:, 1]
        row, column = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
        index[cut_off] = row * width + column
        weight[cut_off] = (row == y) & (column == x)
    if not valid.all():
        weight *= valid.ravel()[index]
    return Windows(
        centre=centre,
        offsets=offsets.astype(np.float32),
        index=index,
        values=image.ravel()[index].astype(np.float32, copy=False),
        weight=weight,
        shift=None if shifts is None else np.moveaxis(shifts[index // width].astype(np.float32), 2, 0),
    )


def add_columns(canvas: np.ndarray, windows: Windows, values: np.ndarray) -> None:
    """Add pixels (N, P) of windows to an image (Y, X), in place.

    Parameters
    ----------
    canvas : ndarray, shape (Y, X)
        Changed in place.
    windows : Windows
    values : ndarray, shape (N, P)
    """
    if values.size == 0:
        return
    index, given = windows.index.ravel(), values.ravel() * (windows.weight.ravel() > 0)
    first = int(index.min())
    summed = np.bincount(index - first, weights=given)
    canvas.reshape(-1)[first : first + len(summed)] += summed


def pairs_within(model: np.ndarray, distance: float) -> np.ndarray:
    """Ordered pairs (i, j), sorted by i, of columns nearer to each other than `distance`, px; shape (M, 2).

    Parameters
    ----------
    model : ndarray, shape (N, 8)
        One column a row; see :mod:`.shape`.
    distance : float, px
    """
    there = np.flatnonzero(np.isfinite(model[:, [Y, X, SIGMA]]).all(axis=1) & (model[:, HEIGHT] != 0))
    if len(there) == 0:
        return np.zeros((0, 2), int)
    pairs = there[spatial.cKDTree(model[there][:, [Y, X]]).query_pairs(distance, output_type="ndarray")]
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return np.asarray(both[np.argsort(both[:, 0], kind="stable")])


def pairs_of(chunk: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of all pairs those whose first column is in the chunk (ascending): its row in the chunk, and the other column.

    Parameters
    ----------
    chunk : ndarray of int
        Rows of the model, ascending.
    pairs : ndarray of int, shape (M, 2)
        See :func:`pairs_within`.
    """
    first, last = np.searchsorted(pairs[:, 0], [chunk[0], chunk[-1] + 1])
    near = pairs[first:last]
    place = np.minimum(np.searchsorted(chunk, near[:, 0]), len(chunk) - 1)
    mine = chunk[place] == near[:, 0]
    return place[mine], near[mine, 1]
