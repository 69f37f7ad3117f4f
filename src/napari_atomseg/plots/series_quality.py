"""How the frames of a series moved, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import TIME
from napari_atomseg.plots.frame import Margins, framed_axes
from napari_atomseg.plots.frame_axis import AlongFrames
from napari_atomseg.plots.palette import CATEGORY_COLOURS
from napari_atomseg.plots.picture import Inks, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SECOND = CATEGORY_COLOURS[1]
"""Orange: of what is drawn beside the first line, on dark and on white."""
NARROWEST = 0.2
"""Range of brightness and correlation that is shown at least."""
_LEFT_PX, _BETWEEN_PX = 58, 52


def series_table(numbers: Mapping[str, Any], pixel_size: tuple[float, float] | None, frame_time_s: float | None) -> pd.DataFrame:
    """Shifts and quality of each frame.

    Parameters
    ----------
    numbers : mapping
        Of an aligned series.
    pixel_size : tuple of float or None, Angstrom, (y, x)
    frame_time_s : float or None

    Returns
    -------
    DataFrame
        ``frame`` (from 0), ``time_s`` if known, ``shift_y_px, shift_x_px`` and their ``_std_px``, the shifts in Angstrom if the
        pixel size is known, ``brightness``, ``correlation``, ``used``.
    """
    shifts, stds = (np.array(numbers[name], float).reshape(-1, 2) for name in ("shifts_px", "shifts_std_px"))
    frame = np.arange(len(shifts))
    table = pd.DataFrame({"frame": frame})
    if frame_time_s is not None:
        table[TIME] = frame * frame_time_s
    for axis, name in enumerate("yx"):
        table[f"shift_{name}_px"], table[f"shift_{name}_std_px"] = shifts[:, axis], stds[:, axis]
        if pixel_size is not None:
            table[f"shift_{name}_angstrom"] = shifts[:, axis] * pixel_size[axis]
            table[f"shift_{name}_std_angstrom"] = stds[:, axis] * pixel_size[axis]
    for name in ("brightness", "correlation"):
        table[name] = np.array(numbers[name], float)
    table["used"] = ~table["frame"].isin(numbers["dropped_frames"])
    return table


@dataclass(frozen=True, eq=False)
class SeriesQuality(AlongFrames):
    """Shifts with their errors on the left, brightness and correlation on the right, against the frame or the time.

    Attributes
    ----------
    table : DataFrame
        Of :func:`series_table`.
    marked : int or None
        The frame in view.
    """

    table: pd.DataFrame
    marked: int | None = None

    @property
    def along(self) -> np.ndarray:
        """Time in s if known, else the frame."""
        return self.table[TIME if TIME in self.table else "frame"].to_numpy(float)

    def margins_in(self, size: tuple[float, float]) -> tuple[Margins, ...]:
        """Of the left and of the right axes."""
        return _halves(size[0])

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Both halves, frames that were left out hatched away, and the frame in view."""
        unit = "angstrom" if "shift_y_angstrom" in self.table else "px"
        title = "time, s" if TIME in self.table else "frame (from 0)"
        halves = _halves(size_of(figure)[0])
        drift = framed_axes(figure, inks, halves[0], title, f"shift, {'Å' if unit == 'angstrom' else 'px'}")
        for name, colour in (("y", inks.bright), ("x", SECOND)):
            values, errors = self.table[f"shift_{name}_{unit}"], self.table[f"shift_{name}_std_{unit}"]
            line: dict[str, Any] = {
                "markersize": 4,
                "linewidth": 1,
                "elinewidth": 1,
                "capsize": 1.5,
                "color": colour,
                "label": name,
            }
            drift.errorbar(self.along, values, yerr=errors, fmt=".-", **line)
        quality = framed_axes(figure, inks, halves[1], title)
        for name, colour in (("brightness", inks.bright), ("correlation", SECOND)):
            quality.plot(self.along, self.table[name], ".-", markersize=4, linewidth=1, color=colour, label=name)
        quality.set_ylim(*self._range())
        for axes in (drift, quality):
            self._finish(axes, inks)

    def _range(self) -> tuple[float, float]:
        """Of brightness and correlation; never so narrow that noise looks like a change."""
        values = self.table[["brightness", "correlation"]].to_numpy(float)
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        room = max(0.08 * (high - low), 0.5 * (NARROWEST - (high - low)))
        return low - room, high + room

    def _finish(self, axes: Axes, inks: Inks) -> None:
        """What both halves have in common."""
        axes.set_xlim(self.limits)
        for place in self.along[~self.table["used"].to_numpy(bool)]:
            axes.axvline(place, color=inks.faint, linestyle=":", linewidth=1)
        if self.marked is not None and self.marked < len(self.along):
            axes.axvline(self.along[self.marked], color=inks.text, linewidth=1)
        axes.locator_params(nbins=5)
        axes.legend(loc="best", frameon=False, labelcolor=inks.text, ncols=2, handlelength=1.2, borderaxespad=0.1)


def _halves(width: float) -> tuple[Margins, Margins]:
    """Room around the left and around the right frame."""
    middle = int(width / 2)
    return Margins(left=_LEFT_PX, right=int(width) - middle + 8), Margins(left=middle + _BETWEEN_PX)
