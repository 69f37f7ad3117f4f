"""Scans of one place in several directions, which together have no drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtWidgets import QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.layers.conversion import usable_image, works_alone
from napari_atomseg.gui.widgets.forms import enable, form_layout

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

USUAL = "0, 90"
CHOOSE = "Choose two or more scans in the layer list (Ctrl + click)."


class ScansInDirections(QWidget):
    """Which scans, and their directions.

    Parameters
    ----------
    host : Host
        The panel.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self.which = QLabel(CHOOSE)
        self.which.setWordWrap(True)
        self.angles = QLineEdit(USUAL)
        self.angles.setObjectName("rotations")
        self.angles.setToolTip(
            "Direction of each scan in degrees, counter-clockwise on the screen, in the order of the layer list from below. "
            f"Default: {USUAL}."
        )
        self.angles.textChanged.connect(lambda _: self.refresh())
        self.button = QPushButton("Combine scans")
        self.button.setObjectName("combine_scans")
        self.button.setProperty("tip", "Find the drift of each scan from the others, take it off, and average.")
        form = form_layout()
        form.addRow("Angles, degrees", self.angles)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.which)
        layout.addLayout(form)
        layout.addWidget(self.button)
        host.viewer.layers.selection.events.changed.connect(self._on_selection)

    @property
    def scans(self) -> list[Image]:
        """The chosen images, as they lie in the layer list from below."""
        layers = self._host.viewer.layers
        return [one for one in layers if one in layers.selection and usable_image(one) and works_alone(one)]

    def rotations(self) -> tuple[float, ...]:
        """The directions, degrees.

        Raises
        ------
        AtomsegError
            If the text is no list of numbers.
        """
        text = self.angles.text()
        try:
            return tuple(float(part) for part in text.split(","))
        except ValueError:
            raise AtomsegError(f'"{text}" is no list of angles in degrees, such as 0, 90') from None

    def why_not(self) -> str:
        """Why nothing can be combined; empty if it can."""
        scans = self.scans
        if len(scans) < 2:
            return CHOOSE
        try:
            angles = self.rotations()
        except AtomsegError as error:
            return f"{error}."
        return "" if len(angles) == len(scans) else f"{len(scans)} scans are chosen and {len(angles)} angles given."

    def refresh(self) -> None:
        """Show which scans are chosen, and whether they can be combined."""
        scans = self.scans
        try:
            angles = [f"{one:g}°" for one in self.rotations()]
        except AtomsegError:
            angles = []
        named = [f"{angle}: {scan.name}" for angle, scan in zip([*angles, *["?"] * len(scans)], scans, strict=False)]
        self.which.setText("\n".join(named) if len(scans) > 1 else CHOOSE)
        why_not = "A job is running; cancel it first." if self._host.busy else self.why_not()
        enable(self.button, not why_not, why_not)

    def _on_selection(self, event: object = None) -> None:
        try:
            self.refresh()
        except RuntimeError:
            # The page's Qt side is gone; napari keeps the callback longer.
            return
