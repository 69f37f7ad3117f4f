"""The dock "Drift and quality": how the frames of a series moved, and which of them are good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from napari_atomseg.gui.docks.frame_plot_dock import FramePlotDock
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.series import series_of
from napari_atomseg.plots.series_quality import SeriesQuality, series_table
from napari_atomseg.workflows import plus_minus

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

EMPTY = "Align a series of frames first (page Series)."


class SeriesQualityDock(FramePlotDock):
    """Shift, brightness and correlation of each frame of the image; a click goes to the frame.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Drift and quality"
    tip = "Shift of each frame with its error, brightness and correlation; a click goes to the frame."

    def __init__(self, host: Host) -> None:
        super().__init__(host, "drift", "Shifts and quality of the frames", EMPTY)
        self._table: pd.DataFrame | None = None
        self.refresh()

    def draw(self) -> None:
        """The series of the chosen image."""
        stack = self.stack
        found = series_of(stack)
        self._table = None
        if stack is not None and found is not None:
            known = to_micrograph(stack)
            self._table = series_table(found.numbers, known.pixel_size, known.frame_time_s)
        self.show_plot(SeriesQuality(self._table, self.frame) if self._table is not None else None, self._table)

    def read(self) -> None:
        """The numbers of the frame in view."""
        if self._table is None:
            self.reading.setText("")
            return
        row = self._table.iloc[self.frame]
        name = f"Frame {int(row['frame'])}"
        if not row["used"]:
            self.reading.setText(f"{name} was left out: it shows nothing, or something else than the others.")
            return
        unit, word = ("angstrom", "Å") if "shift_y_angstrom" in row else ("px", "px")
        shifts = [plus_minus(row[f"shift_{axis}_{unit}"], row[f"shift_{axis}_std_{unit}"]) for axis in "yx"]
        self.reading.setText(f"{name}: shift y {shifts[0]} {word}, x {shifts[1]} {word}; correlation {row['correlation']:.2f}.")
