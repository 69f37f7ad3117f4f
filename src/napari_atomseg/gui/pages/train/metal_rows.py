"""Which fcc metal: one of a list or any other by symbol or number, and its lattice constant."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.settings import recall_params
from napari_atomseg.gui.widgets.forms import Form
from napari_atomseg.workflows import FccMetal, fcc_metals


class MetalRows(QWidget):
    """A list of the metals that one can type into, and the form of the lattice constant; a page places both in its own form."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.metal = QComboBox()
        self.metal.setObjectName("metal")
        self.metal.setEditable(True)
        self.metal.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.metal.addItems(list(fcc_metals()))
        self.metal.setToolTip("Metal of the particles; type any other symbol or atomic number.")
        self.lattice_constant = Form(FccMetal, ("lattice_constant",))
        self.show_metal(recall_params(FccMetal))
        self.metal.currentTextChanged.connect(self._on_metal)
        self.lattice_constant.value_changed.connect(self.changed)

    def value(self) -> FccMetal:
        """The metal, as the rows show it."""
        return FccMetal(element=self.metal.currentText().strip(), lattice_constant=self.lattice_constant.value().lattice_constant)

    def why_not(self) -> str:
        """Why nothing can be learnt of this metal, in a sentence; empty if it can."""
        try:
            _ = self.value().side
        except AtomsegError as error:
            return str(error)
        return ""

    def show_metal(self, metal: FccMetal) -> None:
        """Show another metal."""
        self.metal.setCurrentText(metal.element)
        self.lattice_constant.set_value(metal)
        self._say_own()

    def _on_metal(self, text: str) -> None:
        # What was given for the metal before is nothing to this one.
        self.lattice_constant.set_value(FccMetal(element=text.strip()))
        self._say_own()
        self.changed.emit()

    def _say_own(self) -> None:
        """Let the place of "automatic" show what it stands for."""
        box = self.lattice_constant.findChild(QDoubleSpinBox)
        try:
            box.setSpecialValueText(f"{FccMetal(element=self.metal.currentText().strip()).side:g} Å")
        except AtomsegError:
            box.setSpecialValueText("none of its own")
