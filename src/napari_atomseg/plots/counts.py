"""Cross-sections as a histogram with the mixture of counts, and the criteria that choose how many counts there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.plots.picture import Inks, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT_PX, RIGHT_PX, FOOT_PX, HEAD_PX, BETWEEN_PX = 44, 10, 34, 8, 56
HISTOGRAM_SHARE = 0.6
"""Of the width; the criteria have the rest."""
FEWEST_BARS, MOST_BARS, BAR_IN_WIDTHS = 20, 160, 0.8
CURVE_POINTS = 600
CURVES = {"icl": "-", "bic": "--", "aic": ":"}


@dataclass(frozen=True, eq=False)
class CountsPlot:
    """Histogram with mixture, and criteria against the number of counts.

    Attributes
    ----------
    values : ndarray, shape (N,)
        Cross-sections.
    unit : str
    counts : mapping
        ``means, widths, weights, first_count, components`` and, where no library was used, ``criteria``.
    marked : int or None
        Number of counts under the hand.
    """

    values: np.ndarray
    unit: str
    counts: Mapping[str, Any]
    marked: int | None = None

    def rooms(self, size: tuple[float, float]) -> tuple[tuple[float, float, float, float], ...]:
        """Left, bottom, width and height of the axes of histogram and criteria, as shares of a figure of (width, height) px."""
        width, height = size
        tall = 1 - (FOOT_PX + HEAD_PX) / height
        foot, left = FOOT_PX / height, LEFT_PX / width
        if "criteria" not in self.counts:
            return ((left, foot, 1 - left - RIGHT_PX / width, tall),)
        room = 1 - (LEFT_PX + BETWEEN_PX + RIGHT_PX) / width
        second = left + HISTOGRAM_SHARE * room + BETWEEN_PX / width
        return (left, foot, HISTOGRAM_SHARE * room, tall), (second, foot, (1 - HISTOGRAM_SHARE) * room, tall)

    def number_at(self, x: float, size: tuple[float, float]) -> int | None:
        """Number of counts at a place x, px, in a figure of (width, height) px; None beside the criteria."""
        rooms = self.rooms(size)
        if len(rooms) < 2:
            return None
        left, _, width, _ = rooms[1]
        share = (x / size[0] - left) / width
        most = len(self.counts["criteria"]["bic"])
        if not -0.05 <= share <= 1.05:
            return None
        return int(np.clip(round(0.5 + share * most), 1, most))

    def component_at(self, x: float, size: tuple[float, float]) -> int | None:
        """Atoms of the component nearest to a place x, px, in the histogram; None beside it."""
        left, _, width, _ = self.rooms(size)[0]
        share = (x / size[0] - left) / width
        if not 0 <= share <= 1:
            return None
        low, high = self._range()
        means = np.asarray(self.counts["means"])
        return int(self.counts["first_count"] + np.argmin(np.abs(means - (low + share * (high - low)))))

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Bars, the mixture and its components; the curves with the number that is taken."""
        rooms = self.rooms(size_of(figure))
        self._draw_histogram(figure.add_axes(rooms[0], facecolor="none"), inks)
        if len(rooms) > 1:
            self._draw_criteria(figure.add_axes(rooms[1], facecolor="none"), inks)

    def _range(self) -> tuple[float, float]:
        known = self.values[np.isfinite(self.values)]
        low, high = np.percentile(known, (0.2, 99.8))
        spare = 0.04 * (high - low) or 1e-12
        return float(low - spare), float(high + spare)

    def _draw_histogram(self, axes: Axes, inks: Inks) -> None:
        means, widths, weights = (np.asarray(self.counts[name]) for name in ("means", "widths", "weights"))
        known = self.values[np.isfinite(self.values)]
        low, high = self._range()
        bars = int(np.clip((high - low) / (BAR_IN_WIDTHS * np.median(widths)), FEWEST_BARS, MOST_BARS))
        axes.hist(known, bins=bars, range=(low, high), color=inks.bright, alpha=0.55)
        x = np.linspace(low, high, CURVE_POINTS)
        scale = len(known) * (high - low) / bars / np.sqrt(2 * np.pi)
        each = scale * weights / widths * np.exp(-0.5 * ((x[:, None] - means) / widths) ** 2)
        axes.plot(x, each, color=inks.faint, linewidth=0.8)
        axes.plot(x, each.sum(axis=1), color=inks.text, linewidth=1.3)
        axes.set_xlim(low, high)
        above = axes.get_ylim()[1]
        step = max(1, len(means) // 20)
        for place in range(0, len(means), step):
            if low < means[place] < high:
                axes.text(
                    means[place], 0.97 * above, f"{self.counts['first_count'] + place}", color=inks.text, ha="center", va="top"
                )
        axes.set_xlabel(f"cross-section, {self.unit}", color=inks.text, labelpad=1)
        _dress(axes, inks)

    def _draw_criteria(self, axes: Axes, inks: Inks) -> None:
        curves = {name: np.asarray(self.counts["criteria"][name]) for name in CURVES}
        most = len(curves["bic"])
        number = np.arange(1, most + 1)
        for name, style in CURVES.items():
            axes.plot(number, curves[name], style, color=inks.bright, label=name.upper(), linewidth=1.3)
        lowest = min(curve.min() for curve in curves.values())
        seen = np.concatenate([curve[1:] for curve in curves.values()]) if most > 1 else curves["bic"]
        axes.set_ylim(lowest - 0.05 * np.ptp(seen) - 1e-9, np.percentile(seen, 90) + 0.05 * np.ptp(seen) + 1e-9)
        axes.set_xlim(0.5, most + 0.5)
        axes.axvline(self.counts["components"], color=inks.text, linewidth=1.2)
        if self.marked is not None:
            axes.axvline(self.marked, color=inks.text, linewidth=1.2, linestyle="--")
        axes.set_xlabel("number of different counts", color=inks.text, labelpad=1)
        axes.legend(frameon=False, labelcolor=inks.text, loc="upper right", handlelength=1.6, borderpad=0)
        _dress(axes, inks)


def _dress(axes: Axes, inks: Inks) -> None:
    axes.tick_params(colors=inks.text, length=3, pad=2)
    axes.locator_params(axis="y", nbins=4)
    for spine in axes.spines.values():
        spine.set_color(inks.faint)
