"""Comparisons of simulated with recorded images as layers: on the image's grid, right above it, in place of our own last ones."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Layer, Points, Shapes

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.layers.conversion import (
    DIFFERENCE,
    KEY,
    RING_COLOUR,
    derive,
    source_of,
    spatial_options,
    to_micrograph,
    usable_image,
)
from napari_atomseg.gui.layers.residual import SHOWN_PERCENT, is_residual
from napari_atomseg.gui.layers.structures import method_of, simulated_in

if TYPE_CHECKING:
    import pandas as pd

    from napari_atomseg.workflows import Comparison

REGISTERED, LEFT, MIXED, COMPARED, LINE = "registered", "difference", "mixed", "columns compared", "profile"
QUANTITIES = {
    "intensity_difference": "intensity",
    "dy_pm": "displacement along y",
    "dx_pm": "displacement along x",
}
"""Features of compared columns, and what they are called."""
SO_FAR = "so far"
PROFILE_SHARE = 0.5
"""Length of a new profile in widths of the simulation."""
_made: weakref.WeakKeyDictionary[Points, np.ndarray] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Shown:
    """Layers that show a comparison."""

    simulated: Image
    difference: Image
    columns: Points | None


def candidates(viewer: Any, image: Image | None) -> list[Image]:
    """What an image can be compared with: simulated ones, the newest first, then the others."""
    simulated = [layer for layer in simulated_in(viewer) if not method_of(layer).endswith(SO_FAR)]
    others = [layer for layer in viewer.layers if usable_image(layer) and not method_of(layer) and not is_made_to_compare(layer)]
    return [layer for layer in (*reversed(simulated), *others) if layer is not image]


def is_made_to_compare(layer: Layer) -> bool:
    """True for what shows a comparison or what a fit has left, which is not worth comparing again."""
    return _kind(layer) in (REGISTERED, LEFT, MIXED) or is_residual(layer)


def plane_of(viewer: Any, layer: Image) -> Micrograph:
    """The micrograph that a layer shows, of a stack the frame in view, (Y, X)."""
    micrograph = to_micrograph(layer)
    if layer.ndim == 2:
        return micrograph
    return replace(micrograph, data=np.asarray(layer.data[frame_of(viewer, layer)]))


def frame_of(viewer: Any, layer: Image) -> int:
    """Number of the frame in view; 0 where there is only one."""
    return min(int(viewer.dims.current_step[0]), len(layer.data) - 1) if layer.ndim == 3 else 0


def show_comparison(viewer: Any, image: Image, found: Comparison, frame: int) -> Shown:
    """Put a comparison into the viewer, hidden; earlier ones of the image go unless they are locked.

    What was active stays active: a comparison is looked at, not worked on.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        The experiment.
    found : Comparison
    frame : int
        Of the experiment, counted from 0.
    """
    for kind in (REGISTERED, LEFT):
        remove_unlocked(viewer, image, kind)
    active = viewer.layers.selection.active
    limit = _limit(found.residual.data)
    # Inserted right above the image one after the other: the last one lies lowest.
    difference = insert_made(
        viewer,
        image,
        LEFT,
        found.residual,
        frame,
        f"{image.name} | difference",
        colormap=DIFFERENCE,
        contrast_limits=(-limit, limit),
    )
    largest = max(limit, float(np.nanmax(np.abs(found.residual.data), initial=0.0)))
    difference.contrast_limits_range = (-largest, largest)
    difference.contrast_limits = (-limit, limit)
    simulated = insert_made(
        viewer,
        image,
        REGISTERED,
        found.simulated,
        frame,
        f"{image.name} | simulated",
        colormap=image.colormap,
        contrast_limits=tuple(image.contrast_limits),
        gamma=image.gamma,
    )
    simulated.contrast_limits_range = image.contrast_limits_range
    simulated.contrast_limits = image.contrast_limits
    # One contrast for both: what looks different is different.
    viewer.layers.link_layers([image, simulated], ("contrast_limits", "gamma"))
    columns = show_compared(viewer, image, found.columns, frame)
    viewer.layers.selection.active = active
    return Shown(simulated, difference, columns)


def show_compared(viewer: Any, image: Image, table: pd.DataFrame | None, frame: int) -> Points | None:
    """Put compared columns into the viewer, hidden, as a layer of their own; an earlier one goes if no hand has moved it.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        The experiment.
    table : DataFrame or None
        Of the comparison, one row per column; None shows none.
    frame : int
        Of the experiment, counted from 0.
    """
    for layer in [one for one in viewer.layers if _kind(one) == COMPARED and source_of(one) is image]:
        made = _made.get(layer)
        if not layer.locked and made is not None and np.array_equal(layer.data, made):
            viewer.layers.remove(layer)
    # What the simulation does not reach has nothing to show.
    table = table[table[list(QUANTITIES)].notna().any(axis=1)] if table is not None else None
    if table is None or len(table) == 0:
        return None
    places = table[["y_px", "x_px"]].to_numpy(float)
    if image.ndim == 3:
        places = np.column_stack([np.full(len(places), frame), places])
    layer = Points(
        places,
        name=f"{image.name} | {COMPARED}",
        features=table[list(QUANTITIES)].reset_index(drop=True),
        size=_diameter(table),
        border_width=0.06,
        border_color="#101010",
        visible=False,
        metadata={KEY: {"kind": COMPARED}},
        **spatial_options(image, image.ndim),
    )
    _made[layer] = np.array(layer.data)
    derive(layer, image)  # what was made of an image need not be one
    colour_by(layer, next(iter(QUANTITIES)))
    viewer.layers.append(layer)
    return layer


def colour_by(layer: Points, quantity: str) -> float:
    """Colour compared columns by a feature, zero in grey, and hide those without it; the value at the end of the colours."""
    values = layer.features[quantity].to_numpy(float)
    limit = _limit(values)
    layer.face_color = DIFFERENCE.map(np.clip(np.nan_to_num(values / limit) / 2 + 0.5, 0, 1))
    layer.shown = np.isfinite(values)
    return limit


# -- line profiles -------------------------------------------------------------------------------------------------------


def profile_layer(viewer: Any, image: Image, simulated: np.ndarray) -> Shapes:
    """The layer with the line of a profile; if there is none, a new one with a line where the simulation (Y, X) reaches.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        The experiment.
    simulated : ndarray, shape (Y, X)
        NaN where it does not reach.
    """
    known = find_profile_layer(viewer, image)
    if known is not None and len(known.data):
        return known
    if known is not None:
        viewer.layers.remove(known)
    layer = Shapes(
        [first_line(simulated)],
        shape_type="line",
        name=f"{image.name} | {LINE}",
        edge_color=RING_COLOUR,
        edge_width=max(0.5, image.data.shape[-1] / 250),
        metadata={KEY: {"kind": LINE}},
        **spatial_options(image, 2),
    )
    derive(layer, image)  # what was made of an image need not be one
    viewer.layers.append(layer)
    layer.selected_data = {0}
    return layer


def first_line(simulated: np.ndarray) -> np.ndarray:
    """Ends (y, x) of a line along the brightest row in the middle of what is known of a simulated image (Y, X)."""
    known = np.isfinite(simulated)
    rows, columns = (np.flatnonzero(known.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return np.array([[0, 0], [0, simulated.shape[1] - 1]], dtype=float)
    middle = rows[len(rows) // 3 : len(rows) // 3 + len(rows) // 3 + 1]
    sums, counts = np.where(known, simulated, 0)[middle].sum(axis=1), known[middle].sum(axis=1)
    row = middle[int(np.argmax(sums / np.maximum(counts, 1)))]
    left, right = columns[0], columns[-1]
    spare = (1 - PROFILE_SHARE) * (right - left) / 2
    return np.array([[row, left + spare], [row, right - spare]], dtype=float)


def find_profile_layer(viewer: Any, image: Image | None) -> Shapes | None:
    """The layer of an image's profile, if there is one."""
    return next((layer for layer in viewer.layers if _kind(layer) == LINE and source_of(layer) is image), None)


