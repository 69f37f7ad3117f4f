"""Noise on a simulated image, in a layer of its own."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from napari.layers import Image, Layer
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.layers.conversion import image_layer_data, to_micrograph
from napari_atomseg.gui.layers.structures import method_of, simulated_of
from napari_atomseg.gui.settings import recall_params, remember_params
from napari_atomseg.gui.widgets.forms import Form, enable
from napari_atomseg.workflows import METHODS, AcquisitionParams, record

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host
    from napari_atomseg.gui.pages.simulate.subject import Subject


class RecordBox(QWidget):
    """Dose, jitter and read-out noise, and the button that puts them on.

    Parameters
    ----------
    host : Host
        The panel.
    subject : Subject
    """

    def __init__(self, host: Host, subject: Subject) -> None:
        super().__init__()
        self._host, self._subject = host, subject
        self.form = Form(AcquisitionParams)
        self.form.set_value(recall_params(AcquisitionParams))
        self.button = QPushButton("Record")
        self.button.setObjectName("record")
        self.button.setProperty("tip", "Put counting noise, scan jitter and read-out noise on the simulated image.")
        self.form.value_changed.connect(lambda: remember_params(self.form.value()))
        self.button.clicked.connect(self.record)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        layout.addWidget(self.button)

    def refresh(self) -> None:
        """Show whether there is an image to put noise on."""
        enable(self.button, self._newest() is not None, "Simulate an image first.")

    def _newest(self) -> Image | None:
        """The simulated image that noise is put on: the active one, else the best of this structure."""
        viewer = self._host.viewer
        active = viewer.layers.selection.active
        if method_of(active) in METHODS:
            return active
        layer = self._subject.layer
        if layer is None:
            return None
        found = [simulated_of(viewer, layer, method) for method in reversed(METHODS)]
        return next((image for image in found if image is not None), None)

    def record(self) -> None:
        """Put noise on the simulated image, in a layer of its own."""
        image = self._newest()
        if image is None:
            return
        try:
            noisy = record(to_micrograph(image), self.form.value())
        except AtomsegError as error:
            self._host.show_error(error)
            return
        data, options, kind = image_layer_data(noisy)
        earlier = [one for one in self._host.viewer.layers if one.name == noisy.name and not one.locked]
        for one in earlier:
            self._host.viewer.layers.remove(one)
        self._host.viewer.layers.insert(self._host.viewer.layers.index(image) + 1, Layer.create(data, options, kind))
        self._host.say(f"{escape(noisy.name)}: noise put on, a fresh draw with another seed.")
