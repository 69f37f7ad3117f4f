"""The part of an image that a network looks at: the rectangle around a region, and columns back on the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_atomseg.core.columns import NETWORK_POSITION, Columns
from napari_atomseg.localise.detection.find import searched_part
from napari_atomseg.networks.card import BEAM, LOCAL, ModelCard

NORMALISATION = 24.0
"""How far around a place the local mean is of use that images are divided by: two standard deviations of it, Angstrom."""


def searched_box(
    plane: Any, region: np.ndarray | None, card: ModelCard, pixel_size: tuple[float, float]
) -> tuple[np.ndarray | None, tuple[slice, slice] | None, str]:
    """Where a network looks for columns of a region: so far around it that it sees there what it sees in the whole image.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Numpy or lazy.
    region : ndarray of bool, shape (Y, X), or None
    card : ModelCard
    pixel_size : tuple of float, Angstrom, (y, x)

    Returns
    -------
    region : ndarray of bool, shape (Y, X), or None
        Without frames and bars.
    box : tuple of slice, or None
        The rectangle to look at; None for all.
    words : str
        Frames and bars in words; empty if there are none.
    """
    searched, words = searched_part(plane, region)
    box, within = box_of(searched), box_of(searched_part(plane, None)[0]) if region is not None else None
    if box is None or region is None:
        return searched, box, words
    return searched, box_around(box, card, pixel_size, plane.shape, within), words


def box_around(
    box: tuple[slice, slice],
    card: ModelCard,
    pixel_size: tuple[float, float],
    shape: tuple[int, ...],
    within: tuple[slice, slice] | None = None,
) -> tuple[slice, slice]:
    """A box with all around it that a network's answer inside depends on.

    Parameters
    ----------
    box : tuple of slice
    card : ModelCard
    pixel_size : tuple of float, Angstrom, (y, x)
    shape : tuple of int, px
        (..., Y, X) of the image.
    within : tuple of slice, optional
        The most that may be looked at; by default the image.
    """
    reach = card.reach_px * card.native_sampling + (NORMALISATION if card.normalisation in (LOCAL, BEAM) else 0.0)
    limits = within or (slice(0, shape[-2]), slice(0, shape[-1]))
    rows, columns = (
        slice(max(one.start - int(np.ceil(reach / size)), limit.start), min(one.stop + int(np.ceil(reach / size)), limit.stop))
        for one, size, limit in zip(box, pixel_size, limits, strict=True)
    )
    return rows, columns


def inner(box: tuple[slice, slice] | None, wide: tuple[slice, slice] | None) -> tuple[slice, slice] | None:
    """Where a box lies in a wider one around it; None for all where there is none."""
    if box is None or wide is None:
        return None
    rows, columns = (slice(one.start - more.start, one.stop - more.start) for one, more in zip(box, wide, strict=True))
    return rows, columns


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
