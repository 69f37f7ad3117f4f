"""What docks with a plot along the frames of a stack have in common: the frame in view is marked, a click goes to another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_atomseg.gui.docks.plot_dock import PlotDock
from napari_atomseg.gui.widgets.frame_plot import FramePlot

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_atomseg.gui.contract import Host


class FramePlotDock(PlotDock):
    """A plot along the frames of the chosen stack.

    Parameters
    ----------
    host : Host
        The panel.
    name, what, empty : str
        As of :class:`PlotDock`; what is said while there is no plot.
    """

    def __init__(self, host: Host, name: str, what: str, empty: str) -> None:
        self.view = FramePlot(host.viewer, empty)
        super().__init__(self.view, name, what)
        self._host = host
        self.view.setToolTip("Click to go to a frame.")
        self.view.picked.connect(self.go_to)
        host.image_changed.connect(self.refresh)
        host.calibrated.connect(self.refresh)
        host.viewer.dims.events.current_step.connect(self._on_frame)

    @property
    def stack(self) -> Image | None:
        """The chosen image, if it is a stack."""
        image = self._host.image
        return image if image is not None and image.ndim == 3 else None

    @property
    def frame(self) -> int:
        """The frame in view, from 0."""
        stack = self.stack
        return min(int(self._host.viewer.dims.current_step[0]), len(stack.data) - 1) if stack is not None else 0

    def refresh(self, *_: Any) -> None:
        """Show what there is of the chosen stack."""
        try:
            self.draw()
            self.read()
        except RuntimeError:
            # The dock's Qt side is gone; signals may still come once.
            return

    def draw(self) -> None:
        """Show the plot of the chosen stack, or none."""
        raise NotImplementedError

    def read(self) -> None:
        """Say what belongs to the frame in view."""

    def go_to(self, frame: int) -> None:
        """Show a frame of the stack."""
        self._host.viewer.dims.set_current_step(0, frame)

    def _on_frame(self, event: Any = None) -> None:
        try:
            if self.view.plot is not None and self.stack is not None:
                self.view.mark(self.frame)
                self.read()
        except RuntimeError:
            # The dock's Qt side is gone; napari keeps the callback longer.
            return
