"""Micrographs as Image layers, columns as Points layers, and back: the only place that reads a layer's geometry.

Layers of calibrated images are in nanometres, others in pixels. Every layer that belongs to an image copies its scale,
translation, rotation, units and axis labels, since one layer without them spoils the scale bar of the whole viewer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Image, Layer, Points
from napari.layers.points._points_constants import Symbol
from napari.utils.colormaps import Colormap, ensure_colormap
from napari.utils.colormaps.standardize_color import transform_color
from scipy import spatial

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.plots.palette import CATEGORY_COLOURS, UNKNOWN_KIND
from napari_atomseg.writers.overlay import FLAGGED_RING, RING

NM_PER_ANGSTROM = 0.1
KEY = "atomseg"
"""Where a layer's metadata keeps what belongs to this plugin."""
RING_WIDTH = 0.12
RING_COLOUR = RING
MANUAL_COLOUR = "#f0e442"
FLAGGED_COLOUR = FLAGGED_RING
UNKNOWN_COLOUR = UNKNOWN_KIND
SYMBOLS = np.array([Symbol.DISC, Symbol.SQUARE], dtype=object)
"""Of columns that were found, and of those made by hand."""
SPACING_SHARE = 0.6
LayerData = tuple[Any, dict[str, Any], str]
DIFFERENCE = Colormap(["#a8dcff", "#2f86c9", "#2b2b2b", "#c4691c", "#ffd28c"], name="atomseg difference")
"""Negative blue, zero dark grey, so that rings can be seen on it, positive orange: colour-blind people see it as well."""
_sources: WeakKeyDictionary[Layer, ref[Image]] = WeakKeyDictionary()


def image_layer_data(micrograph: Micrograph) -> LayerData:
    """What napari needs to make the Image layer of a micrograph."""
    stack = len(micrograph.shape) == 3
    options: dict[str, Any] = {
        "name": micrograph.name,
        "axis_labels": ("t", "y", "x") if stack else ("y", "x"),
        "colormap": "gray",
        "metadata": {KEY: {"micrograph": replace(micrograph, data=_placeholder(micrograph))}, **dict(micrograph.metadata)},
        **_scale_and_units(micrograph.pixel_size, stack, micrograph.frame_time_s),
    }
    limits = _contrast(micrograph)
    if limits is not None:
        options["contrast_limits"] = limits
    return micrograph.data, options, "image"


def to_micrograph(layer: Image) -> Micrograph:
    """The micrograph that a layer shows: its data, its calibration as the layer has it now, and what the file said."""
    known = layer.metadata.get(KEY, {}).get("micrograph")
    pixel_size = pixel_size_of(layer)
    source = "the layer" if pixel_size else ""
    if isinstance(known, Micrograph):
        # A scale that was set on the layer itself, by a script or by napari's own dialogs, is no longer the file's.
        same = (
            pixel_size is not None
            and known.pixel_size is not None
            and np.allclose(pixel_size, known.pixel_size, rtol=1e-9, atol=0)
        )
        source = known.pixel_size_source if same else source
        return replace(known, data=_plain(layer), pixel_size=pixel_size, pixel_size_source=source, name=layer.name)
    path = Path(layer.source.path) if layer.source.path else None
    return Micrograph(data=_plain(layer), pixel_size=pixel_size, pixel_size_source=source, name=layer.name, path=path)


def derive(layer: Image, image: Image) -> None:
    """Remember that a layer was made by us from an image."""
    _sources[layer] = ref(image)


def source_of(layer: Layer | None) -> Image | None:
    """The image that a layer was made from by us, if it was and if that still exists."""
    known = _sources.get(layer) if layer is not None else None
    return known() if known is not None else None


def works_alone(layer: Image) -> bool:
    """True for images that are worked on by themselves: recorded ones, and what a series was averaged or aligned to."""
    ours = layer.metadata.get(KEY)
    return source_of(layer) is None or (isinstance(ours, dict) and bool(ours.get("alone")))


def usable_image(layer: Layer | None) -> bool:
    """True for images and stacks of images; not for colour pictures, multiscale or four-dimensional data."""
    return isinstance(layer, Image) and not layer.rgb and not layer.multiscale and layer.ndim in (2, 3)