def line_of(layer: Shapes, image: Image) -> tuple[np.ndarray, np.ndarray] | None:
    """Ends (y, x) of the line drawn last, in pixels of the image; None if there is none."""
    if not len(layer.data):
        return None
    corners = np.asarray(layer.data[-1], dtype=float)
    ends = [np.asarray(image.world_to_data(layer.data_to_world(corner))[-2:]) for corner in (corners[0], corners[-1])]
    return ends[0], ends[1]


# -- how they are made ---------------------------------------------------------------------------------------------------


def remove_unlocked(viewer: Any, image: Image, kind: str) -> None:
    """Remove what shows an earlier comparison of an image, unless it is locked.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        The experiment.
    kind : str
        Of layers that show a comparison.
    """
    for layer in [one for one in viewer.layers if _kind(one) == kind and source_of(one) is image and not one.locked]:
        viewer.layers.remove(layer)


def insert_made(
    viewer: Any, image: Image, kind: str, found: Micrograph, frame: int, name: str, *, above: Image | None = None, **look: Any
) -> Image:
    """Put what was made of an image into the viewer, hidden.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        The experiment.
    kind : str
        Of layers that show a comparison.
    found : Micrograph
        (Y, X).
    frame : int
        Of the experiment, counted from 0.
    name : str
    above : Image, optional
        The layer right below it; by default the image.
    **look
        Options of the layer.
    """
    data, geometry = np.asarray(found.data, dtype=np.float32), spatial_options(image, image.ndim)
    if image.ndim == 3:
        # One frame of a stack is seen where the stack shows that frame.
        data = data[None]
        geometry["translate"] = (geometry["translate"][0] + frame * geometry["scale"][0], *geometry["translate"][1:])
    layer = Image(data, name=name, visible=False, metadata={KEY: {"kind": kind}}, **look, **geometry)
    derive(layer, image)
    below = above if above is not None else image
    viewer.layers.insert(viewer.layers.index(below) + 1 if below in viewer.layers else len(viewer.layers), layer)
    return layer


def _kind(layer: Layer) -> str:
    ours = layer.metadata.get(KEY)
    return str(ours.get("kind", "")) if isinstance(ours, dict) else ""


def _limit(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return max(float(np.percentile(finite, SHOWN_PERCENT)) if finite.size else 0.0, 1e-12)


def _diameter(table: pd.DataFrame) -> float:
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.gui.layers.conversion import ring_diameter

    return ring_diameter(Columns(positions=table[["y_px", "x_px"]].to_numpy(float)))
