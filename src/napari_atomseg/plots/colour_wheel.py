"""Directions as colours: red to the right, then through yellow, green, blue and violet clockwise on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.plots.picture import FONT_PX, Inks, size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_PERCENT = 95.0
"""Vectors longer than this share of all have the full colour."""
_DISC = 161  # pixels across the wheel
_SPARE_PX = 4


def direction_colours(vectors: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Red, green, blue and opacity (..., 4), 0 to 1, of vectors (..., 2) in the order (y, x).

    Parameters
    ----------
    vectors : ndarray, shape (..., 2)
        What is not finite is clear.
    largest : float, optional
        Length of the full colour, in the same unit: shorter vectors are darker. None: all have the full colour.
    """
    from matplotlib.colors import hsv_to_rgb

    known = np.isfinite(vectors).all(axis=-1)
    y, x = np.moveaxis(np.where(known[..., None], vectors, 0.0), -1, 0)
    hue = np.mod(np.arctan2(y, x) / (2 * np.pi), 1.0)
    value = np.ones_like(hue) if largest is None else np.clip(np.hypot(y, x) / max(largest, 1e-12), 0.0, 1.0)
    colours = hsv_to_rgb(np.stack([hue, np.ones_like(hue), value], axis=-1))
    return np.concatenate([colours, known[..., None].astype(float)], axis=-1)


def full_colour(vectors: np.ndarray) -> float:
    """Length of the full colour, for vectors (N, 2)."""
    length = np.hypot(*vectors[np.isfinite(vectors).all(axis=1)].T)
    return float(np.percentile(length, LARGEST_PERCENT)) if len(length) else 0.0


@dataclass(frozen=True)
class ColourWheel:
    """What colours of directions mean.

    Attributes
    ----------
    title : str
        What the vectors are.
    rim : str
        Length at the rim, with its unit.
    note : str
        For instance by what factor arrows are longer.
    """

    title: str
    rim: str
    note: str = ""

    def draw(self, figure: Figure, inks: Inks) -> None:
        """The wheel, and beside it what it shows."""
        width, height = size_of(figure)
        side = min(height, width / 3) - 2 * _SPARE_PX
        axes = figure.add_axes((_SPARE_PX / width, (height - side) / 2 / height, side / width, side / height))
        axes.set_axis_off()
        y, x = np.mgrid[-1 : 1 : _DISC * 1j, -1 : 1 : _DISC * 1j]
        colours = direction_colours(np.stack([y, x], axis=-1), 1.0)
        colours[..., 3] = np.hypot(y, x) <= 1
        axes.imshow(colours, interpolation="bilinear")
        lines = [line for line in (self.title, f"rim: {self.rim}", self.note) if line]
        for number, line in enumerate(lines):
            place = 0.5 + (len(lines) / 2 - number - 0.5) * 1.4 * FONT_PX / height
            figure.text((side + 3 * _SPARE_PX) / width, place, line, color=inks.text, verticalalignment="center")
