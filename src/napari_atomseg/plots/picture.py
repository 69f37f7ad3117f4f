"""Draw a plot into memory or into a file, by matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS_PER_INCH = 72
"""At this resolution a point is a pixel, so that sizes of fonts and lines are in pixels."""
FONT_PX = 11
SAVED_PX, SAVED_SCALE = (640, 300), 3


@dataclass(frozen=True)
class Inks:
    """Colours of numbers and axes, of what stands behind, of what is to be seen first, and of the ground (none: clear)."""

    text: str
    faint: str
    bright: str
    ground: str = "none"


ON_WHITE = Inks(text="#000000", faint="#bbbbbb", bright="#0f7f8a", ground="#ffffff")


class Plot(Protocol):
    """What can be drawn."""

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Draw into an empty figure, whose size in pixels is :func:`size_of`."""


def figure_of(plot: Plot, size: tuple[int, int], inks: Inks = ON_WHITE) -> Figure:
    """A figure with a plot.

    Parameters
    ----------
    plot : Plot
    size : tuple of int, px
        Width and height.
    inks : Inks
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = (max(1, length) / POINTS_PER_INCH for length in size)
    with rc_context({"font.size": FONT_PX, "axes.linewidth": 0.8}):
        figure = Figure(figsize=(width, height), dpi=POINTS_PER_INCH, facecolor=inks.ground)
        FigureCanvasAgg(figure)
        plot.draw(figure, inks)
    return figure


def pixels_of(plot: Plot, size: tuple[int, int], inks: Inks, scale: float = 1.0) -> np.ndarray:
    """A plot as red, green, blue and opacity, shape (height, width, 4), uint8.

    Parameters
    ----------
    plot : Plot
    size : tuple of int
        Width and height in pixels of which fonts and lines have their size.
    inks : Inks
    scale : float
        Pixels of the picture for each of these: more than one on fine screens.
    """
    figure = figure_of(plot, size, inks)
    figure.set_dpi(POINTS_PER_INCH * scale)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]  # Agg's canvas has one


def save_plot(plot: Plot, path: Path, size: tuple[int, int] = SAVED_PX) -> None:
    """Write a plot on white as PNG or SVG, by suffix.

    Parameters
    ----------
    plot : Plot
    path : Path
        Its suffix says the format.
    size : tuple of int, px
        Width and height for which fonts and lines have their size; a PNG has three times as many pixels along each side.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    figure_of(plot, size).savefig(path, dpi=POINTS_PER_INCH * SAVED_SCALE)


def size_of(figure: Figure) -> tuple[float, float]:
    """Width and height of a figure in pixels."""
    width, height = figure.get_size_inches()
    return width * POINTS_PER_INCH, height * POINTS_PER_INCH
