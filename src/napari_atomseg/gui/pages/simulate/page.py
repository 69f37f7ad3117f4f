"""The page "Simulate": from a structure to its image, at once by convolution, in the background by multislice."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Points
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import fields_of
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.structures import structure_of, structures_in
from napari_atomseg.gui.pages.simulate.correction import CorrectionButton
from napari_atomseg.gui.pages.simulate.finished_image import FinishedImage
from napari_atomseg.gui.pages.simulate.live_image import LiveImage
from napari_atomseg.gui.pages.simulate.recording import RecordBox
from napari_atomseg.gui.pages.simulate.structure_choice import StructureChoice
from napari_atomseg.gui.pages.simulate.turn import TurnBox
from napari_atomseg.gui.settings import recall_params, remember_params
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
    has_effect,
    has_thickness,
    on_grid_of,
)

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

EMPTY = 'Drop a structure here (cif, xyz, POSCAR), <a href="open">open one</a>, or <a href="build">build a nanoparticle</a>.'
SLOW = ("prism", "multislice")
"""Methods whose cost is told before they start."""
CUT_FIELDS = ("thickness", "repeat", "width_y", "width_x")
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
        self.structure = StructureChoice(self._host)
        self.cut = Form(CutParams, CUT_FIELDS)
        self.method = _method_list()
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
        self.controls = self._controls()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 8, 2)
        layout.addWidget(self.empty)
        layout.addWidget(self.controls)
        layout.addStretch(1)

    def _controls(self) -> QWidget:
        """All that is asked of a structure, from the top to the bottom of the page."""
        controls = QWidget()
        inside = QVBoxLayout(controls)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.structure)
        # What is chosen each time stands above the size of the piece: a low window shows it without scrolling.
        self.method_form = self._method_form()
        inside.addLayout(self.method_form)
        inside.addWidget(self.corrected_by)
        inside.addWidget(self.as_image)
        inside.addWidget(self.cost)
        inside.addWidget(self.cut)
        for part in self._folds():
            inside.addWidget(part)
        return controls

    def _method_form(self) -> QFormLayout:
        form = form_layout()
        form.addRow("Method", self.method)
        form.addRow("Correction", self.correction)
        form.addRow(ResetLabel("Pixel size", self.pixel), self.pixel.widget)
        return form

    def _folds(self) -> list[QCollapsible]:
        self.turn = TurnBox(self._host, self)
        self.stem, self.detector = Form(StemParams), Form(DetectorParams)
        self.tem = Form(TemParams)
        self.convolution, self.multislice = Form(ConvolutionParams), Form(MultisliceParams)
        self.remembered = (self.stem, self.detector, self.tem, self.convolution, self.multislice)
        for form in self.remembered:
            form.set_value(recall_params(type(form.value())))  # type: ignore[arg-type]  # each of its own class
        self.recording = RecordBox(self._host, self)
        parts = (
            ("Rotation, tilt and defects", [self.turn]),
            ("Lens and detector", [self.stem, self.detector, self.tem]),
            ("Calculation", [self.convolution, self.multislice]),
            ("Noise", [self.recording]),
        )
        return [fold(title, *forms) for title, forms in parts]

    def _connect(self) -> None:
        self.live = LiveImage(self._host, self)
        self.live.costed.connect(self._show_cost)
        self.structure.chosen.connect(self._on_structure)
        self.structure.turned.connect(self._on_change)
        self.method.currentIndexChanged.connect(self._on_change)
        self.as_image.toggled.connect(self._on_change)
        self.pixel.changed.connect(self._on_change)
        self.empty.linkActivated.connect(self._host.follow_link)
        for form in (self.cut, self.turn.form, *self.remembered):
            form.value_changed.connect(self._on_change)
        self.correction.chosen_anew.connect(self._on_change)
        layers = self._host.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.structure.form, self.cut.form, self.method_form)
        self._on_layers()

    # -- what is asked for -------------------------------------------------------------------------------------------

    @property
    def layer(self) -> Points | None:
        """The chosen structure."""
        return self.structure.layer

    def params(self) -> SimulationParams:
        """All that the page says.

        Raises
        ------
        AtomsegError
            If it cannot be meant.
        """
        cut = replace(self.turn.form.value(), **{name: getattr(self.cut.value(), name) for name in CUT_FIELDS})
        found = SimulationParams(
            method=self.method.currentText(),  # one of METHODS
            pixel_size=self.pixel.value(),
            cut=replace(cut, zone_axis=self.structure.zone_axis),
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
        self.method_form.setRowVisible(self.correction, corrected)
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
        self.turn.refresh()
        self.recording.refresh()
        enable(self.structure.build_button, not self._host.busy, "A job is running; cancel it first.")
        self.cost.setVisible(bool(self.cost.text()))

    def _show_what_counts(self) -> None:
        """Only the fields that the image depends on."""
        try:
            params = self.params()
        except AtomsegError:
            return
        parts: dict[str, Form[Any]] = {"stem": self.stem, "detector": self.detector, "tem": self.tem, "cut": self.turn.form}
        parts |= {"convolution": self.convolution, "multislice": self.multislice}
        for part, form in parts.items():
            form.show_fields(partial(_counts, part, params))
        layer = self.layer
        thick = layer is not None and has_thickness(structure_of(layer), params.cut)
        ours = not (self.as_image.isChecked() and self._host.image is not None)
        self.cut.show_fields(lambda name: thick if name == "thickness" else ours or not name.startswith("width"))
        self.method_form.setRowVisible(self.pixel.widget, ours)
        self.structure.describe(params.cut.repeat)

    def on_image(self) -> None:
        """The chosen image has changed."""
        self.refresh()

    def on_calibrated(self) -> None:
        """The image has another pixel size."""
        self.refresh()

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {"build": self.structure.build, "simulate": lambda: self._host.turn_to(type(self))}

    # -- following changes -------------------------------------------------------------------------------------------

    def _on_layers(self, event: Any = None) -> None:
        self.structure.fill(event)
        self.refresh()
        self._host.refresh_run()

    def _on_structure(self) -> None:
        layer = self.layer
        if layer is None:
            return
        self._host.turn_to(type(self))
        self._host.say(f"{escape(layer.name)}: {len(structure_of(layer)):,} atoms; its convolution follows.")
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


def _method_list() -> QComboBox:
    """Ways to calculate an image; each tells in the list what it is good for."""
    methods = QComboBox()
    methods.setObjectName("method")
    methods.setToolTip("How the image is calculated; the list says what each way is good for.")
    methods.addItems(METHODS)
    for row, method in enumerate(METHODS):
        methods.setItemData(row, TIPS[method], Qt.ItemDataRole.ToolTipRole)
    return methods
