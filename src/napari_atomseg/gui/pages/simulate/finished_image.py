"""The image of a simulation as it grows, once it is whole, and what a cancelled one leaves."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Points
from qtpy.QtCore import QObject

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.jobs.time_left import duration
from napari_atomseg.gui.jobs.workers import NOTHING_CHANGED
from napari_atomseg.gui.layers.structures import show_simulated, simulated_of, structure_of
from napari_atomseg.workflows import SimulationParams, SimulationProgress, simulate

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host


class FinishedImage(QObject):
    """Runs the page's job, and keeps one layer for its image.

    Parameters
    ----------
    host : Host
        The panel.
    parent : QObject
        The page.
    """

    def __init__(self, host: Host, parent: QObject) -> None:
        super().__init__(parent)
        self._host = host
        # Of the structure whose image was finished last, until the next job begins.
        self._made_last: object = None
        self._begun = 0.0

    def simulate(self, layer: Points, params: SimulationParams, correction: str | None, extrapolate: bool) -> None:
        """Simulate the image of a structure with the chosen method.

        Parameters
        ----------
        layer : Points
            The structure.
        params : SimulationParams
        correction : str or None
            Of the convolution, if that is what the method takes.
        extrapolate : bool
            Whether it may be used beyond what it was fitted to.
        """
        steps = simulate.steps(structure_of(layer), params, correction=correction, extrapolate=extrapolate)
        self._begun = time.perf_counter()
        self._made_last = None
        self._host.start(
            steps,
            lambda found: self._made(layer, params.method, found),
            f"Simulating ({params.method})",
            heard=lambda progress: self._show_partial(layer, params.method, progress),
            left=lambda: self._left_of(layer, params.method),
        )

    def _left_of(self, layer: Points, method: str) -> str:
        """What a cancelled simulation leaves."""
        unfinished = simulated_of(self._host.viewer, layer, f"{method} so far")
        if unfinished is None:
            return NOTHING_CHANGED
        return f'the image of what was calculated stays as "{escape(unfinished.name)}".'

    def _show_partial(self, layer: Points, method: str, progress: Any) -> None:
        """The image as far as it is."""
        if not isinstance(progress, SimulationProgress) or layer not in self._host.viewer.layers:
            return
        if progress.partial is None or self._made_last == layer.unique_id:
            return
        partial = show_simulated(self._host.viewer, layer, f"{method} so far", progress.partial)
        # Adding a layer lets events through, and the whole image may have come among them.
        if self._made_last == layer.unique_id and partial in self._host.viewer.layers:
            self._host.viewer.layers.remove(partial)

    def _made(self, layer: Points, method: str, found: Micrograph) -> None:
        viewer = self._host.viewer
        self._made_last = layer.unique_id
        if layer not in viewer.layers:
            self._host.say("The structure has been removed meanwhile; its image is not shown.")
            return
        for unfinished in [one for one in viewer.layers if one.name == f"{layer.name} | {method} so far"]:
            viewer.layers.remove(unfinished)
        image = show_simulated(viewer, layer, method, found)
        image.visible = True
        seconds = time.perf_counter() - self._begun
        notes = f" {escape('; '.join(found.notes))}" if found.notes else ""
        self._host.say(f"{escape(layer.name)}: {method}, {duration(seconds)}.{notes}")
