"""A line through the frames of a series against time: what moves along it leaves slanting tracks, what hops leaves steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import TIME
from napari_atomseg.plots.frame import Margins, framed_axes
from napari_atomseg.plots.frame_axis import AlongFrames
from napari_atomseg.plots.picture import Inks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ENDS = (1, 99.5)
"""Percentiles of the intensities that are black and white."""


@dataclass(frozen=True, eq=False)
class KymographPlot(AlongFrames):
    """Intensity along a line, frame by frame.

    Attributes
    ----------
    values : ndarray, shape (T, N)
        A row for each frame; NaN where nothing is known.
    step : float
        Distance of neighbouring values along the line.
    unit : str
        Of the distance.
    frame_time_s : float or None
        Time between frames.
    marked : int or None
        The frame in view.
    """

    values: np.ndarray
    step: float
    unit: str
    frame_time_s: float | None = None
    marked: int | None = None
    margins: Margins = field(default_factory=lambda: Margins(left=58))

    @property
    def along(self) -> np.ndarray:
        """Time in s if known, else the frame."""
        return np.arange(len(self.values)) * (self.frame_time_s or 1.0)

    @property
    def limits(self) -> tuple[float, float]:
        """Left edge of the first frame, right edge of the last one."""
        half = 0.5 * (self.frame_time_s or 1.0)
        return -half, float(self.along[-1]) + half

    def margins_in(self, size: tuple[float, float]) -> tuple[Margins, ...]:
        """Of the only axes."""
        return (self.margins,)

    def table(self) -> pd.DataFrame:
        """The numbers: a row for each frame, a column for each distance."""
        names = [f"{place * self.step:.4g} {self.unit}" for place in range(self.values.shape[1])]
        found = pd.DataFrame(self.values, columns=names)
        found.insert(0, "frame", np.arange(len(found)))
        if self.frame_time_s:
            found.insert(1, TIME, self.along)
        return found

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Frames from left to right, the line from below upwards."""
        title = "time, s" if self.frame_time_s else "frame (from 0)"
        axes = framed_axes(figure, inks, self.margins, title, f"along the line, {self.unit}")
        known = self.values[np.isfinite(self.values)]
        low, high = np.percentile(known, _ENDS) if len(known) else (0.0, 1.0)
        length = (self.values.shape[1] - 0.5) * self.step
        axes.imshow(
            self.values.T, extent=(*self.limits, -0.5 * self.step, length), origin="lower", aspect="auto", cmap="gray",
            vmin=low, vmax=high if high > low else low + 1e-12, interpolation="nearest",
        )  # fmt: skip
        if self.marked is not None and self.marked < len(self.values):
            axes.axvline(self.along[self.marked], color=inks.bright, linewidth=1)
        axes.locator_params(nbins=6)
