"""An image between its pixels, by cubic splines, and on the pixels of another image."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from napari_atomseg.registration.placement import Placement

_BEYOND = 7  # px, at most one less than LEAST_SIDE


class SplineImage:
    """An image between its pixels, by cubic splines, with its slopes.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        What is not finite, and the pixels beside it, is unknown.
    pixel_size : tuple of float, Å, (y, x)
    """

    def __init__(self, image: np.ndarray, pixel_size: tuple[float, float]) -> None:
        self.shape = image.shape
        self.pixel_size = np.array(pixel_size, float)
        finite = np.isfinite(image)
        self._unknown = None if finite.all() else ndimage.binary_dilation(~finite, iterations=2).astype(np.float32)
        filled = image.astype(float) if finite.all() else np.where(finite, image, image[finite].mean())
        # Columns that are cut by the border go on beyond it, or the spline would swing there.
        filled = np.pad(filled, _BEYOND, mode="reflect", reflect_type="odd")
        self._spline = ndimage.spline_filter(filled, 3, mode="mirror")
        # The slope of a cubic spline at its knots follows from its coefficients, exactly.
        knots, slope = np.array([1, 4, 1]) / 6, np.array([-0.5, 0, 0.5])
        self._slopes = []
        for axis in (0, 1):
            along = ndimage.correlate1d(self._spline, slope, axis, mode="mirror")
            at_knots = ndimage.correlate1d(along, knots, 1 - axis, mode="mirror")
            self._slopes.append(ndimage.spline_filter(at_knots / self.pixel_size[axis], 3, mode="mirror"))

    @property
    def extent(self) -> np.ndarray:
        """From the first to the last pixel, Å, (y, x)."""
        return (np.array(self.shape) - 1) * self.pixel_size

    def within(self, points: np.ndarray) -> np.ndarray:
        """True for points (N, 2), Å, that the image reaches, shape (N,)."""
        places = points / self.pixel_size
        # A little beyond the outermost pixel, so that a shift by less than that costs no row.
        inside = np.all((places >= -0.05) & (places <= np.array(self.shape) - 0.95), axis=1)
        if self._unknown is not None:
            inside &= ndimage.map_coordinates(self._unknown, places.T, order=1, mode="nearest") < 1e-3
        return inside

    def at(self, points: np.ndarray) -> np.ndarray:
        """Intensities at points (N, 2), Å, shape (N,)."""
        return self._between(self._spline, points)

    def slopes_at(self, points: np.ndarray) -> np.ndarray:
        """Slopes (y, x) per Å at points (N, 2), Å, shape (N, 2)."""
        return np.stack([self._between(slope, points) for slope in self._slopes], axis=1)

    def _between(self, spline: np.ndarray, points: np.ndarray) -> np.ndarray:
        places = points / self.pixel_size + _BEYOND
        return np.asarray(ndimage.map_coordinates(spline, places.T, order=3, mode="mirror", prefilter=False))


def resampled(surface: SplineImage, placement: Placement, shape: tuple[int, int], pixel_size: tuple[float, float]) -> np.ndarray:
    """The simulated image on the pixels of the experiment, float64 (Y, X); NaN where it does not reach.

    Parameters
    ----------
    surface : SplineImage
        The simulated image.
    placement : Placement
    shape : tuple of int
        Of the experiment.
    pixel_size : tuple of float, Å, (y, x)
        Of the experiment.
    """
    points = grid_points(shape, pixel_size)
    places = placement.on_simulation(points)
    known = surface.within(places)
    image = np.full(len(points), np.nan)
    image[known] = surface.at(places[known])
    return image.reshape(shape)


def points_of(image: np.ndarray, pixel_size: tuple[float, float], most: int) -> tuple[np.ndarray, np.ndarray]:
    """Known pixels of an image, evenly thinned to about `most`: their places (N, 2) in Å and their intensities (N,).

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        What is not finite is unknown.
    pixel_size : tuple of float, Å, (y, x)
    most : int
        Pixels, about.
    """
    rows = max(1, round(math.sqrt(image.size / most)))
    columns = max(1, math.ceil(image.size / most / rows))
    thinned = image[::rows, ::columns]
    points = grid_points(thinned.shape, (pixel_size[0] * rows, pixel_size[1] * columns))
    values = thinned.ravel().astype(float)
    known = np.isfinite(values)
    return points[known], values[known]


def grid_points(shape: tuple[int, ...], pixel_size: tuple[float, float]) -> np.ndarray:
    """Places (N, 2) of all pixels, Å.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    pixel_size : tuple of float, Å, (y, x)
    """
    rows, columns = np.arange(shape[0]) * pixel_size[0], np.arange(shape[1]) * pixel_size[1]
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
