"""How the structure lies under the beam and what is wrong with it; its rotation in the plane may be found from the image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.structures import structure_of
from napari_atomseg.gui.widgets.forms import Form, enable
from napari_atomseg.workflows import CutParams, match_rotation

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host
    from napari_atomseg.gui.pages.simulate.subject import Subject

FIELDS = ("rotation_deg", "tilt_y", "tilt_x", "vacancies", "thermal", "thermal_of", "seed")
STRAIGHT_DEG = 1.0
"""Turns smaller than this are left to the comparison: of a crystal that is not turned, multislice needs one period only."""


class TurnBox(QWidget):
    """Rotation, tilt and defects, and the button that turns the structure as the image of the panel lies.

    Parameters
    ----------
    host : Host
        The panel.
    subject : Subject
    """

    def __init__(self, host: Host, subject: Subject) -> None:
        super().__init__()
        self._host, self._subject = host, subject
        self.form = Form(CutParams, FIELDS)
        self.button = QPushButton("Turn to the image")
        self.button.setObjectName("turn_to_image")
        self.button.setProperty("tip", "Find the in-plane rotation from the spectra of the image and of the simulation.")
        self.button.clicked.connect(self.turn_to_image)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        layout.addWidget(self.button)

    def refresh(self) -> None:
        """Show whether there is an image to turn to."""
        enable(self.button, self._host.image is not None and not self._host.busy, "Open an image first, and let jobs end.")

    def turn_to_image(self) -> None:
        """Let the structure lie as the image of the panel does."""
        layer, image = self._subject.layer, self._host.image
        if layer is None or image is None:
            return
        try:
            steps = match_rotation.steps(structure_of(layer), self._subject.params(), to_micrograph(image))
        except AtomsegError as error:
            self._host.show_error(error)
            return
        self._host.start(steps, self._turned, "Finding the rotation")

    def _turned(self, angle: float) -> None:
        straight = abs(angle) < STRAIGHT_DEG
        self.form.set_value(replace(self.form.value(), rotation_deg=0.0 if straight else angle))
        self.form.value_changed.emit()
        self._host.say(
            f"The structure lies as the image does within {abs(angle):.2f}°, which a comparison takes off; it is not turned."
            if straight
            else f"The structure is turned by {angle:.2f}° in the plane."
        )
