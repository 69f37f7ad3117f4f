"""The dock "Profile of columns": the feature that the rings show, along a direction and averaged across it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.columns import POLAR
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.ask_where import ask_where, suffixes_in
from napari_atomseg.gui.widgets.colour_bar import title_of, unit_of
from napari_atomseg.gui.widgets.controls import CountBox
from napari_atomseg.gui.widgets.forms import enable
from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.plots.feature_profile import FeatureProfile
from napari_atomseg.plots.picture import save_plot
from napari_atomseg.sessions.saving import with_suffix
from napari_atomseg.workflows import profile_feature

if TYPE_CHECKING:
    import pandas as pd

    from napari_atomseg.gui.contract import Host

PICTURES = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
EMPTY = "Measure the columns, and choose a number under Colour by."
LEAST_PX = 120


class MeasuredProfileDock(QWidget):
    """Plot of a feature against the distance; follows the document and what its rings show.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Profile of columns"
    tip = "The feature that the rings show, along a direction and averaged across it."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("MeasuredProfileDock")
        self._host = host
        self.table: pd.DataFrame | None = None
        self.plot = PlotView(host.viewer, EMPTY)
        self.plot.setMinimumHeight(LEAST_PX)
        self.plot.setAccessibleName("Profile of a feature of the columns")
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
        self.save_button = QPushButton("Save …")
        self.save_button.setProperty("tip", "Save the plot as PNG, SVG or PDF, and its numbers as CSV beside it.")
        self.save_button.clicked.connect(lambda: self.save())
        self.reading = QLabel()
        self.reading.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.reading, 1)
        row.addWidget(QLabel("Sublattice"))
        row.addWidget(self.sublattice)
        row.addWidget(QLabel("Direction"))
        row.addWidget(self.angle)
        row.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(2)
        layout.addWidget(self.plot, 1)
        layout.addLayout(row)
        host.documents.watched.connect(self.refresh)
        host.documents.refreshed.connect(self.refresh)
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Show the profile of the document in view."""
        try:
            self._show()
        except RuntimeError:
            # The dock's Qt side is gone; signals may still come once.
            return

    def _show(self) -> None:
        session = self._host.documents.session
        self.table = None
        said = EMPTY
        if session is not None and session.alive and session.colour_by:
            name = session.colour_by
            frame = int(self._host.viewer.dims.current_step[0]) if session.layer.ndim == 3 else 0
            chosen = self.sublattice.value() if self.sublattice.value() >= 0 else None
            try:
                if name in POLAR and chosen is None:
                    raise AtomsegError("choose a sublattice: seen from each other, two sublattices point opposite ways")
                self.table = profile_feature(session.columns, name, self.angle.value(), frame=frame, sublattice=chosen)
                said = f"{len(self.table)} strips; error bars are standard errors of their means."
            except AtomsegError as error:
                said = str(error)
            self._quantity = f"{title_of(name)}, {unit_of(name)}" if unit_of(name) else title_of(name)
        self.reading.setText(said)
        self.plot.show_plot(FeatureProfile(self.table, self._quantity) if self.table is not None else None)
        enable(self.save_button, self.table is not None, "There is no profile yet.")

    def save(self, path: str | None = None) -> list[Path]:
        """Save the plot, by suffix as PNG, SVG or PDF, and its numbers beside it; the files written."""
        table = self.table
        if table is None:
            return []
        start = str(Path(str(recall("folder", ""))) / "profile.png")
        path = path or ask_where(self, "Save the profile", start, PICTURES)
        if not path:
            return []
        picture = with_suffix(Path(path), suffixes_in(PICTURES))
        numbers = picture.with_suffix(".csv")
        try:
            save_plot(FeatureProfile(table, self._quantity), picture)
            table.to_csv(numbers, index=False)
        except OSError as error:
            self.reading.setText(f"Could not be saved: {error.strerror or error}. Choose another folder.")
            return []
        remember("folder", str(picture.parent))
        self.reading.setText(f"Saved to {picture.name} and {numbers.name}.")
        return [picture, numbers]
