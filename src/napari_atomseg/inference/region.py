"""The part of an image that a network looks at: the rectangle around a region, and columns back on the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_atomseg.core.columns import NETWORK_POSITION, Columns


def box_of(region: np.ndarray | None) -> tuple[slice, slice] | None:
    """The rectangle around where a region is True; None for all."""
    if region is None or not region.any():
        return None
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def part_of(plane: Any, box: tuple[slice, slice] | None) -> Any:
    """A box of an image, or of every image of a stack, (..., Y, X); all of it where there is no box.

    Parameters
    ----------
    plane : array, shape (..., Y, X)
        Numpy or lazy dask.
    box : tuple of slice, or None
    """
    return plane if box is None else plane[(..., *box)]


def in_region(columns: Columns, box: tuple[slice, slice], region: np.ndarray) -> Columns:
    """Columns of a box in pixels of the whole image, those outside the region left out.

    Parameters
    ----------
    columns : Columns
        In pixels of the box.
    box : tuple of slice
        Rows and columns of the image.
    region : ndarray of bool, shape (Y, X)
        Of the image.
    """
    offset = np.array([box[0].start, box[1].start])
    believed = columns.features[list(NETWORK_POSITION)].to_numpy(dtype=float) + offset
    moved = Columns(
        positions=columns.positions + offset,
        features=columns.features.assign(**dict(zip(NETWORK_POSITION, believed.T, strict=True))),
    )
    pixel = np.clip(np.rint(moved.positions).astype(int), 0, np.array(region.shape) - 1)
    return moved.select(region[pixel[:, 0], pixel[:, 1]])
