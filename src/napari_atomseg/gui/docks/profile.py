"""The dock "Profile": a recorded and a simulated image along a line, live while the line is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Shapes
from qtpy.QtCore import QTimer

from napari_atomseg.gui.docks.plot_dock import PlotDock
from napari_atomseg.gui.widgets.controls import CountBox
from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.plots.line_profile import LineProfile
from napari_atomseg.workflows import line_profile

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_atomseg.gui.contract import Host
    from napari_atomseg.workflows import Comparison

EMPTY = "Move the line, or draw another one: the last line counts."
LIVE_MS = 30


class ProfileDock(PlotDock):
    """Plot of both images along the line of a Shapes layer.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Profile"
    tip = "Both images along a line."

    def __init__(self, host: Host) -> None:
        super().__init__(PlotView(host.viewer, EMPTY), "profile", "Profile of the image and its simulation")
        self._comparison: Comparison | None = None
        self._image: Image | None = None
        self._layer: Shapes | None = None
        self._ends: tuple[np.ndarray, np.ndarray] | None = None
        self.table: pd.DataFrame | None = None
        self.width_box = CountBox()
        self.width_box.setObjectName("profile_width")
        self.width_box.setRange(1, 999)
        self.width_box.setSuffix(" px")
        self.width_box.setToolTip("The profile is averaged over this width across the line.")
        self.width_box.valueChanged.connect(self._on_width)
        self.add_control(self.width_box, "Width")
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(LIVE_MS)
        self._soon.timeout.connect(self.update_plot)

    def watch(self, comparison: Comparison | None, image: Image | None, layer: Shapes | None) -> None:
        """Show the profile of another comparison, along another line.

        Parameters
        ----------
        comparison : Comparison or None
        image : Image or None
            The experiment.
        layer : Shapes or None
            With the line.
        """
        if layer is not self._layer:
            self._follow(layer)
        self._comparison, self._image, self._ends = comparison, image, None
        self.update_plot()

    def _follow(self, layer: Shapes | None) -> None:
        if self._layer is not None:
            self._layer.events.set_data.disconnect(self._later)
            self._layer.events.data.disconnect(self._later)
        self._layer = layer
        if layer is not None:
            # While a hand drags a shape, only `set_data` is heard.
            layer.events.set_data.connect(self._later)
            layer.events.data.connect(self._later)

    def _later(self, event: Any = None) -> None:
        try:
            if not self._soon.isActive():
                self._soon.start()
        except RuntimeError:  # napari keeps the callback longer than Qt the widget
            return

    def _on_width(self, _: int) -> None:
        self._ends = None
        self.update_plot()

    def update_plot(self) -> None:
        """Show the profile along the line as it now lies."""
        from napari_atomseg.gui.layers.comparison import line_of

        ends = line_of(self._layer, self._image) if self._layer is not None and self._image is not None else None
        if ends is None or self._comparison is None:
            self._show(None)
            return
        if self._ends is not None and np.array_equal(ends, self._ends):
            return
        self._ends = ends
        if np.hypot(*(ends[1] - ends[0])) < 1:
            self._show(None)
            return
        (top, left), (bottom, right) = (tuple(map(float, end)) for end in ends)
        self._show(line_profile(self._comparison, (top, left), (bottom, right), width_px=self.width_box.value()))

    def _show(self, table: pd.DataFrame | None) -> None:
        self.table = table if table is not None and len(table) > 1 else None
        self.show_plot(LineProfile(self.table) if self.table is not None else None, self.table)
        self.reading.setText(EMPTY if table is None else _reading(table))


def _reading(table: pd.DataFrame) -> str:
    difference = (table["experimental"] - table["simulated"]).to_numpy(float)
    known = difference[np.isfinite(difference)]
    if not known.size:
        return "The simulation does not reach this line."
    return f"{table['distance_angstrom'].iloc[-1]:.3g} Å; difference {np.sqrt(np.mean(known**2)):.3g} (rms)."
