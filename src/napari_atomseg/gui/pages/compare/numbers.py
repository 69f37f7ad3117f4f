"""What a comparison gives in numbers, and by which difference the compared columns are coloured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_atomseg.gui.layers.comparison import QUANTITIES
from napari_atomseg.gui.pages.compare.lens_fit import sentence
from napari_atomseg.gui.widgets.forms import form_layout

if TYPE_CHECKING:
    from napari_atomseg.workflows import Comparison

PM_PER_ANGSTROM = 100.0
WELL_COVERED = 0.95
NUMBERS = {
    "one_minus_r2": (
        "1 − R²",
        "Share of the image's variance that the simulation does not explain; noise alone keeps it above 0.",
    ),
    "frms": ("FRMS", "Fractional root mean square error: the root of 1 − R²."),
    "ssim": ("SSIM", "Mean structural similarity in small windows: 1 for equal images, 0 for nothing in common."),
    "rotation": ("Rotation", "How far the simulation was turned, from x towards y."),
    "magnification": (
        "Scale",
        "Lengths in the image in units of those in the simulation; far from 1, a pixel size is wrong.",
    ),
    "gain": ("Gain", "What the simulated intensities were multiplied by."),
    "shift": ("Shift", "Where the first pixel of the simulation came to lie, (y, x) from the first pixel of the image."),
    "offset": ("Offset", "What was added to the simulated intensities after that."),
}


class ResultNumbers(QWidget):
    """The numbers of one comparison, the choice of the colour, and notes."""

    def __init__(self) -> None:
        super().__init__()
        self.colour = QComboBox()
        self.colour.setObjectName("compared_colour")
        self.colour.setToolTip("Which difference colours the compared columns: blue negative, grey zero, orange positive.")
        for name, text in QUANTITIES.items():
            self.colour.addItem(text, name)
        self.numbers: dict[str, QLabel] = {}
        self.labels: dict[str, QLabel] = {}
        self.form = form_layout()
        self.form.addRow("Colour by", self.colour)
        self.notes = QLabel()
        self.notes.setObjectName("comparison_notes")
        self.notes.setWordWrap(True)
        self.notes.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._grid())
        layout.addLayout(self.form)
        layout.addWidget(self.notes)

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        for place, (name, (text, tip)) in enumerate(NUMBERS.items()):
            label, value = QLabel(text), QLabel()
            value.setObjectName(f"number_{name}")
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            for one in (label, value):
                one.setToolTip(tip)
            row, side = divmod(place, 2)
            grid.addWidget(label, row, 2 * side)
            grid.addWidget(value, row, 2 * side + 1)
            self.numbers[name] = value
            self.labels[name] = label
        return grid

    def show_numbers(self, found: Comparison, *, coloured: bool) -> None:
        """Show another comparison.

        Parameters
        ----------
        found : Comparison
        coloured : bool
            Whether there are compared columns whose colour can be chosen.
        """
        values = {
            "one_minus_r2": f"{found.one_minus_r2:.4g}",
            "frms": f"{found.frms:.4g}",
            "ssim": f"{found.ssim:.4f}",
            "shift": shift_text(found.shift),
            "rotation": f"{round(found.rotation_deg, 2) + 0.0:.2f}°",
            "magnification": f"{found.magnification:.4f}",
            "gain": f"{found.gain:.4g}",
            "offset": f"{found.offset:.4g}",
        }
        for name, value in values.items():
            self.numbers[name].setText(_minus(value))
        as_they_are = found.gain == 1 and found.offset == 0
        for name in ("gain", "offset"):
            self.labels[name].setVisible(not as_they_are)
            self.numbers[name].setVisible(not as_they_are)
        self.form.setRowVisible(self.colour, coloured)
        notes = [*_coverage(found), *(sentence(note) for note in found.notes)]
        self.notes.setText(" ".join(notes))
        self.notes.setVisible(bool(notes))


def shift_text(shift: tuple[float, float]) -> str:
    """A shift (y, x) in picometres where it is small, else in Angstrom."""
    if np.hypot(*shift) < 1:
        return _minus(", ".join(f"{PM_PER_ANGSTROM * one:+.0f}" for one in shift) + " pm")
    return _minus(", ".join(f"{one:+.2f}" for one in shift) + " Å")


def _coverage(found: Comparison) -> tuple[str, ...]:
    share = float(np.isfinite(found.simulated.data).mean())
    return (f"The simulation covers {share:.0%} of the image.",) if share < WELL_COVERED else ()


def _minus(number: str) -> str:
    return number.replace("-", "−") if "e" not in number else number
