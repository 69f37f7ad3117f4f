"""An image of one period of a specimen on any grid: exact, since what repeats is a sum of few waves."""

from __future__ import annotations

import numpy as np

from napari_atomseg.core.quantities import Angstrom


def on_grid(image: np.ndarray, pixel_size: tuple[float, float], wanted: Angstrom, shape: tuple[int, int]) -> np.ndarray:
    """The endless repetition of a periodic image at other pixels.

    Parameters
    ----------
    image : ndarray, shape (..., Y, X)
        One whole period.
    pixel_size : tuple of float, Angstrom, (y, x)
        Of the period's image.
    wanted : float, Angstrom
        Pixel size of the result; the first pixels lie on each other.
    shape : tuple of int
        (Y, X) of the result.
    """
    rows = _interpolation(image.shape[-2], wanted / pixel_size[0], shape[0])
    columns = _interpolation(image.shape[-1], wanted / pixel_size[1], shape[1])
    return np.asarray(rows @ image.astype(np.float64) @ columns.T)


def _interpolation(count: int, step: float, wanted: int) -> np.ndarray:
    """Periodic sinc functions of `count` pixels at places `step` px apart, shape (wanted, count)."""
    apart = np.pi * (np.arange(wanted)[:, None] * step - np.arange(count)[None])
    sine = np.sin(apart / count)
    whole = np.abs(sine) < 1e-12
    safe = np.where(whole, 1.0, sine)
    # An even number of pixels has a wave at the Nyquist frequency, which is shared by both signs.
    value = np.sin(apart) / (count * safe) * (np.cos(apart / count) if count % 2 == 0 else 1.0)
    return np.where(whole, 1.0, value)
