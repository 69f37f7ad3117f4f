"""The page "Simulate": from a structure to its image, at once by convolution, in the background by multislice."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Layer, Points
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import fields_of
from napari_atomseg.gui.dialogs.particle import ParticleDialog
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.structures import (
    structure_layer_data,
    structure_of,
    structures_in,
)
from napari_atomseg.gui.pages.simulate.correction import CorrectionButton
from napari_atomseg.gui.pages.simulate.finished_image import FinishedImage
from napari_atomseg.gui.pages.simulate.legend import legend_of
from napari_atomseg.gui.pages.simulate.live_image import LiveImage
from napari_atomseg.gui.pages.simulate.recording import RecordBox
from napari_atomseg.gui.settings import recall_params, remember_params
from napari_atomseg.gui.widgets.elided import ElidedComboBox
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Editor, Form, ResetLabel, align_labels, enable, form_layout
from napari_atomseg.gui.widgets.link_label import LinkLabel
from napari_atomseg.workflows import (
    METHODS,
    ConvolutionParams,
    CutParams,
    DetectorParams,
    MultisliceParams,
    SimulationParams,
    StemParams,
    TemParams,
    describe_structure,
    has_effect,
    has_thickness,
    low_index_zones,
    match_rotation,
    on_grid_of,
)

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

EMPTY = 'Drop a structure here (cif, xyz, POSCAR), <a href="open">open one</a>, or <a href="build">build a nanoparticle</a>.'
SLOW = ("prism", "multislice")
"""Methods whose cost is told before they start."""
CUT_FIELDS = ("thickness", "repeat", "width_y", "width_x")
TURN_FIELDS = ("rotation_deg", "tilt_y", "tilt_x", "vacancies", "thermal", "thermal_of", "seed")
STRAIGHT_DEG = 1.0
"""Turns smaller than this are left to the comparison: of a crystal that is not turned, multislice needs one period only."""
TIPS = {
    "convolution": "Z^1.7 under a Gaussian or the probe: at once, but without channelling.",
    "corrected": "The convolution after a fitted polynomial.",
    "prism": "Scattering matrix of interpolated waves: fast, off by a few per cent.",
    "multislice": "Frozen phonons in small windows: the real thing, in the background.",
    "hrtem": "Exit wave by multislice, then the lens of a TEM; a focal series if more than one image is set.",
}


class SimulatePage(QWidget):
    """Controls of the simulation; the panel's foot runs and cancels it.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Simulate"
    tip = "Simulate the image of an atomic structure."
    run_tip = "Calculate the image of the structure with the chosen method."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self.finished = FinishedImage(host, self)
        self._build()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        self.empty = LinkLabel(self._host.viewer, EMPTY, name="no_structure")
        self.structure = ElidedComboBox()
        self.structure.setObjectName("structure")
        self.structure.setToolTip("Which structure is simulated; its cell and atoms stand below.")
        self.structure.setSizeAdjustPolicy(ElidedComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.zone = QComboBox()
        self.zone.setObjectName("zone_axis")
        self.zone.setEditable(True)
        self.zone.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.zone.setToolTip("Direction [uvw] of the crystal along the beam: choose one, or type it and press Enter.")
        self.cut = Form(CutParams, CUT_FIELDS)
        self.method = QComboBox()
        self.method.setObjectName("method")
        self.method.setToolTip("How the image is calculated; the list says what each way is good for.")
        self.method.addItems(METHODS)
        for row, method in enumerate(METHODS):
            self.method.setItemData(row, TIPS[method], Qt.ItemDataRole.ToolTipRole)
        self.as_image = QCheckBox("pixels and field of the image above")
        self.as_image.setObjectName("as_image")
        self.as_image.setToolTip("Simulate on the grid of the image that the panel works on, so that they can be compared.")
        pixel = next(field for field in fields_of(SimulationParams) if field.name == "pixel_size")
        self.pixel = Editor(pixel)
        self.correction = CorrectionButton(self._host, self)
        self.corrected_by = LinkLabel(self._host.viewer, name="correction_explained")
        self.corrected_by.linkActivated.connect(self.correction.follow_link)
        self.cost = QLabel()
        self.cost.setObjectName("cost")
        self.cost.setWordWrap(True)
        self.controls = QWidget()
        inside = QVBoxLayout(self.controls)
        inside.setContentsMargins(0, 0, 0, 0)
        self.first = self._first_form()
        inside.addLayout(self.first)
        inside.addWidget(self.legend)
        # What is chosen each time stands above the size of the piece: a low window shows it without scrolling.
        self.second = self._second_form()
        inside.addLayout(self.second)
        inside.addWidget(self.corrected_by)
        inside.addWidget(self.as_image)
        inside.addWidget(self.cost)
        inside.addWidget(self.cut)
        for part in self._folds():
            inside.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 8, 2)
        layout.addWidget(self.empty)
        layout.addWidget(self.controls)
        layout.addStretch(1)

    def _first_form(self) -> QFormLayout:
        form = form_layout()
        row = QHBoxLayout()
        self.build_button = QPushButton("New …")
        self.build_button.setObjectName("build_particle")
        self.build_button.setProperty("tip", "Build a nanoparticle.")
        row.addWidget(self.structure, 1)
        row.addWidget(self.build_button)
        form.addRow("Structure", row)
        form.addRow("Zone axis", self.zone)
        return form

    def _second_form(self) -> QFormLayout:
        form = form_layout()
        form.addRow("Method", self.method)
        form.addRow("Correction", self.correction)
        form.addRow(ResetLabel("Pixel size", self.pixel), self.pixel.widget)
        return form

    def _folds(self) -> list[QCollapsible]:
        self.turn = Form(CutParams, TURN_FIELDS)
        self.stem, self.detector = Form(StemParams), Form(DetectorParams)
        self.tem = Form(TemParams)
        self.convolution, self.multislice = Form(ConvolutionParams), Form(MultisliceParams)
        self.remembered = (self.stem, self.detector, self.tem, self.convolution, self.multislice)
        for form in self.remembered:
            form.set_value(recall_params(type(form.value())))  # type: ignore[arg-type]  # each of its own class
        self.turn_button = QPushButton("Turn to the image")
        self.turn_button.setObjectName("turn_to_image")
        self.turn_button.setProperty("tip", "Find the in-plane rotation from the spectra of the image and of the simulation.")
        self.recording = RecordBox(self._host, self)
        parts = (
            ("Rotation, tilt and defects", [self.turn, self.turn_button]),
            ("Lens and detector", [self.stem, self.detector, self.tem]),
            ("Calculation", [self.convolution, self.multislice]),
            ("Noise", [self.recording]),
        )
        return [fold(title, *forms) for title, forms in parts]

    def _connect(self) -> None:
        self.live = LiveImage(self._host, self)
        self.live.costed.connect(self._show_cost)
        self.structure.currentIndexChanged.connect(self._on_structure)
        self.zone.currentTextChanged.connect(self._on_change)
        self.method.currentIndexChanged.connect(self._on_change)
        self.as_image.toggled.connect(self._on_change)
        self.pixel.changed.connect(self._on_change)
        self.build_button.clicked.connect(self.build)
        self.empty.linkActivated.connect(self._host.follow_link)
        for form in (self.cut, self.turn, *self.remembered):
            form.value_changed.connect(self._on_change)
        self.turn_button.clicked.connect(self.turn_to_image)
        self.correction.chosen_anew.connect(self._on_change)
        layers = self._host.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.first, self.cut.form, self.second)
        self._on_layers()

    # -- what is asked for -------------------------------------------------------------------------------------------

    @property
    def layer(self) -> Points | None:
        """The chosen structure."""
        chosen = self.structure.currentData()
        return chosen if chosen is not None and chosen in self._host.viewer.layers else None

    def params(self) -> SimulationParams:
        """All that the page says.

        Raises
        ------
        AtomsegError
            If it cannot be meant.
        """
        cut = replace(self.turn.value(), **{name: getattr(self.cut.value(), name) for name in CUT_FIELDS})
        found = SimulationParams(
            method=self.method.currentText(),  # one of METHODS
            pixel_size=self.pixel.value(),
            cut=replace(cut, zone_axis=self.zone.currentText() or "0,0,1"),
            stem=self.stem.value(),
            detector=self.detector.value(),
            convolution=self.convolution.value(),
            multislice=self.multislice.value(),
            tem=self.tem.value(),
        )
        image = self._host.image
        return on_grid_of(found, to_micrograph(image)) if self.as_image.isChecked() and image is not None else found

    @property
    def run_text(self) -> str:
        """What the button in the foot does."""
        return {"prism": "Run PRISM", "multislice": "Run multislice", "hrtem": "Run HRTEM"}.get(
            self.method.currentText(), "Simulate"
        )

    def why_not(self) -> str:
        """Why nothing can be simulated now; empty if it can."""
        if self.layer is None:
            return "Drop a structure first."
        try:
            self.params()
        except AtomsegError as error:
            return str(error)
        return ""

    def refresh(self) -> None:
        """Show what belongs to the structure and to the method."""
        some = bool(structures_in(self._host.viewer))
        self.empty.setVisible(not some)
        self.controls.setVisible(some)
        corrected = self.method.currentText() == "corrected"
        self.second.setRowVisible(self.correction, corrected)
        self.corrected_by.setVisible(corrected)
        if corrected:
            self.corrected_by.setText(self.correction.explanation())
        hrtem = self.method.currentText() == "hrtem"
        self.detector.setVisible(not hrtem)
        self.tem.setVisible(hrtem)
        self._show_what_counts()
        self.convolution.setVisible(self.method.currentText() in ("convolution", "corrected"))
        self.multislice.setVisible(not self.convolution.isVisibleTo(self.convolution.parentWidget()))
        self.as_image.setVisible(self._host.image is not None)
        enable(self.turn_button, self._host.image is not None and not self._host.busy, "Open an image first, and let jobs end.")
        self.recording.refresh()
        enable(self.build_button, not self._host.busy, "A job is running; cancel it first.")
        self.cost.setVisible(bool(self.cost.text()))

    def _show_what_counts(self) -> None:
        """Only the fields that the image depends on."""
        try:
            params = self.params()
        except AtomsegError:
            return
        parts: dict[str, Form[Any]] = {"stem": self.stem, "detector": self.detector, "tem": self.tem, "cut": self.turn}
        parts |= {"convolution": self.convolution, "multislice": self.multislice}
        for part, form in parts.items():
            form.show_fields(partial(_counts, part, params))
        layer = self.layer
        thick = layer is not None and has_thickness(structure_of(layer), params.cut)
        ours = not (self.as_image.isChecked() and self._host.image is not None)
        self.cut.show_fields(lambda name: thick if name == "thickness" else ours or not name.startswith("width"))
        self.second.setRowVisible(self.pixel.widget, ours)
        if layer is not None:
            self.legend.setText(legend_of(structure_of(layer), params.cut.repeat))

    def on_image(self) -> None:
        """The chosen image has changed."""
        self.refresh()

    def on_calibrated(self) -> None:
        """The image has another pixel size."""
        self.refresh()

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {"build": self.build, "simulate": lambda: self._host.turn_to(type(self))}

    def build(self) -> None:
        """Build a nanoparticle."""
        dialog = ParticleDialog(self)
        dialog.built.connect(self.add_structure)
        dialog.show()

    def add_structure(self, atoms: Any) -> Points:
        """Show a structure that was not read from a file, and turn to it."""
        data, options, kind = structure_layer_data(atoms, str(atoms.info.get("name", "particle")))
        layer: Points = self._host.viewer.add_layer(Layer.create(data, options, kind))
        return layer

    # -- following changes -------------------------------------------------------------------------------------------

    def _on_layers(self, event: Any = None) -> None:
        layers = structures_in(self._host.viewer)
        current, newest = self.structure.currentData(), getattr(event, "value", None)
        self.structure.blockSignals(True)
        self.structure.clear()
        for layer in layers:
            self.structure.addItem(layer.name, layer)
        chosen = newest if newest in layers and getattr(event, "type", "") == "inserted" else current
        row = layers.index(chosen) if chosen in layers else len(layers) - 1
        self.structure.setCurrentIndex(row)
        self.structure.blockSignals(False)
        if self.layer is not current or (event is None and layers):
            self._on_structure()
        self.refresh()
        self._host.refresh_run()

    def _on_structure(self, _: int = 0) -> None:
        layer = self.layer
        if layer is None:
            return
        atoms = structure_of(layer)
        zones = low_index_zones(atoms) if describe_structure(atoms).repeated else ["0,0,1", "1,1,0", "1,1,1", "1,0,0"]
        current = self.zone.currentText()
        self.zone.blockSignals(True)
        self.zone.clear()
        self.zone.addItems(zones)
        self.zone.setCurrentText(current or zones[0])
        self.zone.blockSignals(False)
        self._host.turn_to(type(self))
        self._host.say(f"{escape(layer.name)}: {len(atoms):,} atoms; its convolution follows.")
        self._on_change()

    def _on_change(self, *_: Any) -> None:
        for form in self.remembered:
            remember_params(form.value())
        self.cost.clear()
        self.refresh()
        self._host.refresh_run()
        self.live.update_soon(self.method.currentText() in SLOW)

    def _show_cost(self, told: str) -> None:
        self.cost.setText(told)
        self.cost.setVisible(True)

    def turn_to_image(self) -> None:
        """Let the structure lie as the image of the panel does."""
        layer, image = self.layer, self._host.image
        if layer is None or image is None:
            return
        try:
            steps = match_rotation.steps(structure_of(layer), self.params(), to_micrograph(image))
        except AtomsegError as error:
            self._host.show_error(error)
            return
        self._host.start(steps, self._turned, "Finding the rotation")

    def _turned(self, angle: float) -> None:
        straight = abs(angle) < STRAIGHT_DEG
        self.turn.set_value(replace(self.turn.value(), rotation_deg=0.0 if straight else angle))
        self._on_change()
        self._host.say(
            f"The structure lies as the image does within {abs(angle):.2f}°, which a comparison takes off; it is not turned."
            if straight
            else f"The structure is turned by {angle:.2f}° in the plane."
        )

    # -- the job -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Simulate with the chosen method."""
        layer = self.layer
        if layer is None or self.why_not():
            return
        params = self.params()
        used = self.correction.chosen if params.method == "corrected" else None
        self.finished.simulate(layer, params, used, self.correction.extrapolate)


def _counts(part: str, params: SimulationParams, name: str) -> bool:
    """Whether the image depends on a field of a part of the parameters."""
    return has_effect(f"{part}.{name}", params)
