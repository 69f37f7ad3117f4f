"""A plot along the frames of a stack: a click goes to the frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from qtpy.QtCore import Qt, Signal

from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.plots.picture import Plot


class PlotOfFrames(Plot, Protocol):
    """A plot along frames.

    Attributes
    ----------
    marked : int or None
        The frame in view; a field of a dataclass.
    """

    @property
    def marked(self) -> int | None: ...

    def frame_at(self, x: float, size: tuple[float, float]) -> int | None:
        """The frame at so many px from the left."""


class FramePlot(PlotView):
    """Shows a plot of frames; `picked` gives the frame that was clicked or dragged to."""

    picked = Signal(int)

    @property
    def frames(self) -> PlotOfFrames | None:
        """The plot, as one of frames."""
        return self.plot  # type: ignore[return-value]  # the docks that have this widget show no others

    def mark(self, frame: int | None) -> None:
        """Mark the frame in view."""
        plot: Any = self.frames
        if plot is not None and plot.marked != frame:
            self.show_plot(replace(plot, marked=frame), at_once=True)

    def mousePressEvent(self, event: Any) -> None:  # Qt's name
        """Go to a frame."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._go(event)

    def mouseMoveEvent(self, event: Any) -> None:  # Qt's name
        """Go on to others."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event)

    def _go(self, event: Any) -> None:
        plot = self.frames
        frame = plot.frame_at(event.position().x(), (self.width(), self.height())) if plot is not None else None
        if frame is not None:
            self.picked.emit(frame)
