"""Whether a column stands at a site, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import TIME
from napari_atomseg.plots.frame import Margins, framed_axes
from napari_atomseg.plots.frame_axis import AlongFrames
from napari_atomseg.plots.palette import CATEGORY_COLOURS
from napari_atomseg.plots.picture import Inks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = tuple(CATEGORY_COLOURS[kind] for kind in (4, 1, 2, 3, 5))
"""Of as many sites as can be told apart, on dark and on white."""


@dataclass(frozen=True, eq=False)
class SiteTimeline(AlongFrames):
    """Probability of presence at a few sites against the frame or the time, and their events.

    Attributes
    ----------
    table : DataFrame
        ``site, frame`` (from 0), ``presence`` and, where known, ``time_s``; all frames of one site after those of another.
    events : DataFrame
        ``frame, site, kind`` of these sites.
    marked : int or None
        The frame in view.
    """

    table: pd.DataFrame
    events: pd.DataFrame
    marked: int | None = None
    margins: Margins = field(default_factory=lambda: Margins(left=58))

    @property
    def along(self) -> np.ndarray:
        """Time in s if known, else the frame, of the frames in order."""
        name = TIME if TIME in self.table else "frame"
        return np.unique(self.table[name].to_numpy(float))

    def margins_in(self, size: tuple[float, float]) -> tuple[Margins, ...]:
        """Of the only axes."""
        return (self.margins,)

    def draw(self, figure: Figure, inks: Inks) -> None:
        """A line of steps for each site; triangles where a column appears (up) or disappears (down)."""
        title = "time, s" if TIME in self.table else "frame (from 0)"
        axes = framed_axes(figure, inks, self.margins, title, "presence")
        along = self.along
        for colour, (site, rows) in zip(COLOURS, self.table.groupby("site"), strict=False):
            axes.step(along, rows["presence"], where="mid", color=colour, linewidth=1.4, label=f"site {site}")
            own = self.events[self.events["site"] == site]
            for marker, gone in (("^", False), ("v", True)):
                frames = own.loc[(own["kind"] == "disappearance") == gone, "frame"].to_numpy(int)
                axes.plot(along[frames], np.full(len(frames), 0.5), marker, color=colour, markersize=5)
        if self.marked is not None and self.marked < len(along):
            axes.axvline(along[self.marked], color=inks.text, linewidth=1)
        axes.set(xlim=self.limits, ylim=(-0.05, 1.05))
        axes.locator_params(axis="x", nbins=8)
        axes.locator_params(axis="y", nbins=3)
        axes.legend(loc="best", frameon=False, labelcolor=inks.text, ncols=len(COLOURS), handlelength=1.2, borderaxespad=0.1)
