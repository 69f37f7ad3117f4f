"""An image that multislice gives, of a scanning or of a transmission microscope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, eq=False)
class MultisliceImage:
    """A simulated image.

    Attributes
    ----------
    image : ndarray, float32, shape (Y, X), (S, Y, X) of a segmented detector, or (F, Y, X) of a focal series
        Fraction of the beam; pixel (i, j) lies i and j pixels from the corner of the field.
    pixel_size : tuple of float, Å, (y, x)
    notes : tuple of str
        What is to be known of it.
    seconds : float
        That it took.
    """

    image: np.ndarray
    pixel_size: tuple[float, float]
    notes: tuple[str, ...]
    seconds: float
