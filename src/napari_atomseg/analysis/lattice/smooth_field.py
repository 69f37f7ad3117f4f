"""Local means of what scattered columns carry, on a coarse grid: cheap for any number of columns."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_FINEST = 1200  # grid points along a side at most, whatever the extent of the columns


class SmoothField:
    """Gaussian local means of values at scattered positions.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px
        Everything that will be asked about lies within their extent, or is taken at its border.
    step : float, px
        From one grid point to the next.
    width : float, px
        Standard deviation of the Gaussian.
    """

    def __init__(self, positions: np.ndarray, step: float, width: float) -> None:
        low, high = positions.min(axis=0), positions.max(axis=0)
        self.step = max(step, float((high - low).max()) / _FINEST)
        self._sigma = max(width / self.step, 0.5)
        margin = 2 * self.step
        self._origin = low - margin
        self.shape = tuple(int(size) for size in np.ceil((high - low + 2 * margin) / self.step).astype(int) + 1)

    def sums(self, positions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Smoothed sums on the grid, real or complex.

        Parameters
        ----------
        positions : ndarray, shape (N, 2), px, (y, x)
            Within the extent that the field was made for.
        values : ndarray, shape (N,)
            Real or complex.

        Returns
        -------
        ndarray, of the shape of the grid
            For :meth:`at`.
        """
        cells = np.rint((positions - self._origin) / self.step).astype(int)
        flat = np.ravel_multi_index(tuple(cells.T), self.shape)
        size = self.shape[0] * self.shape[1]
        if np.iscomplexobj(values):
            real = np.bincount(flat, values.real, minlength=size)
            grid = real + 1j * np.bincount(flat, values.imag, minlength=size)
        else:
            grid = np.bincount(flat, values, minlength=size)
        smooth = ndimage.gaussian_filter(grid.reshape(self.shape), self._sigma, mode="constant")
        return np.asarray(smooth)

    def at(self, grid: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Grid values between grid points.

        Parameters
        ----------
        grid : ndarray
            Of :meth:`sums`.
        positions : ndarray, shape (K, 2), px, (y, x)

        Returns
        -------
        ndarray, shape (K,)
            Interpolated linearly; beyond the grid the values of its border.
        """
        places = ((positions - self._origin) / self.step).T
        return np.asarray(ndimage.map_coordinates(grid, places, order=1, mode="nearest"))

    def mean(self, positions: np.ndarray, values: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Local means of scattered values, weighted by the Gaussian.

        Parameters
        ----------
        positions : ndarray, shape (N, 2), px, (y, x)
            Where the values belong to, within the extent that the field was made for.
        values : ndarray, shape (N,) or (N, M)
            Real.
        where : ndarray, shape (K, 2), px, (y, x)
            Where means are asked for; beyond the grid those of its border are taken.

        Returns
        -------
        ndarray, shape (K,) or (K, M), in the unit of `values`
            0 where no position is near.
        """
        weight = np.maximum(self.at(self.sums(positions, np.ones(len(positions))), where), 1e-12)
        columns = values.reshape(len(positions), -1).T
        means = np.stack([self.at(self.sums(positions, column), where) / weight for column in columns], axis=-1)
        return np.asarray(means.reshape(len(where), *values.shape[1:]))
