"""Build a nanoparticle: its shape, size and amorphous part."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.settings import recall_params, remember_params
from napari_atomseg.gui.widgets.controls import teach
from napari_atomseg.gui.widgets.forms import Form
from napari_atomseg.workflows import ClusterParams, cluster


class ParticleDialog(QDialog):
    """Stays open, so that the next particle is one click away."""

    built = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("New nanoparticle")
        self.setObjectName("ParticleDialog")
        self.form = Form(ClusterParams)
        self.form.set_value(recall_params(ClusterParams))
        self.button = QPushButton("Build")
        self.button.setObjectName("build")
        self.button.clicked.connect(self.build)
        self.message = QLabel("Shapes by ase.cluster; the size nearest to the diameter is built.")
        self.message.setWordWrap(True)
        layout = QVBoxLayout(self)
        for widget in (self.form, self.button, self.message):
            layout.addWidget(widget)
        self.setMinimumWidth(300)
        teach(self)

    def build(self) -> None:
        """Build what the dialog describes."""
        try:
            params = self.form.value()
            atoms = cluster(params)
        except AtomsegError as error:
            self.message.setText(str(error))
            return
        remember_params(params)
        atoms.info = {"name": f"{params.element}{len(atoms)} {params.shape}"}
        self.message.setText(f"{len(atoms):,} atoms.")
        self.built.emit(atoms)
