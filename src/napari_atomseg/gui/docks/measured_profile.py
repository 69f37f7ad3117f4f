"""The dock "Profile of columns": the feature that the rings show, along a direction and averaged across it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.columns import POLAR
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.docks.plot_dock import LinkedPlotDock
from napari_atomseg.gui.widgets.controls import CountBox
from napari_atomseg.plots.feature_profile import FeatureProfile
from napari_atomseg.plots.quantity import quantity_of
from napari_atomseg.workflows import profile_distances, profile_feature

if TYPE_CHECKING:
    import pandas as pd

    from napari_atomseg.gui.contract import Host

EMPTY = "Measure the columns, and choose a number under Colour by."


class MeasuredProfileDock(LinkedPlotDock):
    """Plot of a feature against the distance; follows the document and what its rings show.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Profile of columns"
    tip = "The feature that the rings show, along a direction and averaged across it."

    def __init__(self, host: Host) -> None:
        super().__init__(host, "profile", "Profile of a feature of the columns", EMPTY)
        self.table: pd.DataFrame | None = None
        self.angle = CountBox()
        self.angle.setObjectName("profile_angle")
        self.angle.setRange(-180, 180)
        self.angle.setSuffix(" °")
        self.angle.setToolTip("Direction of the profile, from the right clockwise; an interface across it is averaged.")
        self.angle.valueChanged.connect(self.refresh)
        self.sublattice = CountBox()
        self.sublattice.setObjectName("profile_sublattice")
        self.sublattice.setRange(-1, 50)
        self.sublattice.setSpecialValueText("all")
        self.sublattice.setValue(-1)
        self.sublattice.setToolTip("Only the columns of this sublattice.")
        self.sublattice.valueChanged.connect(self.refresh)
        self.add_control(self.sublattice, "Sublattice")
        self.add_control(self.angle, "Direction")
        self.refresh()

    def draw(self) -> None:
        """The profile of the document in view."""
        session = self.session
        self.table, along, said, quantity = None, np.zeros(0), EMPTY, ""
        if session is not None and session.colour_by:
            name, frame = session.colour_by, self.frame
            chosen = self.sublattice.value() if self.sublattice.value() >= 0 else None
            try:
                if name in POLAR and chosen is None:
                    raise AtomsegError("choose a sublattice: seen from each other, two sublattices point opposite ways")
                angle, columns = self.angle.value(), session.columns
                self.table = profile_feature(columns, name, angle, frame=frame, sublattice=chosen)
                along = profile_distances(columns, name, angle, frame=frame, sublattice=chosen)
                said = f"{len(self.table)} strips; error bars are standard errors of the means. Drag along it to select columns."
            except AtomsegError as error:
                said = str(error)
            quantity = quantity_of(name)
        self.reading.setText(said)
        profile = FeatureProfile(self.table, quantity, along) if self.table is not None else None
        self.show_columns(profile, self.table, np.arange(len(along)))