def pixel_size_of(layer: Layer) -> tuple[float, float] | None:
    """Pixel size (y, x) in Angstrom if the layer's last two axes have units of length, else None."""
    factors = []
    for unit, step in zip(layer.units[-2:], layer.scale[-2:], strict=True):
        if not unit.is_compatible_with("angstrom"):
            return None
        factors.append(float((float(step) * unit).to("angstrom").magnitude))
    return factors[0], factors[1]


def calibrate(layer: Layer, pixel_size: tuple[float, float] | None, source: str) -> None:
    """Give a layer another pixel size in Angstrom (None: pixels), and remember where it came from.

    Parameters
    ----------
    layer : Layer
        An image, or what lies on one.
    pixel_size : tuple of float, Å, (y, x), or None
    source : str
        Such as ``typed``.
    """
    stack = layer.ndim == 3
    time_step = None
    known = layer.metadata.get(KEY, {}).get("micrograph")
    if isinstance(known, Micrograph):
        time_step = known.frame_time_s
        known = replace(known, pixel_size=pixel_size, pixel_size_source=source if pixel_size else "")
        layer.metadata[KEY] = {**layer.metadata[KEY], "micrograph": known}
    elif isinstance(layer, Image):
        layer.metadata[KEY] = {
            "micrograph": replace(to_micrograph(layer), data=_placeholder(None), pixel_size=pixel_size, pixel_size_source=source)
        }
    for name, value in _scale_and_units(pixel_size, stack, time_step).items():
        setattr(layer, name, value)


def spatial_options(layer: Layer, ndim: int) -> dict[str, Any]:
    """Scale, translation, units and axis labels of the last `ndim` axes of a layer, for a new layer beside it."""
    return {
        "scale": tuple(float(step) for step in layer.scale[-ndim:]),
        "translate": tuple(float(shift) for shift in layer.translate[-ndim:]),
        "rotate": np.asarray(layer.rotate)[-ndim:, -ndim:] if np.ndim(layer.rotate) == 2 else layer.rotate,
        "units": tuple(str(unit) for unit in layer.units[-ndim:]),
        "axis_labels": tuple(layer.axis_labels[-ndim:]),
    }


def points_layer_data(columns: Columns, image: Image | None, name: str) -> LayerData:
    """What napari needs to make the Points layer of columns on their image.

    Parameters
    ----------
    columns : Columns
    image : Image or None
        That they belong to; None if it is not open.
    name : str
        Of the new layer.
    """
    stack = (image.ndim if image is not None else len(columns.image_shape or (0, 0))) == 3
    data = to_points(columns, stack)
    geometry = (
        spatial_options(image, data.shape[1])
        if image is not None
        else {
            "axis_labels": ("t", "y", "x") if stack else ("y", "x"),
            **_scale_and_units(columns.pixel_size, stack, None),
        }
    )
    options = {
        "name": name,
        "features": columns.features,
        "size": ring_diameter(columns),
        "face_color": "transparent",
        "border_width": RING_WIDTH,
        "border_width_is_relative": True,
        "canvas_size_limits": (0, 10000),
        "metadata": {KEY: {"columns": columns, "image_name": image.name if image is not None else ""}},
        **geometry,
        **ring_style(columns),
    }
    return data, options, "points"


def to_columns(layer: Points) -> Columns:
    """The columns that a Points layer shows, with the calibration and provenance that it was made with."""
    known = layer.metadata.get(KEY, {}).get("columns")
    data = np.asarray(layer.data, dtype=float)
    frame = np.round(data[:, 0]).astype(int) if data.shape[1] == 3 else None
    base = known if isinstance(known, Columns) else Columns(positions=np.zeros((0, 2)))
    return replace(
        base,
        positions=data[:, -2:],
        frame=frame if frame is not None else np.zeros(len(data), int),
        features=layer.features,
        pixel_size=pixel_size_of(layer),
    )


def to_points(columns: Columns, stack: bool) -> np.ndarray:
    """Coordinates of a Points layer, shape (N, 2) or (N, 3), from columns."""
    return np.column_stack([columns.frame, columns.positions]) if stack else np.array(columns.positions)


