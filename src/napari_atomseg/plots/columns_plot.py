"""Plots of columns in which columns can be selected: a scatter of two features, a histogram, a profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from napari_atomseg.plots.frame import Margins, framed_axes
from napari_atomseg.plots.palette import CATEGORY_COLOURS, UNKNOWN_KIND
from napari_atomseg.plots.picture import Inks, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SELECTED = "#ff4fd8"
"""Colour of what is selected, in plots and on the image."""
_SPARE = 0.04  # of an axis, beyond the outermost values
_FEWEST_BARS, _MOST_BARS = 16, 60
_POINT, _MANY = 5.0, 3000
_THROUGH = 0.45
"""Opacity of bars in front of others."""


@dataclass(frozen=True, eq=False)
class Kinds:
    """Groups of columns that are told apart by colours.

    Attributes
    ----------
    names : tuple of str
    of : ndarray of int, shape (N,)
        Place of each column's kind among the names; -1 for none.
    """

    names: tuple[str, ...]
    of: np.ndarray

    @property
    def each(self) -> list[tuple[str, str, np.ndarray]]:
        """Name, colour and rows of every kind that has columns, those of none last."""
        shown = []
        for place, name in enumerate((*self.names, "none")):
            kind = place if place < len(self.names) else -1
            rows = np.flatnonzero(self.of == kind)
            colour = CATEGORY_COLOURS[place % len(CATEGORY_COLOURS)] if kind >= 0 else UNKNOWN_KIND
            if len(rows):
                shown.append((f"{name} ({len(rows):,})", colour, rows))
        return shown


class SelectablePlot(Plot, Protocol):
    """A plot of columns, some of which may be selected.

    Attributes
    ----------
    margins : Margins
    limits : tuple of float
        Lowest and highest x, then y, at the frame.
    span : bool
        Whether only x counts when columns are selected.
    """

    margins: Margins

    @property
    def limits(self) -> tuple[float, float, float, float]: ...

    @property
    def span(self) -> bool: ...

    def rows_within(self, outline: np.ndarray) -> np.ndarray:
        """Numbers of the values within a polygon (K, 2) of (x, y)."""

    def marks(self, rows: np.ndarray) -> np.ndarray:
        """What of the plot these values are: points (M, 2), or boxes (M, 4) of x0, x1, y0, y1."""

    def table(self, selected: np.ndarray) -> pd.DataFrame:
        """The numbers that are drawn, with what is selected."""


@dataclass(frozen=True, eq=False)
class ColumnsScatter:
    """One feature against another, a point for each column.

    Attributes
    ----------
    x, y : ndarrays, shape (N,)
        NaN where unknown.
    x_title, y_title : str
        Quantities with units.
    selected : ndarray of int
        Rows that stand out.
    kinds : Kinds, optional
        By which points are coloured.
    """

    x: np.ndarray
    y: np.ndarray
    x_title: str
    y_title: str
    selected: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    kinds: Kinds | None = None
    margins: Margins = field(default_factory=Margins)

    @property
    def span(self) -> bool:
        """A lasso counts in both directions."""
        return False

    @cached_property
    def limits(self) -> tuple[float, float, float, float]:
        """Of all points."""
        return (*_ends(self.x), *_ends(self.y))

    def rows_within(self, outline: np.ndarray) -> np.ndarray:
        """Rows of the points within a polygon (K, 2)."""
        return np.flatnonzero(_inside(outline, self.x, self.y))

    def marks(self, rows: np.ndarray) -> np.ndarray:
        """Points (M, 2) of rows that are known."""
        points = np.column_stack([self.x[rows], self.y[rows]])
        return points[np.isfinite(points).all(axis=1)]

    def table(self, selected: np.ndarray) -> pd.DataFrame:
        """Both features of each column."""
        chosen = np.isin(np.arange(len(self.x)), selected)
        found = pd.DataFrame({self.x_title: self.x, self.y_title: self.y, "selected": chosen})
        if self.kinds is None:
            return found
        return found.assign(kind=np.array([*self.kinds.names, "none"])[self.kinds.of])

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Points, those that are selected above the others."""
        axes = framed_axes(figure, inks, self.margins, self.x_title, self.y_title)
        size = _POINT if len(self.x) < _MANY else _POINT / 2
        parts = self.kinds.each if self.kinds is not None else [("", inks.bright, np.arange(len(self.x)))]
        for name, colour, rows in parts:
            axes.plot(
                self.x[rows], self.y[rows], ".", color=colour, markersize=size, markeredgewidth=0, label=name,
                rasterized=len(self.x) > _MANY,
            )  # fmt: skip
        _explain(axes, self.kinds, inks)
        if len(self.selected):
            axes.plot(*self.marks(self.selected).T, ".", color=SELECTED, markersize=size + 2, markeredgewidth=0)
        axes.set(xlim=self.limits[:2], ylim=self.limits[2:])
        axes.locator_params(nbins=5)


