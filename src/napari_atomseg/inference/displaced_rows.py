"""How far the rows of a scanned image were displaced, where the lattice of its columns tells it, and the image without that."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_atomseg.core.jobs import Steps
from napari_atomseg.inference.detection.columns import native_columns
from napari_atomseg.inference.frame_maps import frame_maps
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import PixelSizeEstimate
from napari_atomseg.inference.postprocess.scan_rows import row_shifts, rows_put_back
from napari_atomseg.inference.whole_normalisation import cut_off
from napari_atomseg.networks.zoo import Model

OF_LATTICE = ("columns", "background")
"""Maps from which the lattice is told."""


def displaced_rows(plane: Any, model: Model, size: PixelSizeEstimate, device: str = "cpu") -> Steps[np.ndarray | None]:
    """Displacement of each row of an image.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Numpy or lazy.
    model : Model
        A network for columns.
    size : PixelSizeEstimate
        What a pixel is taken for.
    device : str

    Yields
    ------
    Progress

    Returns
    -------
    ndarray, shape (Y, 2), px, (y, x)
        By which each row is displaced; None where the lattice does not tell it.

    Raises
    ------
    ModelError
        If the model does not know such images.
    """
    told = NetworkParams(straighten=False, alike=False, device=device)  # type: ignore[arg-type]  # checked there
    maps, _ = yield from frame_maps(plane, model, OF_LATTICE, told, size)
    native = row_shifts(native_columns(maps, model.card), maps.grid.native_shape[0])
    if native is None:
        return None
    rows = maps.grid.to_image(np.stack([np.arange(len(native)), np.zeros(len(native))], axis=1))[:, 0]
    ratio = model.card.native_sampling / np.array(size.size)
    return np.stack([np.interp(np.arange(plane.shape[0]), rows, native[:, axis]) for axis in (0, 1)], axis=1) * ratio


def straight_image(plane: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """An image with its rows where they belong; hot and dead pixels, which would spread, are cut off first.

    Parameters
    ----------
    plane : ndarray, shape (Y, X)
        What is not finite takes the median of the image.
    shifts : ndarray, shape (Y, 2), px, (y, x)
        Of :func:`displaced_rows`.

    Returns
    -------
    ndarray, float32, shape (Y, X)
    """
    known = np.isfinite(plane)
    image = np.where(known, plane, np.median(plane[known]) if known.any() else 0.0).astype(np.float32)
    return rows_put_back(cut_off(torch.from_numpy(image)[None, None])[0, 0].numpy(), shifts)
