"""How often which value occurs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.plots.picture import Inks, size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABEL_PX = 15
"""Room below the bars."""
LOWEST = 0.03
"""A bar that holds anything can be seen, and clicked: at least this share of the highest."""
FEWEST_BINS, MOST_BINS = 8, 32
MIDDLE_PERCENT = 98.0
"""The axis ends here; the last bar holds everything beyond, so that one bad fit does not squeeze all others together."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of values, with their median and 95th percentile.

    Attributes
    ----------
    edges : ndarray, shape (bars + 1,)
    counts : ndarray of int, shape (bars,)
    bin_of : ndarray of int, shape (N,)
        Which bar a value is in; -1 for values that are unknown.
    marks : tuple of float or None
        Median and 95th percentile; None if no value is known.
    quantity, unit : str
    hovered : int or None
        A bar that stands out.
    """

    edges: np.ndarray
    counts: np.ndarray
    bin_of: np.ndarray
    marks: tuple[float, float] | None
    quantity: str = ""
    unit: str = ""
    hovered: int | None = None

    def describe(self, number: int) -> str:
        """What a bar holds, in words."""
        low, high = self.edges[number], self.edges[number + 1]
        last = number == len(self.counts) - 1
        span = f"{low:.3g} {self.unit} and more" if last else f"{low:.3g} to {high:.3g} {self.unit}"
        count = self.counts[number]
        return f"{count:,} {'column' if count == 1 else 'columns'} of {span}"

    def bar_at(self, share: float) -> int | None:
        """The bar at a share of the width, if it holds anything."""
        if len(self.counts) == 0:
            return None
        number = int(np.clip(share * len(self.counts), 0, len(self.counts) - 1))
        return number if self.counts[number] else None

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Bars, the median, the 95th percentile, and the ends of the axis."""
        if self.marks is None:
            return
        bars, tallest = len(self.counts), int(self.counts.max())
        foot = LABEL_PX / size_of(figure)[1]
        axes = figure.add_axes((0.0, foot, 1.0, 1.0 - foot), facecolor="none")
        axes.set(xlim=(0, bars), ylim=(0, 1.02 * tallest), xticks=[], yticks=[])
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(inks.faint)
        heights = np.where(self.counts > 0, np.maximum(self.counts, LOWEST * tallest), 0)
        colours = [inks.text if number == self.hovered else inks.bright for number in range(bars)]
        axes.bar(np.arange(bars) + 0.5, heights, width=0.9, color=colours)
        for value, style in zip(self.marks, ("-", "--"), strict=True):
            share = min(1.0, (value - self.edges[0]) / (self.edges[-1] - self.edges[0]))
            axes.axvline(share * bars, color=inks.text, linewidth=1, linestyle=style)
        for x, side, text in (
            (0.0, "left", f"{self.edges[0]:.3g}"),
            (0.5, "center", f"{self.quantity}, {self.unit}"),
            (1.0, "right", f"{self.edges[-1]:.3g} +"),
        ):
            figure.text(x, 0.3 * foot, text, color=inks.text, horizontalalignment=side)


def histogram_of(values: np.ndarray, quantity: str = "", unit: str = "") -> Histogram:
    """Count values.

    Parameters
    ----------
    values : ndarray, shape (N,)
        What is not finite counts nowhere.
    quantity, unit : str
        What the values are, for the axis.

    Returns
    -------
    Histogram
        Of no bars if no value is finite.
    """
    known = values[np.isfinite(values)]
    edges = edges_of(known)
    bars = max(0, len(edges) - 1)
    place = np.searchsorted(edges, np.nan_to_num(values), side="right") - 1
    bin_of = np.where(np.isfinite(values), np.clip(place, 0, max(0, bars - 1)), -1)
    median, high = np.percentile(known, (50, 95)) if len(known) else (np.nan, np.nan)
    return Histogram(
        edges=edges,
        counts=np.bincount(bin_of[bin_of >= 0], minlength=bars),
        bin_of=bin_of,
        marks=(float(median), float(high)) if len(known) else None,
        quantity=quantity,
        unit=unit,
    )


def edges_of(values: np.ndarray) -> np.ndarray:
    """Edges of the bars for values (N,): even steps up to the 98th percentile; none for no values."""
    if len(values) == 0:
        return np.zeros(0)
    low, high = float(values.min()), float(np.percentile(values, MIDDLE_PERCENT))
    if high - low < 1e-6 * max(abs(high), 1e-12):
        low, high = 0.9 * low, 1.1 * high + 1e-12
    bins = int(np.clip(2 * len(values) ** (1 / 3), FEWEST_BINS, MOST_BINS))
    return np.linspace(low, high, bins + 1)
