"""Maps of a network, and what a series became, as layers: on their image's grid, above it, in place of our own last ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.tasks import NORMALISED
from napari_atomseg.gui.layers.conversion import KEY, derive, image_layer_data, source_of, spatial_options

KIND = "map"
TITLES = {
    "columns": "column map",
    "mask": "mask map",
    "denoise": "denoised",
    "background": "without background",
    "deblur": "deblurred",
    "restored": "restored",
    "difference": "minus restored",
    "spread": "spread of restoration",
    "average": "average",
    "aligned": "aligned",
    NORMALISED: "locally normalised",
}
"""What a map is called: by what it shows, not by what the network was told to do."""
PROBABLE = ("columns", "mask")
"""Maps from 0 to 1."""
PROBABILITY = "probability of"
"""What maps of the classes of a network of structures begin with; the class follows."""
LIKE_THE_IMAGE = ("denoise", "restored", "aligned")
"""Maps that are shown with the contrast of their image."""


def title_of(task: str) -> str:
    """What a map is called."""
    return TITLES.get(task, task)


def show_map(
    viewer: Any,
    image: Image,
    task: str,
    found: Micrograph,
    frame: int | None,
    *,
    corner: tuple[int, int] = (0, 0),
    replacing: bool = True,
) -> Image:
    """Put a map into the viewer, hidden: right above its image it would hide that under the points.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        What the map was made of.
    task : str
    found : Micrograph
        (Y, X) or (T, Y, X).
        A lazy one stays lazy.
    frame : int or None
        Which frame of a stack a single map belongs to; None: to all of them.
    corner : tuple of int, px
        Where on the image the first pixel lies, (y, x).
    replacing : bool
        Take our own last map of that kind away.
    """
    data, geometry = seen_with(image, found.data if hasattr(found.data, "dask") else np.asarray(found.data), frame)
    if corner != (0, 0):
        there = image.data_to_world((*(0,) * (image.ndim - 2), *corner))
        geometry["translate"] = (*geometry["translate"][:-2], *(float(one) for one in there[-2:]))
    described = image_layer_data(found)[1]
    metadata = {**described["metadata"], "notes": list(found.notes)}
    metadata[KEY] = {**metadata[KEY], "kind": KIND, "task": task}
    earlier = [layer for layer in maps_of(viewer, image) if task_of(layer) == task and not layer.locked]
    for layer in earlier[-1:] if replacing else ():
        viewer.layers.remove(layer)
    layer = Image(
        data,
        name=f"{image.name} | {title_of(task)}",
        visible=False,
        metadata=metadata,
        **_look(task, image, described),
        **geometry,
    )
    derive(layer, image)
    viewer.layers.insert(viewer.layers.index(image) + 1 if image in viewer.layers else len(viewer.layers), layer)
    return layer


def seen_with(image: Image, data: Any, frame: int | None) -> tuple[Any, dict[str, Any]]:
    """Data on the pixels of an image, and where they lie: those of one frame of a stack are seen where it shows that frame.

    Parameters
    ----------
    image : Image
    data : array, shape (Y, X) or (T, Y, X)
    frame : int or None
        Which frame of a stack single data belong to; None: to all of them.
    """
    geometry = spatial_options(image, image.ndim if frame is not None else data.ndim)
    if image.ndim == 3 and data.ndim == 2 and frame is not None:
        data = data[None]
        geometry["translate"] = (geometry["translate"][0] + frame * geometry["scale"][0], *geometry["translate"][1:])
    return data, geometry


def maps_of(viewer: Any, image: Image | None) -> list[Image]:
    """Maps in the viewer that were made of an image, lowest first."""
    return [layer for layer in viewer.layers if image is not None and source_of(layer) is image and task_of(layer)]


def task_of(layer: Any) -> str:
    """What a map shows; empty for layers that are none."""
    ours = layer.metadata.get(KEY)
    return str(ours.get("task", "")) if isinstance(ours, dict) and ours.get("kind") == KIND else ""


def note_of(layer: Any) -> str:
    """What a map says of itself."""
    return " ".join(layer.metadata.get("notes", ()))


def _look(task: str, image: Image, described: dict[str, Any]) -> dict[str, Any]:
    if task in PROBABLE or task.startswith(PROBABILITY):
        return {"colormap": "magma", "contrast_limits": (0.0, 1.0)}
    limits = image.contrast_limits if task in LIKE_THE_IMAGE else described.get("contrast_limits")
    return {"colormap": image.colormap if task in LIKE_THE_IMAGE else "gray", "contrast_limits": limits}
