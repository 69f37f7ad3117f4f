"""A field for a length: a number and a list of units beside it, so that no number is taken in a unit that nobody meant."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QWidget

from napari_atomseg.core.quantities import angstrom_per, parse_length
from napari_atomseg.gui.settings import recall, remember

UNITS = ("pm", "Å", "nm", "µm")
_OF_NUMBERS = "+-.,eE 0123456789"


class LengthField(QWidget):
    """A number with its unit; a unit that is typed behind the number is taken over by the list.

    Parameters
    ----------
    name : str
        Under which the unit chosen last is remembered.
    unit : str
        The unit of the first time, one of :data:`UNITS`.
    example : str
        Shown while nothing is typed.
    tip : str
    """

    entered = Signal()
    """Return was pressed in the field."""

    def __init__(self, name: str, unit: str, example: str, tip: str) -> None:
        super().__init__()
        self._key = f"unit/{name}"
        self.line = QLineEdit()
        self.line.setObjectName(name)
        self.line.setPlaceholderText(example)
        self.unit = QComboBox()
        self.unit.setObjectName(f"{name}_unit")
        self.unit.addItems(UNITS)
        self.unit.setCurrentIndex(max(0, self.unit.findText(str(recall(self._key, unit)))))
        self.unit.setToolTip("Unit of the number.")
        self.line.setToolTip(f"{tip} A point or a comma before the decimals; a unit typed behind the number counts.")
        self.line.returnPressed.connect(self.entered)
        self.line.textEdited.connect(lambda _: self._take_unit())
        self.unit.activated.connect(self._on_unit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.unit)

    def text(self) -> str:
        """The number with its unit."""
        return f"{self.line.text().strip()} {self.unit.currentText()}" if self._bare() else self.line.text().strip()

    def setText(self, text: str) -> None:  # Qt's name
        """Show another length, as if it had been typed."""
        self.line.setText(text)
        self._take_unit()

    def value(self) -> float:
        """The length in Angstrom.

        Raises
        ------
        AtomsegError
            If it is none.
        """
        return parse_length(self.text())

    def _bare(self) -> bool:
        return not self._typed_unit()

    def _typed_unit(self) -> str:
        return self.line.text().strip().lstrip(_OF_NUMBERS)

    def _take_unit(self) -> None:
        """Show the typed unit in the list, if the list has it."""
        typed = angstrom_per(self._typed_unit())
        row = next((row for row, unit in enumerate(UNITS) if typed is not None and angstrom_per(unit) == typed), -1)
        if row >= 0:
            self.unit.setCurrentIndex(row)
            remember(self._key, UNITS[row])

    def _on_unit(self, row: int) -> None:
        """A unit chosen in the list replaces the one that was typed."""
        remember(self._key, UNITS[row])
        if not self._bare():
            self.line.setText(self.line.text().replace(self._typed_unit(), "").strip())
