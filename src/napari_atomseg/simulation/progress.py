"""Progress of a simulation, with what there is of its image."""

from __future__ import annotations

from dataclasses import dataclass

from napari_atomseg.core.jobs import Progress
from napari_atomseg.core.micrograph import Micrograph


@dataclass(frozen=True)
class SimulationProgress(Progress):
    """Progress with what there is of the image.

    Attributes
    ----------
    partial : Micrograph or None
        On the grid of the probes, not a number where nothing is known yet.
    """

    partial: Micrograph | None = None
