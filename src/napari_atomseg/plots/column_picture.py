"""An image with its columns coloured by a feature, or with arrows at them: a picture for a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.plots.colour_wheel import direction_colours, full_colour
from napari_atomseg.plots.picture import Inks, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

_FOOT_PX, _BAR_PX = 34, 10
_KINDS = ("#17becf", "#ff8c00", "#e377c2", "#bcbd22", "#8c8cff", "#d62728", "#2ca02c", "#ffffff")
_MOST_KINDS = 8


@dataclass(frozen=True, eq=False)
class ColumnPicture:
    """Columns on their image, coloured by a number or a kind.

    Attributes
    ----------
    image : ndarray, shape (Y, X)
    positions : ndarray, shape (N, 2), px, (y, x)
    values : ndarray, shape (N,)
        NaN where unknown; kinds are whole numbers.
    title : str
        What the values are, with their unit.
    kinds : bool
        Whether values are kinds: each has a colour of its own.
    """

    image: np.ndarray
    positions: np.ndarray
    values: np.ndarray
    title: str
    kinds: bool = False

    def draw(self, figure: Figure, inks: Inks) -> None:
        """The image in grey, the columns, and what the colours mean."""
        axes, dot = _image(figure, self.image, len(self.positions))
        y, x = self.positions.T
        known = np.isfinite(self.values)
        if self.kinds:
            for kind in np.unique(self.values[known])[:_MOST_KINDS]:
                mine = self.values == kind
                colour = _KINDS[int(kind) % len(_KINDS)] if kind >= 0 else "#888888"
                label = f"{int(kind)} ({np.count_nonzero(mine):,})" if kind >= 0 else f"none ({np.count_nonzero(mine):,})"
                axes.scatter(x[mine], y[mine], s=dot, c=colour, linewidths=0, label=label)
            axes.legend(
                loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=_MOST_KINDS, frameon=False, labelcolor=inks.text,
                title=self.title, handletextpad=0.1, columnspacing=0.8, borderaxespad=0.1,
            )  # fmt: skip
            return
        low, high = np.percentile(self.values[known], (2, 98)) if known.any() else (0.0, 1.0)
        if low < 0 < high:
            low, high = -max(-low, high), max(-low, high)
        top, colours = high if high > low else low + 1e-12, "RdBu_r" if low < 0 < high else "viridis"
        drawn = axes.scatter(x[known], y[known], s=dot, c=self.values[known], linewidths=0, cmap=colours, vmin=low, vmax=top)
        height = size_of(figure)[1]
        bar = figure.colorbar(
            drawn, cax=figure.add_axes((0.1, (_FOOT_PX - _BAR_PX) / height, 0.8, _BAR_PX / height)), orientation="horizontal"
        )
        bar.set_label(self.title, color=inks.text, labelpad=0)
        bar.ax.tick_params(colors=inks.text, length=2, pad=1)
        bar.locator = _five()
        bar.update_ticks()


@dataclass(frozen=True, eq=False)
class ArrowPicture:
    """Vectors at the columns, coloured by direction.

    Attributes
    ----------
    image : ndarray, shape (Y, X)
    positions : ndarray, shape (N, 2), px, (y, x)
    vectors : ndarray, shape (N, 2), (y, x)
        NaN where unknown; in any unit, drawn with a common factor.
    """

    image: np.ndarray
    positions: np.ndarray
    vectors: np.ndarray

    def draw(self, figure: Figure, inks: Inks) -> None:
        """The image in grey and the arrows."""
        axes, _ = _image(figure, self.image, len(self.positions))
        known = np.isfinite(self.vectors).all(axis=1)
        if not known.any():
            return
        length = max(full_colour(self.vectors), 1e-12)
        reach = 0.9 * np.sqrt(self.image.size / max(int(np.count_nonzero(known)), 1))
        y, x = self.positions[known].T
        dy, dx = self.vectors[known].T / length * reach
        axes.quiver(
            x, y, dx, dy, color=direction_colours(self.vectors[known]), angles="xy", scale_units="xy", scale=1,
            pivot="mid", width=0.0035, headwidth=4,
        )  # fmt: skip


def _image(figure: Figure, image: np.ndarray, columns: int) -> tuple[Axes, float]:
    """Axes with an image above the foot, and the area of a dot in square points."""
    width, height = size_of(figure)
    axes = figure.add_axes((0.0, _FOOT_PX / height, 1.0, 1 - _FOOT_PX / height))
    axes.set_axis_off()
    known = image[np.isfinite(image)]
    low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 1.0)
    axes.imshow(image, cmap="gray", vmin=low, vmax=high if high > low else low + 1e-9, interpolation="nearest")
    axes.set_aspect("equal")
    scale = min(width / image.shape[1], (height - _FOOT_PX) / image.shape[0])
    spacing = scale * np.sqrt(image.size / max(columns, 1))
    return axes, float(np.clip(0.5 * spacing, 2.0, 14.0) ** 2)


def _five() -> Locator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5)
