"""How far the rows of a scanned image were displaced, where the lattice of its columns told it, and the image without that."""

from __future__ import annotations

import numpy as np
import torch

from napari_atomseg.inference.postprocess.scan_rows import rows_put_back
from napari_atomseg.inference.predict import Prediction
from napari_atomseg.inference.whole_normalisation import cut_off


def image_shifts(maps: Prediction) -> np.ndarray | None:
    """Displacement of each row of an image whose maps were straightened.

    Parameters
    ----------
    maps : Prediction
        As :func:`~napari_atomseg.inference.frame_maps.frame_maps` gives them.

    Returns
    -------
    ndarray, shape (Y, 2), px, (y, x)
        None if they were left as scanned.
    """
    if maps.shifts is None:
        return None
    number = len(maps.shifts)
    rows = maps.grid.to_image(np.stack([np.arange(number), np.zeros(number)], axis=1))[:, 0]
    ratio = np.array([float(one) for one in maps.grid.ratio])
    wanted = np.arange(maps.grid.shape[0])
    return np.stack([np.interp(wanted, rows, maps.shifts[:, axis]) for axis in (0, 1)], axis=1) * ratio


def straight_image(plane: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """An image with its rows where they belong; hot and dead pixels, which would spread, are cut off first.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        What is not finite takes the median of the image.
    shifts : ndarray, shape (Y, 2), px, (y, x)
        Of :func:`image_shifts`.

    Returns
    -------
    ndarray, float32, shape (Y, X)
    """
    known = np.isfinite(plane)
    image = np.where(known, plane, np.median(plane[known]) if known.any() else 0.0).astype(np.float32)
    return rows_put_back(cut_off(torch.from_numpy(image)[None, None])[0, 0].numpy(), shifts)
