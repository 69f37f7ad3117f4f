"""Two images of the same field in one layer: of each pixel, one of them is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.layers.comparison import MIXED, frame_of, insert_made

SQUARES = 8
"""Squares of the checkerboard along the shorter side."""


def show_mixed(viewer: Any, image: Image, other: Image, mask: np.ndarray) -> Image:
    """A layer that is the other image where the mask (Y, X) says so, and the recorded one elsewhere.

    Parameters
    ----------
    viewer : napari viewer
    image, other : Image
        The recorded image, and one on its pixels.
    mask : ndarray of bool, shape (Y, X)
    """
    described = Micrograph(data=mixture(viewer, image, other, mask), pixel_size=None)
    active = viewer.layers.selection.active
    layer = insert_made(
        viewer,
        image,
        MIXED,
        described,
        frame_of(viewer, image),
        f"{image.name} | mixed",
        above=other,
        colormap=image.colormap,
        contrast_limits=tuple(image.contrast_limits),
        gamma=image.gamma,
        interpolation2d=image.interpolation2d,
    )
    viewer.layers.selection.active = active
    return layer


def mixture(viewer: Any, image: Image, other: Image, mask: np.ndarray) -> np.ndarray:
    """Pixels of both images, as bright as each is shown; where the other one does not reach, the recorded one is seen.

    Parameters
    ----------
    viewer : napari viewer
    image, other : Image
        The recorded image, and one on its pixels, or on a part of them.
    mask : ndarray of bool, shape (Y, X)
        True where the other one is taken.

    Returns
    -------
    ndarray, float32, shape (Y, X)
        In units of the recorded image.
    """
    recorded = _plane(viewer, image)
    made = _on_grid(_plane(viewer, other), recorded.shape, _corner(image, other))
    (dark, bright), (low, high) = image.contrast_limits, other.contrast_limits
    if (dark, bright) != (low, high):
        made = dark + (made - low) * ((bright - dark) / (high - low))
    return np.where(mask & np.isfinite(made), made, recorded)


def _plane(viewer: Any, layer: Image) -> np.ndarray:
    """The frame in view, or the only one."""
    if layer.ndim == 2:
        return np.asarray(layer.data, dtype=np.float32)
    return np.asarray(layer.data[frame_of(viewer, layer)], dtype=np.float32)


def _corner(image: Image, other: Image) -> tuple[int, int]:
    """Where on an image the first pixel of another one lies, px, (y, x)."""
    world = other.data_to_world((0,) * other.ndim)
    there = image.world_to_data((*(0,) * max(0, image.ndim - other.ndim), *world)[-image.ndim :])
    return round(float(there[-2])), round(float(there[-1]))


def _on_grid(plane: np.ndarray, shape: tuple[int, ...], corner: tuple[int, int]) -> np.ndarray:
    """A part of a field as the whole, NaN around it."""
    if plane.shape == shape:
        return plane
    found = np.full(shape, np.nan, np.float32)
    found[corner[0] : corner[0] + plane.shape[0], corner[1] : corner[1] + plane.shape[1]] = plane
    return found


def checkerboard(shape: tuple[int, int]) -> np.ndarray:
    """Every other square, shape (Y, X)."""
    side = max(1, min(shape) // SQUARES)
    rows, columns = (np.arange(length) // side % 2 == 1 for length in shape)
    return rows[:, None] ^ columns


def right_of(shape: tuple[int, int], share: float) -> np.ndarray:
    """All to the right of a share of the width, shape (Y, X)."""
    return np.broadcast_to(np.arange(shape[1]) >= round(share * shape[1]), shape)
