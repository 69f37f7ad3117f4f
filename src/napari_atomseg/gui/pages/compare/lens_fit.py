"""The fold "Fit lens": defocus, source size and thickness that make a simulated image most like the recorded one."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.layers.comparison import frame_of, plane_of
from napari_atomseg.gui.pages.simulate.page import SimulatePage
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.forms import enable
from napari_atomseg.workflows import POOR_FIT, SimulationParams, fit_simulation, structure_in

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host
    from napari_atomseg.workflows import FittedSimulation


@dataclass(frozen=True)
class _Quantity:
    text: str
    tip: str
    digits: int


VARIED = {
    "defocus": _Quantity("defocus", "Focus of the probe; underfocus is positive.", 1),
    "source_size": _Quantity("source size", "Full width at half maximum of the effective source.", 2),
    "thickness": _Quantity("thickness", "Of a crystal along the beam; the image has to be in fractions of the beam.", 1),
}
USUAL = ("defocus", "source_size")


class LensFit(QWidget):
    """What is varied, the fit, and what it found.

    Parameters
    ----------
    host : Host
        The panel.

    Signals
    -------
    fitted(image, simulated, frame, found)
    """

    fitted = Signal(object, object, int, object)

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._simulated: Image | None = None
        self._found: FittedSimulation | None = None
        self.ticks = {name: QCheckBox(one.text) for name, one in VARIED.items()}
        chosen = recall("fit_lens", list(USUAL))
        row = QHBoxLayout()
        for name, tick in self.ticks.items():
            tick.setObjectName(f"vary_{name}")
            tick.setToolTip(VARIED[name].tip)
            tick.setChecked(name in chosen)
            tick.toggled.connect(self._on_ticks)
            row.addWidget(tick)
        row.addStretch(1)
        self.button = QPushButton("Fit")
        self.button.setObjectName("fit_lens")
        self.button.setProperty(
            "tip", "Vary the ticked quantities until the convolution with the probe is most like the image; without channelling."
        )
        self.button.clicked.connect(self.run)
        self.reading = QLabel()
        self.reading.setObjectName("fitted")
        self.reading.setWordWrap(True)
        self.reading.setTextFormat(Qt.TextFormat.RichText)
        self.reading.setToolTip("Each with its standard deviation from the noise alone; what the model cannot show is not in it.")
        self.use_button = QPushButton("Use in Simulate")
        self.use_button.setObjectName("use_fitted")
        self.use_button.setProperty("tip", "Put the fitted values into the page Simulate.")
        self.use_button.clicked.connect(self.use)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button)
        buttons.addWidget(self.use_button)
        layout.addLayout(buttons)
        layout.addWidget(self.reading)
        self.watch(None)

    @property
    def vary(self) -> tuple[str, ...]:
        """What is varied."""
        return tuple(name for name, tick in self.ticks.items() if tick.isChecked())

    def watch(self, simulated: Image | None) -> None:
        """Fit another simulated image from now on."""
        if simulated is not self._simulated:
            self._found = None
        self._simulated = simulated
        self.refresh()

    def why_not(self) -> str:
        """Why nothing can be fitted now; empty if it can."""
        if self._host.busy:
            return "A job is running; cancel it first."
        if self._host.image is None or self._simulated is None:
            return "Choose an image and its simulation first."
        if not self._simulation_of(self._simulated):
            return "Only images that were simulated here know their structure: make one on the page Simulate."
        return "" if self.vary else "Tick at least one quantity."

    def refresh(self) -> None:
        """Show what can be done and what was found."""
        why_not = self.why_not()
        enable(self.button, not why_not, why_not)
        enable(self.use_button, self._found is not None, "Nothing has been fitted yet.")
        self.reading.setVisible(self._found is not None)

    def run(self) -> None:
        """Fit the ticked quantities to the image of the panel."""
        image, simulated, viewer = self._host.image, self._simulated, self._host.viewer
        if image is None or simulated is None or self.why_not():
            return
        settings, vary = self._simulation_of(simulated), self.vary
        try:
            atoms, params = structure_in(settings), SimulationParams.from_json(settings["params"])
        except AtomsegError as error:
            self._host.show_error(error)
            return
        frame = frame_of(viewer, image)
        steps = fit_simulation.steps(atoms, plane_of(viewer, image), params, vary=vary)
        self._host.start(steps, lambda found: self._done(image, simulated, frame, vary, found), "Fitting the lens")

    def _done(self, image: Image, simulated: Image, frame: int, vary: tuple[str, ...], found: FittedSimulation) -> None:
        values = [_value(name, found) for name in vary]
        self._found = found
        lines = [f"{VARIED[name].text}: {value}" for name, value in zip(vary, values, strict=True)]
        self.reading.setText("<br>".join([*lines, *(escape(sentence(note)) for note in found.notes)]))
        self.refresh()
        self.fitted.emit(image, simulated, frame, found)
        said = ", ".join(f"{VARIED[name].text} {value}" for name, value in zip(vary, values, strict=True))
        poor = " The fit explains little of the image: do not rely on these values." if found.one_minus_r2 > POOR_FIT else ""
        self._host.say(f"Fitted to {escape(image.name)}: {said}; 1 − R² {found.one_minus_r2:.3g}.{poor}")

    def use(self) -> None:
        """Put what was fitted into the page "Simulate"."""
        if self._found is None:
            return
        page, params = self._host.turn_to(SimulatePage), self._found.params
        page.stem.set_value(params.stem)
        # What was fitted is the probe: a Gaussian knows nothing of it.
        page.convolution.set_value(params.convolution)
        page.cut.set_value(replace(page.cut.value(), thickness=params.cut.thickness))
        page.stem.value_changed.emit()
        self._host.say("The page Simulate has the fitted values now.")

    def _on_ticks(self, _: bool) -> None:
        remember("fit_lens", list(self.vary))
        self.refresh()

    @staticmethod
    def _simulation_of(layer: Image | None) -> dict[str, Any]:
        settings = layer.metadata.get("simulation") if layer is not None else None
        return settings if isinstance(settings, dict) else {}


def _value(name: str, found: FittedSimulation) -> str:
    one = VARIED[name]
    value = getattr(found.params.cut if name == "thickness" else found.params.stem, name)
    spread = found.uncertainty.get(name)
    if spread is None or not math.isfinite(spread):
        return f"{value:.{one.digits}f} Å, but the image does not depend on it"
    if found.one_minus_r2 > POOR_FIT:
        return f"about {value:.{one.digits}f} Å"
    return f"{value:.{one.digits}f} ± {spread:.2g} Å"


def sentence(note: str) -> str:
    """A note with a capital letter and a full stop, and lengths as the window writes them."""
    note = re.sub(r"(?<=[\d)] )A\b", "Å", note)
    return note if note.endswith((".", "!", "?")) else f"{note[:1].upper()}{note[1:]}."
