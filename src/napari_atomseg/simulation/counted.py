"""Images in fractions of the beam, as so many electrons show them."""

from __future__ import annotations

import numpy as np

from napari_atomseg.core.quantities import Angstrom


def counted(images: np.ndarray, dose: float, pixel_size: Angstrom, seed: int) -> np.ndarray:
    """Images with the counting noise of :mod:`napari_atomseg.noise.counting`, each of its own.

    Parameters
    ----------
    images : ndarray, shape (F, Y, X)
        Expected fractions of the beam; what is below zero counts as zero.
    dose : float, e/Å²
        Of the beam, for each image.
    pixel_size : float, Å
        Of square pixels.
    seed : int
        The same seed gives the same noise.

    Returns
    -------
    ndarray, float32, shape (F, Y, X)
        In fractions of the beam.
    """
    import torch

    from napari_atomseg.noise.counting import CountingParams, counting, electrons_per_pixel

    params = CountingParams(dose_scale=electrons_per_pixel(dose, pixel_size))
    seeds = [int(one) for one in np.random.SeedSequence(seed).generate_state(len(images), np.uint32) >> 1]
    expected = torch.from_numpy(np.maximum(images, 0).astype(np.float32))[:, None]
    return np.asarray(counting(expected, [params] * len(images), seeds)[:, 0].numpy())
