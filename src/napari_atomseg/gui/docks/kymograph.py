"""The dock "Kymograph": a line between two sites of a series, frame by frame."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_atomseg.gui.docks.frame_plot_dock import FramePlotDock
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.plots.kymograph import KymographPlot

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

EMPTY = "Select two sites of a series, and press Kymograph on the page Series."


class KymographDock(FramePlotDock):
    """Intensity along a line that goes with the drift; a click goes to the frame.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Kymograph"
    tip = "Intensity along the line between two sites, frame by frame; a click goes to the frame."

    def __init__(self, host: Host) -> None:
        super().__init__(host, "kymograph", "Intensity along a line, frame by frame", EMPTY)
        self._values: np.ndarray | None = None
        self._image: weakref.ref[Image] | None = None
        self._said = ""
        self.refresh()

    def show_line(self, image: Image, values: np.ndarray, length_px: float, said: str) -> None:
        """Show what was read along a line.

        Parameters
        ----------
        image : Image
            The stack.
        values : ndarray, shape (T, N)
        length_px : float
            Of the line.
        said : str
            Which line it is.
        """
        self._image, self._values, self._said = weakref.ref(image), values, said
        self._step_px = length_px / max(values.shape[1] - 1, 1)
        self.refresh()

    def draw(self) -> None:
        """The line, as long as its stack is the chosen one."""
        stack = self.stack
        if self._values is None or stack is None or self._image is None or self._image() is not stack:
            self.show_plot(None, None)
            return
        known = to_micrograph(stack)
        size = known.pixel_size
        plot = KymographPlot(
            values=self._values,
            step=self._step_px * (float(np.mean(size)) if size is not None else 1.0),
            unit="Å" if size is not None else "px",
            frame_time_s=known.frame_time_s,
            marked=self.frame,
        )
        self.show_plot(plot, plot.table())

    def read(self) -> None:
        """Which line it is."""
        self.reading.setText(self._said if self.view.plot is not None else "")
