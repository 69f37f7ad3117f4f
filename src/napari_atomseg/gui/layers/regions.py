"""Drawn shapes as a mask of image pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Shapes

from napari_atomseg.core.errors import AtomsegError

ELLIPSE_CORNERS = 64


def chosen_mask(viewer: Any, image: Image, choice: tuple[str, str] | None) -> np.ndarray | None:
    """Mask of a choice such as ``("inside", "Shapes")``, shape (Y, X); None for the whole image.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
    choice : tuple of str, or None
        ``inside`` or ``outside``, and the name of a Shapes layer.

    Raises
    ------
    AtomsegError
        If no shape has been drawn.
    """
    if choice is None:
        return None
    side, name = choice
    mask = mask_of(viewer.layers[name], image)
    if not mask.any():
        raise AtomsegError(f'"{name}" holds no closed shape on this image: draw a rectangle, polygon or ellipse first.')
    return mask if side == "inside" else ~mask


def mask_of(shapes: Shapes, image: Image) -> np.ndarray:
    """Pixels of an image that lie inside any of the drawn shapes, shape (Y, X).

    The layers need not share their transforms: corners go through the world.
    """
    from skimage.draw import polygon2mask

    shape = tuple(int(length) for length in image.data.shape[-2:])
    mask = np.zeros(shape, bool)
    for corners, kind in zip(shapes.data, shapes.shape_type, strict=True):
        outline = np.asarray(corners, dtype=float)
        if kind == "ellipse":
            outline = _ellipse(outline)
        pixels = np.array([image.world_to_data(shapes.data_to_world(corner))[-2:] for corner in outline])
        if len(pixels) > 2:
            mask |= polygon2mask(shape, pixels)
    return mask


def _ellipse(box: np.ndarray) -> np.ndarray:
    """Outline of an ellipse from the four corners of its box."""
    centre = box.mean(axis=0)
    first, second = (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    return np.asarray(centre + np.cos(angle) * first + np.sin(angle) * second)
