"""The pixels of a network laid over those of a micrograph, so that tiles of one meet tiles of the other."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

FINEST_SHARE = 16
"""Ratios of pixel sizes are fractions with at most this denominator; 3 % is the farthest that they are off."""
LEAST_SIDE = 16
"""Fewer native pixels than this along an axis show no columns to a network."""


@dataclass(frozen=True)
class NativeGrid:
    """Native pixels over an image.

    Attributes
    ----------
    shape : tuple of int
        (Y, X) of the image.
    ratio : tuple of Fraction
        Image pixels per native pixel along y and x.
    """

    shape: tuple[int, int]
    ratio: tuple[Fraction, Fraction]

    @property
    def native_shape(self) -> tuple[int, int]:
        """(Y, X) in native pixels; the last may reach beyond the image."""
        rows, columns = (ceil(side / ratio) for side, ratio in zip(self.shape, self.ratio, strict=True))
        return rows, columns

    @property
    def covering(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Sides of the smallest field over the image that is whole in both pixels: (Y, X) native, then (Y, X) of the image."""
        native = [
            -(-side // ratio.denominator) * ratio.denominator for side, ratio in zip(self.native_shape, self.ratio, strict=True)
        ]
        image = [int(side * ratio) for side, ratio in zip(native, self.ratio, strict=True)]
        return (native[0], native[1]), (image[0], image[1])

    def numbers_on_image(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers of regions (Y', X') in native pixels on the image's pixels, shape (Y, X): each takes the one that covers it."""
        rows, columns = (
            np.minimum(((np.arange(side) + 0.5) / float(ratio)).astype(int), native - 1)
            for side, ratio, native in zip(self.shape, self.ratio, numbers.shape, strict=True)
        )
        return np.asarray(numbers[rows[:, None], columns[None, :]])

    def to_image(self, positions: np.ndarray) -> np.ndarray:
        """Positions (N, 2) in image pixels from those in native pixels; corners of the field stay in place."""
        ratio = np.array([float(one) for one in self.ratio])
        return (np.asarray(positions, float).reshape(-1, 2) + 0.5) * ratio - 0.5


def native_grid(shape: tuple[int, int], pixel_size: tuple[float, float], native: float) -> NativeGrid:
    """The grid of a network over an image.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    pixel_size : tuple of float, Angstrom, (y, x)
    native : float, Angstrom
    """
    ratios = [_nearest(native / size) for size in pixel_size]
    return NativeGrid(shape, (ratios[0], ratios[1]))


def _nearest(ratio: float) -> Fraction:
    return max(Fraction(ratio).limit_denominator(FINEST_SHARE), Fraction(1, FINEST_SHARE))