def ring_diameter(columns: Columns) -> float:
    """About 0.6 of the spacing between neighbours, in pixels, so that a ring surrounds its column."""
    positions = columns.positions[columns.frame == columns.frame[0]] if len(columns) else columns.positions
    finite = positions[np.isfinite(positions).all(axis=1)]
    if len(finite) < 2:
        width = columns.features["sigma_px"].median()
        return float(4 * width) if len(columns) and np.isfinite(width) else 10.0
    nearest = spatial.cKDTree(finite).query(finite, k=2)[0][:, 1]
    return max(2.0, SPACING_SHARE * float(np.median(nearest)))


def ring_style(columns: Columns, colour_by: str = "") -> dict[str, Any]:
    """Symbol and colour of each ring: hand-made ones are squares; flagged ones orange unless a feature gives the colour."""
    if len(columns) == 0:
        return {"symbol": "disc", "border_color": RING_COLOUR}
    by_hand = columns.features["origin"].isin(("manual", "snapped")).to_numpy()
    colours = _feature_colours(columns, colour_by) if colour_by in columns.features else _plain_colours(columns, by_hand)
    return {"symbol": SYMBOLS[by_hand.astype(int)], "border_color": colours}


def _plain_colours(columns: Columns, by_hand: np.ndarray) -> np.ndarray:
    colours = np.tile(transform_color(RING_COLOUR), (len(columns), 1))
    colours[by_hand] = transform_color(MANUAL_COLOUR)
    colours[columns.flagged] = transform_color(FLAGGED_COLOUR)
    return colours


def _feature_colours(columns: Columns, name: str) -> np.ndarray:
    """Viridis over the middle 98 % of a number, one colour for each word of a category; grey where unknown."""
    column = columns.features[name]
    if column.dtype.kind in "fiub":
        values = column.to_numpy(dtype=float)
        known = np.isfinite(values)
        colours = np.tile(transform_color(UNKNOWN_COLOUR), (len(values), 1))
        if known.any():
            low, high = colour_ends(values)
            share = (values[known] - low) / (high - low) if high > low else np.zeros(known.sum())
            colours[known] = ensure_colormap("viridis").map(np.clip(share, 0, 1))
        return colours
    words = sorted(set(column.astype(str)))
    palette = transform_color(list(CATEGORY_COLOURS))
    return palette[[words.index(word) % len(palette) for word in column.astype(str)]]


def colour_ends(values: np.ndarray) -> tuple[float, float]:
    """Numbers at the ends of the colours: those of the middle 98 %."""
    low, high = np.percentile(values[np.isfinite(values)], (1, 99))
    return float(low), float(high)


def _scale_and_units(pixel_size: tuple[float, float] | None, stack: bool, frame_time_s: float | None) -> dict[str, Any]:
    scale: tuple[float, ...] = tuple(step * NM_PER_ANGSTROM for step in pixel_size) if pixel_size else (1.0, 1.0)
    units: tuple[str, ...] = ("nm", "nm") if pixel_size else ("pixel", "pixel")
    if stack:
        scale = (frame_time_s or 1.0, *scale)
        units = ("s" if frame_time_s else "pixel", *units)
    return {"scale": scale, "units": units}


def _plain(layer: Image) -> Any:
    """The layer's own array, lazy or not, without napari's wrapper."""
    return layer.data


def _placeholder(micrograph: Micrograph | None) -> np.ndarray:
    """Stands for the data where only the description is kept; the layer itself holds the data."""
    return np.zeros((1,) * (len(micrograph.shape) if micrograph else 2), np.float32)


def _contrast(micrograph: Micrograph) -> tuple[float, float] | None:
    """Contrast limits that hot pixels and NaN do not spoil; None leaves it to napari."""
    plane = micrograph.data[micrograph.frames // 2] if len(micrograph.shape) == 3 else micrograph.data
    thin = max(1, int(np.sqrt(plane.shape[0] * plane.shape[1] / 1e6)))
    if thin > 8:
        plane = plane[: 8 * 1024, : 8 * 1024]
    sample = np.asarray(plane[::thin, ::thin], dtype=np.float32)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return (0.0, 1.0)
    low, high = (float(value) for value in np.percentile(sample, (0.1, 99.9)))
    if low == high:
        low, high = float(sample.min()), float(sample.max())
    return (low, high) if high > low else (low, low + 1.0)
