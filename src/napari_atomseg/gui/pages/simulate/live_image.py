"""What follows every change on the page "Simulate": the atoms in projection, their convolution, and what multislice would cost.

Each in a worker of its own, so that the window answers and the panel's jobs are not disturbed; only the newest is shown.
"""

from __future__ import annotations

import time
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Points
from qtpy.QtCore import QObject, QTimer, Signal

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Steps
from napari_atomseg.gui.jobs.time_left import duration
from napari_atomseg.gui.jobs.workers import Work
from napari_atomseg.gui.layers.structures import show_simulated, show_structure, structure_of
from napari_atomseg.workflows import SimulationParams, SimulationProgress, projected_atoms, simulate, simulation_cost

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host
    from napari_atomseg.gui.pages.simulate.subject import Subject

LIVE_MS, COST_MS = 150, 400
"""Pause after the last change before the convolution is made anew, and the cost of a multislice estimated."""


class LiveImage(QObject):
    """Keeps the layers of the chosen structure in step with the page.

    Parameters
    ----------
    host : Host
        The panel.
    subject : Subject
    """

    costed = Signal(str)
    """What a multislice of the structure would cost, in words."""

    def __init__(self, host: Host, subject: Subject) -> None:
        super().__init__(subject)
        self._host, self._subject = host, subject
        self._soon, self._later = self._timer(LIVE_MS, self._update), self._timer(COST_MS, self._estimate)

    def update_soon(self, with_cost: bool) -> None:
        """Follow a change once no other comes for a moment."""
        self._soon.start()
        if with_cost:
            self._later.start()

    def _update(self) -> None:
        layer = self._subject.layer
        if layer is None:
            return
        try:
            params = self._subject.params()
        except AtomsegError as error:
            self._host.show_error(error)
            return
        begun, jobs = time.perf_counter(), self._host.jobs_begun
        work = Work(_live(structure_of(layer), params))
        self._host.keep("convolution", work)
        work.finished.connect(lambda found: self._show(layer, found, time.perf_counter() - begun, jobs))
        work.failed.connect(lambda sentence, _: self._host.show_error(sentence))
        work.start()

    def _show(self, layer: Points, found: tuple[Any, Any, Any], seconds: float, jobs: int) -> None:
        if layer not in self._host.viewer.layers:
            return
        places, numbers, image = found
        show_structure(layer, places, numbers)
        if image is None:
            return
        show_simulated(self._host.viewer, layer, "convolution", image)
        if not self._host.busy and jobs == self._host.jobs_begun:  # what a job has said meanwhile stays
            self._host.say(f"{escape(layer.name)}: convolution, {seconds * 1e3:.0f} ms.")

    def _estimate(self) -> None:
        layer = self._subject.layer
        if layer is None or self._host.busy:
            return
        try:
            params = self._subject.params()
        except AtomsegError:
            return
        self._show_cost("estimating …")
        work = Work(_cost(structure_of(layer), params))
        self._host.keep("cost", work)
        work.finished.connect(self._show_cost)
        work.failed.connect(lambda sentence, _: self._show_cost(sentence))
        work.start()

    def _show_cost(self, cost: Any) -> None:
        told = cost if isinstance(cost, str) else f"About {duration(cost.seconds)}, {cost.memory_bytes / 1e9:.2g} GB; {cost.why}."
        self.costed.emit(told)

    def _timer(self, pause: int, action: Any) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(pause)
        timer.timeout.connect(action)
        return timer


def _live(atoms: Any, params: SimulationParams) -> Steps[tuple[Any, Any, Any]]:
    """Places and numbers of the atoms, and their convolution where the detector is one for it."""
    yield SimulationProgress(0, 1, "projecting")
    places, numbers = projected_atoms(atoms, params)
    image = None
    if params.detector.kind == "annular" and params.method != "corrected":
        image = yield from simulate.steps(atoms, replace(params, method="convolution"))
    return places, numbers, image


def _cost(atoms: Any, params: SimulationParams) -> Steps[Any]:
    yield SimulationProgress(0, 1, "estimating")
    return simulation_cost(atoms, params)
