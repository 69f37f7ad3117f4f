"""How a foreign table of positions is to be read: guessed, shown with its first rows, changed by the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_atomseg.gui.widgets.controls import teach
from napari_atomseg.readers.column_mapping import ColumnMapping

UNITS = {"pixels": "px", "Angstrom": "angstrom", "nanometres": "nm", "picometres": "pm", "micrometres": "um"}
PREVIEW_LINES = 6


class MappingDialog(QDialog):
    """Shows a guess and lets it be changed.

    Parameters
    ----------
    path : Path
        The table.
    guess : ColumnMapping
    """

    def __init__(self, path: Path, guess: ColumnMapping, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"How to read {path.name}")
        self._guess = guess
        self.x, self.y = QComboBox(), QComboBox()
        for box, name in ((self.x, guess.x), (self.y, guess.y)):
            box.addItems(list(guess.names))
            box.setCurrentText(name)
        self.unit = QComboBox()
        self.unit.addItems(list(UNITS))
        self.unit.setCurrentIndex(list(UNITS.values()).index(guess.unit))
        self.one_based = QCheckBox("the first pixel is number 1 (MATLAB, StatSTEM)")
        self.one_based.setChecked(guess.one_based)
        preview = QPlainTextEdit(first_lines(path))
        preview.setReadOnly(True)
        preview.setMaximumHeight((PREVIEW_LINES + 2) * self.fontMetrics().lineSpacing())
        preview.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow("x (to the right)", self.x)
        form.addRow("y (downwards)", self.y)
        form.addRow("Unit", self.unit)
        form.addRow("", self.one_based)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("The first lines of the file:"))
        layout.addWidget(preview)
        if guess.notes:
            guesses = QLabel("; ".join(guess.notes))
            guesses.setWordWrap(True)
            layout.addWidget(guesses)
        layout.addLayout(form)
        layout.addWidget(buttons)
        self.setMinimumWidth(420)
        teach(self)

    def value(self) -> ColumnMapping:
        """The mapping as the dialog shows it; what was guessed of it is no longer a guess once something is changed."""
        unit = list(UNITS.values())[self.unit.currentIndex()]
        chosen = replace(
            self._guess,
            x=self.x.currentText(),
            y=self.y.currentText(),
            unit=unit,
            one_based=self.one_based.isChecked(),
        )
        return chosen if chosen == self._guess else replace(chosen, notes=())


def ask_mapping(parent: QWidget, path: Path, guess: ColumnMapping) -> ColumnMapping | None:
    """The mapping that the user confirms; None if the dialog is cancelled.

    Parameters
    ----------
    parent : QWidget
        The panel.
    path : Path
        The table.
    guess : ColumnMapping
        Shown first.
    """
    dialog = MappingDialog(path, guess, parent)
    return dialog.value() if dialog.exec() == QDialog.DialogCode.Accepted else None


def first_lines(path: Path) -> str:
    """The first lines of a text file, whatever its encoding."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return "".join(line for line, _ in zip(file, range(PREVIEW_LINES), strict=False))
