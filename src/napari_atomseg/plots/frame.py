"""The axes that plots of numbers share: a frame with room for its names, in the colours of the theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_atomseg.plots.picture import Inks, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Margins:
    """Room around the frame, px."""

    left: int = 66
    right: int = 8
    foot: int = 34
    head: int = 8

    def frame(self, size: tuple[float, float]) -> tuple[float, float, float, float]:
        """Left, top, width and height of the frame in a picture of this width and height, px."""
        width, height = size
        return self.left, self.head, max(width - self.left - self.right, 1.0), max(height - self.foot - self.head, 1.0)


def framed_axes(figure: Figure, inks: Inks, margins: Margins, x_title: str, y_title: str = "") -> Axes:
    """Axes with their names.

    Parameters
    ----------
    figure : Figure
    inks : Inks
    margins : Margins
    x_title, y_title : str
        Quantities with their units.
    """
    width, height = size_of(figure)
    left, _, across, down = margins.frame((width, height))
    axes = figure.add_axes((left / width, margins.foot / height, across / width, down / height), facecolor="none")
    axes.set_xlabel(x_title, color=inks.text, labelpad=1)
    if y_title:
        axes.set_ylabel(y_title, color=inks.text, labelpad=1)
    axes.tick_params(colors=inks.text, length=3, pad=2)
    for spine in axes.spines.values():
        spine.set_color(inks.faint)
    return axes
