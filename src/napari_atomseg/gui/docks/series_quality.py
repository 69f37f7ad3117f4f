"""The dock "Drift and quality": how the frames of a series moved, and which of them are good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from napari_atomseg.gui.docks.plot_dock import PlotDock
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.series import series_of
from napari_atomseg.gui.widgets.frame_plot import FramePlot
from napari_atomseg.plots.series_quality import SeriesQuality, series_table

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_atomseg.gui.contract import Host

EMPTY = "Align a series of frames first (page Series)."


class SeriesQualityDock(PlotDock):
    """Shift, brightness and correlation of each frame of the image; a click goes to the frame.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Drift and quality"
    tip = "Shift of each frame with its error, brightness and correlation; a click goes to the frame."

    def __init__(self, host: Host) -> None:
        self.view = FramePlot(host.viewer, EMPTY)
        super().__init__(self.view, "drift", "Shifts and quality of the frames")
        self._host = host
        self._table: pd.DataFrame | None = None
        self.view.setToolTip("Click to go to a frame.")
        self.view.picked.connect(self.go_to)
        host.image_changed.connect(self.refresh)
        host.calibrated.connect(self.refresh)
        host.viewer.dims.events.current_step.connect(self._on_frame)
        self.refresh()

    def refresh(self) -> None:
        """Show the series of the chosen image."""
        try:
            image = self._host.image
            found = series_of(image)
            if image is None or image.ndim != 3 or found is None:
                self._table = None
                self.show_plot(None, None)
                self.reading.setText("")
                return
            known = to_micrograph(image)
            self._table = series_table(found.numbers, known.pixel_size, known.frame_time_s)
            self.show_plot(SeriesQuality(self._table, self._frame(image)), self._table)
            self._read(image)
        except RuntimeError:
            # The dock's Qt side is gone; signals may still come once.
            return

    def go_to(self, frame: int) -> None:
        """Show a frame of the stack."""
        self._host.viewer.dims.set_current_step(0, frame)

    def _frame(self, image: Image) -> int:
        return min(int(self._host.viewer.dims.current_step[0]), len(image.data) - 1)

    def _on_frame(self, event: Any = None) -> None:
        try:
            image = self._host.image
            if self._table is not None and image is not None and image.ndim == 3:
                self.view.mark(self._frame(image))
                self._read(image)
        except RuntimeError:
            # The dock's Qt side is gone; napari keeps the callback longer.
            return

    def _read(self, image: Image) -> None:
        """The numbers of the frame in view."""
        if self._table is None:
            return
        row = self._table.iloc[self._frame(image)]
        name = f"Frame {int(row['frame'])}"
        if not row["used"]:
            self.reading.setText(f"{name} was left out: it shows nothing, or something else than the others.")
            return
        unit, word = ("angstrom", "Å") if "shift_y_angstrom" in row else ("px", "px")
        parts = [f"{axis} {row[f'shift_{axis}_{unit}']:.2f} ± {row[f'shift_{axis}_std_{unit}']:.2g} {word}" for axis in "yx"]
        self.reading.setText(f"{name}: shift {', '.join(parts)}; correlation {row['correlation']:.2f}.")
