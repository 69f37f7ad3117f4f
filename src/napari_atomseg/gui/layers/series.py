"""What a series was aligned and averaged to, as layers: an average to be worked on, and the frames on one grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Image

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.layers.conversion import KEY, to_micrograph
from napari_atomseg.gui.layers.maps import maps_of, show_map, task_of

if TYPE_CHECKING:
    from napari_atomseg.workflows import AlignedSeries

AVERAGE, ALIGNED = "average", "aligned"
_series: WeakKeyDictionary[Image, AlignedSeries] = WeakKeyDictionary()


def series_of(image: Image | None) -> AlignedSeries | None:
    """What the frames of an image were last aligned to."""
    return _series.get(image) if image is not None else None


def average_of(viewer: Any, image: Image | None) -> Image | None:
    """The newest average of an image that is still in the viewer."""
    found = [layer for layer in maps_of(viewer, image) if task_of(layer) == AVERAGE]
    return found[0] if found else None


def aligned_of(viewer: Any, image: Image | None) -> Image | None:
    """The newest aligned frames of an image that are still in the viewer."""
    found = [layer for layer in maps_of(viewer, image) if task_of(layer) == ALIGNED]
    return found[0] if found else None


def show_series(viewer: Any, image: Image, found: AlignedSeries, replacing: bool) -> Image:
    """Put the average, and of a stack the aligned frames, into the viewer, hidden, right above their image.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        The stack; of scans in several directions the first one.
    found : AlignedSeries
    replacing : bool
        Take our own last ones away.

    Returns
    -------
    Image
        The average, which can be chosen and worked on like any other image.
    """
    corner = (int(found.numbers["corner_px"][0]), int(found.numbers["corner_px"][1]))
    options: dict[str, Any] = {"corner": corner, "replacing": replacing}
    active = viewer.layers.selection.active
    layers = []
    if image.ndim == 3:
        layers.append(show_map(viewer, image, ALIGNED, aligned_frames(image, found), None, **options))
    layers.append(show_map(viewer, image, AVERAGE, found.average, None, **options))
    viewer.layers.selection.active = active
    for layer in layers:
        layer.metadata[KEY] = {**layer.metadata[KEY], "alone": True}
    _series[image] = found
    return layers[-1]


def aligned_frames(image: Image, found: AlignedSeries) -> Micrograph:
    """Every frame of a stack on the grid of its average, (T, Y, X), computed when it is looked at; NaN where it shows nothing."""
    import dask
    import dask.array as da

    shape = found.average.shape
    frames = [
        da.from_delayed(dask.delayed(found.placed, pure=False)(k), shape, "float32") if k in found.good else _nothing(shape)
        for k in range(len(image.data))
    ]
    return replace(to_micrograph(image), data=da.stack(frames), name=f"{image.name} | {ALIGNED}")


def _nothing(shape: tuple[int, ...]) -> Any:
    """A frame that was left out."""
    import dask.array as da

    return da.full(shape, float("nan"), dtype="float32", chunks=shape)