@dataclass(frozen=True, eq=False)
class ColumnsHistogram:
    """How often which value of a feature occurs.

    Attributes
    ----------
    x : ndarray, shape (N,)
        NaN where unknown.
    x_title : str
    selected : ndarray of int
        Rows whose share of the bars stands out.
    kinds : Kinds, optional
        Whose bars are drawn one in front of the other.
    """

    x: np.ndarray
    x_title: str
    selected: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    kinds: Kinds | None = None
    margins: Margins = field(default_factory=Margins)

    @property
    def span(self) -> bool:
        """Only values count."""
        return True

    @cached_property
    def edges(self) -> np.ndarray:
        """Of the bars, by Freedman and Diaconis (1981); of several kinds those that suit most of them."""
        low, high = _ends(self.x[np.isfinite(self.x)])
        parts = [self.x] if self.kinds is None else [self.x[rows] for _, _, rows in self.kinds.each]
        width = float(np.median([_bar_width(part[np.isfinite(part)]) for part in parts]))
        most = _MOST_BARS if self.kinds is None else 2 * _MOST_BARS
        bars = int(np.clip((high - low) / width, _FEWEST_BARS, most)) if width > 0 else _FEWEST_BARS
        return np.linspace(low, high, bars + 1)

    @cached_property
    def counts(self) -> np.ndarray:
        """Columns in each bar."""
        return self._count(self.x)

    def _count(self, values: np.ndarray) -> np.ndarray:
        return np.histogram(values[np.isfinite(values)], self.edges)[0]

    @cached_property
    def limits(self) -> tuple[float, float, float, float]:
        """From the first to the last bar, and from 0 to a little above the highest."""
        return float(self.edges[0]), float(self.edges[-1]), 0.0, 1.06 * max(int(self.counts.max(initial=0)), 1)

    def rows_within(self, outline: np.ndarray) -> np.ndarray:
        """Rows of the values between the ends of an outline (K, 2)."""
        return np.flatnonzero((self.x >= outline[:, 0].min()) & (self.x <= outline[:, 0].max()))

    def marks(self, rows: np.ndarray) -> np.ndarray:
        """Boxes (M, 4): what the rows have of each bar."""
        counts = self._count(self.x[rows])
        some = counts > 0
        return np.column_stack([self.edges[:-1], self.edges[1:], 0 * counts, counts])[some]

    def table(self, selected: np.ndarray) -> pd.DataFrame:
        """Ends and counts of the bars, also of each kind."""
        of_kinds = {name: self._count(self.x[rows]) for name, _, rows in self.kinds.each} if self.kinds is not None else {}
        ends = {"from": self.edges[:-1], "to": self.edges[1:]}
        return pd.DataFrame({**ends, "columns": self.counts, "selected": self._count(self.x[selected]), **of_kinds})

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Bars, and what of them is selected."""
        axes = framed_axes(figure, inks, self.margins, self.x_title, "columns")
        if self.kinds is None:
            axes.stairs(self.counts, self.edges, fill=True, color=inks.bright)
        else:
            for name, colour, rows in self.kinds.each:
                bars = self._count(self.x[rows])
                axes.stairs(bars, self.edges, fill=True, color=colour, alpha=_THROUGH)
                axes.stairs(bars, self.edges, color=colour, label=name)
            _explain(axes, self.kinds, inks)
        if len(self.selected):
            axes.stairs(self._count(self.x[self.selected]), self.edges, fill=True, color=SELECTED)
        axes.set(xlim=self.limits[:2], ylim=self.limits[2:])
        axes.locator_params(nbins=5)


def _explain(axes: Axes, kinds: Kinds | None, inks: Inks) -> None:
    """What the colours mean."""
    if kinds is not None:
        axes.legend(loc="best", frameon=False, labelcolor=inks.text, handlelength=0.9, handletextpad=0.4, borderaxespad=0.2)


def _bar_width(known: np.ndarray) -> float:
    """That suits values (N,); 0 for none."""
    return float(2 * np.subtract(*np.percentile(known, (75, 25))) / np.cbrt(len(known))) if len(known) else 0.0


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest value with a little room; 0 and 1 if none is known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    room = _SPARE * (high - low) or 0.5 * max(abs(high), 1e-12)
    return low - room, high + room


def _inside(outline: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points lie in a polygon; unknown ones do not."""
    from matplotlib.path import Path

    known = np.isfinite(x) & np.isfinite(y)
    found = np.zeros(len(x), bool)
    if len(outline) >= 3:
        found[known] = Path(outline, closed=False).contains_points(np.column_stack([x[known], y[known]]))
    return found
