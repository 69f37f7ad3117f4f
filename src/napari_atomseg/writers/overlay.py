"""The image with a ring round every column and a scale bar: a picture to judge a result by, not data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.quantities import format_length
from napari_atomseg.writers.atomic import replacing

RING = "#17becf"
FLAGGED_RING = "#ff8c00"
"""Cyan and orange, which colour-blind people can tell apart; orange marks fits to look at again. The window uses them too."""

_RING_OF_SPACING = 0.6
_LONE_RING = 1 / 40
_DPI = 100
_SHORTEST_SIDE, _LONGEST_SIDE = 800, 2400


def write_overlay(micrograph: Micrograph, columns: Columns, path: Path | str, *, frame: int = 0) -> Path:
    """Draw one frame in grey with its columns.

    Parameters
    ----------
    micrograph : Micrograph
        Image or stack.
    columns : Columns
        Those of `frame` are drawn; fits that failed or overlap in a second colour.
    path : Path or str
        ``.png`` or ``.svg``.
    frame : int
        Which frame.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AtomsegError
        If the suffix is another one or the file cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower().lstrip(".")
    if kind not in ("png", "svg"):
        raise AtomsegError(f"{target}: pictures are written as .png or .svg; give a name with one of these suffixes")
    figure = draw_overlay(micrograph, columns, frame=frame)
    with replacing(target) as part:
        figure.savefig(part, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return target


def draw_overlay(micrograph: Micrograph, columns: Columns, *, frame: int = 0) -> Any:
    """The picture as a matplotlib figure without borders.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        In pixels of the micrograph.
    frame : int
        Of a stack.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    image = micrograph.frame(frame)
    height, width = image.shape
    scale = np.clip(_SHORTEST_SIDE / min(image.shape), 1, None) * np.clip(_LONGEST_SIDE / max(image.shape), None, 1)
    figure = Figure(figsize=(width * scale / _DPI, height * scale / _DPI), dpi=_DPI, facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    low, high = contrast(image)
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest" if scale >= 1 else "antialiased")
    _add_rings(axes, columns.of_frame(frame), image.shape)
    if micrograph.pixel_size is not None:
        _add_scale_bar(axes, micrograph.pixel_size[1], image.shape)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return figure


def contrast(image: np.ndarray) -> tuple[float, float]:
    """Intensities shown as black and white: all but the darkest and brightest few per mille, shape (Y, X)."""
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, (0.2, 99.8))
    return float(low), float(high if high > low else low + 1)


def round_length(longest: float) -> float:
    """The largest of 1, 2, 5, 10 ... that does not exceed `longest`."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(step for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9)) * power)


def ring_diameter(positions: np.ndarray, shape: tuple[int, ...]) -> float:
    """Diameter in px: a share of the median distance to the nearest neighbour, so that rings do not touch.

    Parameters
    ----------
    positions : ndarray, shape (N, 2), px, (y, x)
    shape : tuple of int
        Of the image.
    """
    if len(positions) < 2:
        return max(shape) * _LONE_RING
    nearest = cKDTree(positions).query(positions, k=2)[0][:, 1]
    nearest = nearest[np.isfinite(nearest) & (nearest > 0)]
    return float(np.median(nearest)) * _RING_OF_SPACING if len(nearest) else max(shape) * _LONE_RING


def _add_rings(axes: Any, columns: Columns, shape: tuple[int, ...]) -> None:
    from matplotlib.collections import EllipseCollection

    if len(columns) == 0:
        return
    diameters = np.full(len(columns), ring_diameter(columns.positions, shape))
    rings = EllipseCollection(
        diameters,
        diameters,
        np.zeros(len(columns)),
        units="xy",
        offsets=columns.positions[:, ::-1],
        offset_transform=axes.transData,
        facecolors="none",
        edgecolors=np.where(columns.flagged, FLAGGED_RING, RING).tolist(),
        linewidths=0.9,
    )
    axes.add_collection(rings)


def _add_scale_bar(axes: Any, pixel_size: float, shape: tuple[int, ...]) -> None:
    from matplotlib import patheffects

    height, width = shape
    length = round_length(width * pixel_size / 4)
    margin, thickness = 0.04 * min(shape), 0.010 * min(shape)
    shadow = [patheffects.withStroke(linewidth=3, foreground="black", alpha=0.8)]
    middle = margin + length / pixel_size / 2
    axes.add_patch(_bar(margin, height - margin, length / pixel_size, -thickness, shadow))
    label = axes.text(middle, height - margin - 2 * thickness, format_length(length), color="white", ha="center", va="bottom")
    label.set(fontsize=15, path_effects=shadow)


def _bar(x: float, y: float, width: float, height: float, shadow: list[Any]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor="white", edgecolor="none", path_effects=shadow)
