"""The statistics of single electrons."""

from __future__ import annotations

import numpy as np

from napari_atomseg.core.quantities import Angstrom


def electrons_per_pixel(dose: float, pixel_size: Angstrom) -> float:
    """Electrons that the beam puts into one square pixel; `dose` in e/A2."""
    return dose * pixel_size**2


def count_electrons(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counted electrons: independent Poisson numbers, whose variance is their mean.

    Parameters
    ----------
    expected : ndarray
        Expected electrons per pixel; values below zero count as zero.
    rng : Generator
        Source of chance.

    Returns
    -------
    ndarray of float32
        Whole numbers, same shape.
    """
    return rng.poisson(np.clip(expected, 0, None)).astype(np.float32)
