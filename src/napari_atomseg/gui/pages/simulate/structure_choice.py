"""Which structure is simulated: those in the viewer, a new nanoparticle, and the zone axis along the beam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Layer, Points
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.gui.dialogs.particle import ParticleDialog
from napari_atomseg.gui.layers.structures import structure_layer_data, structure_of, structures_in
from napari_atomseg.gui.pages.simulate.legend import legend_of
from napari_atomseg.gui.widgets.elided import ElidedComboBox
from napari_atomseg.gui.widgets.forms import form_layout
from napari_atomseg.workflows import describe_structure, low_index_zones

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

DOWN_C = "0,0,1"
"""Zone axis where none is written."""
ZONES_OF_A_PARTICLE = (DOWN_C, "1,1,0", "1,1,1", "1,0,0")
"""Offered where nothing is repeated, and so no period is the shortest."""


class StructureChoice(QWidget):
    """The list of structures, and what is told and asked of the chosen one.

    Parameters
    ----------
    host : Host
        The panel.
    """

    chosen = Signal()
    """Another structure; its zone axes are in the list already."""
    turned = Signal()
    """Another zone axis."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._build()
        self.list.currentIndexChanged.connect(self._on_chosen)
        self.zone.currentTextChanged.connect(self.turned)
        self.build_button.clicked.connect(self.build)

    def _build(self) -> None:
        self.list = ElidedComboBox()
        self.list.setObjectName("structure")
        self.list.setToolTip("Which structure is simulated; its cell and atoms stand below.")
        self.list.setSizeAdjustPolicy(ElidedComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.build_button = QPushButton("New …")
        self.build_button.setObjectName("build_particle")
        self.build_button.setProperty("tip", "Build a nanoparticle.")
        self.zone = QComboBox()
        self.zone.setObjectName("zone_axis")
        self.zone.setEditable(True)
        self.zone.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.zone.setToolTip("Direction [uvw] of the crystal along the beam: choose one, or type it and press Enter.")
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.form = self._form()
        layout.addLayout(self.form)
        layout.addWidget(self.legend)

    def _form(self) -> QFormLayout:
        form = form_layout()
        row = QHBoxLayout()
        row.addWidget(self.list, 1)
        row.addWidget(self.build_button)
        form.addRow("Structure", row)
        form.addRow("Zone axis", self.zone)
        return form

    @property
    def layer(self) -> Points | None:
        """The chosen structure."""
        chosen = self.list.currentData()
        return chosen if chosen is not None and chosen in self._host.viewer.layers else None

    @property
    def zone_axis(self) -> str:
        """Its direction along the beam, as it is written."""
        return self.zone.currentText() or DOWN_C

    def describe(self, repeat: str) -> None:
        """Say what the chosen structure is.

        Parameters
        ----------
        repeat : str
            Along which of its cell's edges it is repeated, as the page asks.
        """
        if self.layer is not None:
            self.legend.setText(legend_of(structure_of(self.layer), repeat))

    def fill(self, event: Any = None) -> None:
        """Offer the structures that are in the viewer now; one that has just come is chosen.

        Parameters
        ----------
        event : event of the layer list, optional
            What has changed in it. Without one, the page has just been made.
        """
        layers = structures_in(self._host.viewer)
        current, newest = self.list.currentData(), getattr(event, "value", None)
        self.list.blockSignals(True)
        self.list.clear()
        for layer in layers:
            self.list.addItem(layer.name, layer)
        chosen = newest if newest in layers and getattr(event, "type", "") == "inserted" else current
        row = layers.index(chosen) if chosen in layers else len(layers) - 1
        self.list.setCurrentIndex(row)
        self.list.blockSignals(False)
        if self.layer is not current or (event is None and layers):
            self._on_chosen()

    def _on_chosen(self, _: int = 0) -> None:
        if self.layer is not None:
            self._offer_zones(structure_of(self.layer))
            self.chosen.emit()

    def _offer_zones(self, atoms: Any) -> None:
        """Those of a crystal's lowest indices; what is written stays."""
        zones = low_index_zones(atoms) if describe_structure(atoms).repeated else ZONES_OF_A_PARTICLE
        current = self.zone.currentText()
        self.zone.blockSignals(True)
        self.zone.clear()
        self.zone.addItems(zones)
        self.zone.setCurrentText(current or zones[0])
        self.zone.blockSignals(False)

    def build(self) -> None:
        """Build a nanoparticle."""
        dialog = ParticleDialog(self)
        dialog.built.connect(self.add)
        dialog.show()

    def add(self, atoms: Any) -> Points:
        """Show a structure that was not read from a file; it is chosen.

        Parameters
        ----------
        atoms : ase.Atoms
        """
        data, options, kind = structure_layer_data(atoms, str(atoms.info.get("name", "particle")))
        layer: Points = self._host.viewer.add_layer(Layer.create(data, options, kind))
        return layer
