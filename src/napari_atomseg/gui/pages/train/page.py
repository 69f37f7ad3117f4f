"""The page "Train": fine-tune a network for one crystal, metal or recipe in minutes, with its loss as it falls."""

from __future__ import annotations

import time
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_atomseg import workflows
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress
from napari_atomseg.gui.pages.train.lesson import Lesson, compared, folder_name, judged, learn, short, span
from napari_atomseg.gui.pages.train.metal_rows import MetalRows
from napari_atomseg.gui.settings import recall, remember, remember_params
from napari_atomseg.gui.widgets.controls import NumberBox
from napari_atomseg.gui.widgets.forms import align_labels, form_layout
from napari_atomseg.gui.widgets.network_settings import ModelBox
from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.gui.widgets.region import RegionBox
from napari_atomseg.plots.loss_curve import FEWEST, LossCurve
from napari_atomseg.workflows import synthesis_presets

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

CURVE_PX = 110
FILE, COLUMNS, METAL, RECIPE = "file", "columns", "metal", "recipe"
MINUTES = {FILE: 4.0, COLUMNS: 4.0, METAL: 30.0, RECIPE: 30.0}
"""To begin with; networks for TEM images learn more slowly, and the waves of a new metal have to be computed."""
ROWS = {FILE: (1, 2), COLUMNS: (3,), METAL: (4, 5), RECIPE: (6,)}
"""Rows of the form that belong to one choice alone."""
SCRATCH = "nothing"
STRUCTURES = "Structures (*.cif *.xyz *.vasp *.poscar *.json);;All files (*)"
RECIPES = "Recipes (*.yaml *.yml);;All files (*)"


class TrainPage(QWidget):
    """Controls of the training; the panel's foot runs and cancels it.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Train"
    tip = "Train a network for your crystal."
    run_text = "Train"
    run_tip = "Teach the network this crystal; a new model is made, the old one stays as it is."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host, self._networks = host, host.networks
        self._started = 0.0
        self._build()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        intro = QLabel("Trains a network for your crystal. Takes minutes.")
        intro.setWordWrap(True)
        intro.setToolTip(
            "The network learns from random synthetic images of the crystal: turned, tilted, thick and thin, with "
            "vacancies and noise."
        )
        self._kind, self._minutes = FILE, dict(MINUTES)
        self.form = form_layout()
        self._build_what()
        self._build_how()
        self.losses = LossCurve()
        self.curve = PlotView(self._host.viewer, "The loss is drawn here while the network learns.")
        self.curve.setFixedHeight(CURVE_PX)
        self.curve.setAccessibleName("Loss of the training")
        self.left = QLabel()
        self.left.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 8, 2)
        layout.addWidget(intro)
        layout.addLayout(self.form)
        layout.addWidget(self.curve)
        layout.addWidget(self.left)
        layout.addStretch(1)

    def _build_what(self) -> None:
        """Rows that say what is learnt; :data:`ROWS` counts them."""
        self.crystal = QComboBox()
        self.crystal.setObjectName("crystal")
        self.crystal.setToolTip(
            "Crystal to learn, by its structure file or by columns found in the image (STEM); particles of an "
            "fcc metal, whose columns' atoms are counted (TEM); or a recipe of any images."
        )
        for text, kind in (
            ("structure file", FILE),
            ("found columns", COLUMNS),
            ("fcc particles", METAL),
            ("recipe", RECIPE),
        ):
            self.crystal.addItem(text, kind)
        self.file, self.browse, file = _file_row("structure", "cif, POSCAR, xyz …", "File with the unit cell.")
        self.recipe, self.browse_recipe, recipe = _file_row(
            "recipe", "YAML file, or hrtem-graphene …", f"File of a recipe, or the name of one: {', '.join(synthesis_presets())}."
        )
        self.zone = QLineEdit("0 0 1")
        self.zone.setObjectName("zone")
        self.zone.setToolTip("Direction [u v w] of the crystal along the beam, as 1 1 0 or 1,-1,0.")
        self.region = RegionBox(self._host, "all columns")
        self.region.setToolTip("Only the columns of a good area: draw a box around it (Columns > More > Draw region).")
        self.metal = MetalRows()
        self.form.addRow("Crystal", self.crystal)
        self.form.addRow("File", file)
        self.form.addRow("Zone axis", self.zone)
        self.form.addRow("Columns", self.region)
        self.form.addRow("Metal", self.metal.metal)
        self.form.addRow(self.metal.lattice_constant)
        self.form.addRow("Recipe", recipe)

    def _build_how(self) -> None:
        """Rows that say from what it starts, how long it takes, and what it is called."""
        self.start_from = ModelBox(self._networks, {SCRATCH: "nothing (takes hours)"})
        self.start_from.setObjectName("start_from")
        self.minutes = NumberBox()
        self.minutes.setObjectName("minutes")
        self.minutes.setRange(0.05, 24 * 60)
        self.minutes.setDecimals(2)
        self.minutes.setValue(MINUTES[FILE])
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip(
            "The longer, the better; a GPU does in minutes what else takes hours. A metal's first particles take minutes "
            "more, once."
        )
        self.name = QLineEdit()
        self.name.setObjectName("model_name")
        self.name.setPlaceholderText("by what is learnt")
        self.name.setToolTip("Name of the new model; a number is added if it is taken.")
        self.form.addRow("Start from", self.start_from)
        self.form.addRow("Time", self.minutes)
        self.form.addRow("Name", self.name)

    def _connect(self) -> None:
        self.crystal.currentIndexChanged.connect(self.refresh)
        self.browse.clicked.connect(lambda: _ask_file(self.file, "Structure of the crystal", "structures", STRUCTURES))
        self.browse_recipe.clicked.connect(lambda: _ask_file(self.recipe, "Recipe", "recipes", RECIPES))
        self.file.textChanged.connect(lambda _: self._host.refresh_run())
        self.metal.changed.connect(self._host.refresh_run)
        self.recipe.textChanged.connect(lambda _: self._offer_starts())
        self._networks.models_changed.connect(self._offer_starts)
        layers = self._host.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)
        self._host.documents.refreshed.connect(self._host.refresh_run)

    def _on_layers(self, event: Any = None) -> None:
        self.region.fill()

    def _offer_starts(self) -> None:
        """Let only models be chosen that have learnt the same maps; the most general first."""
        self._unfit = ""
        try:
            names = self._starts()
        except AtomsegError as error:
            names, self._unfit = (), str(error)
        self.start_from.offer(names)
        if self.start_from.chosen == SCRATCH and names:
            # A model that has come since the list was read has no card here yet.
            cards = {name: card for name, card in self._networks.cards.items() if name in names}
            known = [name for name in names if name in cards and cards[name].recipe in synthesis_presets()]
            self.start_from.choose((known or list(names))[0])
        self._host.refresh_run()

    def _starts(self) -> tuple[str, ...]:
        if self.kind == RECIPE and not self.recipe.text().strip():
            return ()
        known = {METAL: "hrtem-particles", RECIPE: self.recipe.text().strip()}.get(self.kind, "columns_stem")
        return workflows.starts_for(workflows.read_recipe(known))

    @property
    def kind(self) -> str:
        """What tells the crystal: FILE, COLUMNS, METAL or RECIPE."""
        return str(self.crystal.currentData())

    def refresh(self, _: int = 0) -> None:
        """Show the rows that the choice needs, and the time that it had last."""
        for kind, rows in ROWS.items():
            for row in rows:
                self.form.setRowVisible(row, kind == self.kind)
        # Labels are as wide as the theme's letters, which are not there when the page is built.
        align_labels(self.form, self.metal.lattice_constant.form)
        self._minutes[self._kind] = self.minutes.value()
        self._kind = self.kind
        self.minutes.setValue(self._minutes[self._kind])
        self._offer_starts()

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {"train": lambda: self._host.turn_to(type(self))}

    def settle(self) -> None:
        """Once the page has its place."""

    def on_image(self) -> None:
        """The chosen image has changed; nothing here depends on it."""

    def on_calibrated(self) -> None:
        """The image has another pixel size; nothing here depends on it."""

    def why_not(self) -> str:
        """Why nothing can be learnt now; empty if it can."""
        if self.kind == FILE:
            return "" if self.file.text().strip() else "Choose a structure file first."
        if self.kind == METAL:
            return self.metal.why_not()
        if self.kind == RECIPE:
            return self._unfit or ("" if self.recipe.text().strip() else "Choose a recipe first.")
        session = self._host.documents.session
        return "" if session is not None and len(session.columns) else "Find columns in the image first."

    # -- the job -----------------------------------------------------------------------------------------------------

    def lesson(self) -> Lesson:
        """What is to be learnt, as the page shows it.

        Raises
        ------
        AtomsegError
            If there is no such file, no column in the region, or no such metal.
        """
        path = Path(self.file.text().strip()).expanduser() if self.kind == FILE else None
        if path is not None and not path.is_file():
            raise AtomsegError(f"There is no file {path}; choose the structure of the crystal.")
        if self.kind == METAL:
            remember_params(self.metal.value())
        start = self.start_from.chosen
        return Lesson(
            structure=path,
            zone=workflows.parse_zone_axis(self.zone.text()),
            columns=self._columns() if self.kind == COLUMNS else None,
            metal=self.metal.value() if self.kind == METAL else None,
            recipe=self.recipe.text().strip() if self.kind == RECIPE else None,
            minutes=self.minutes.value(),
            start_from=None if start in ("", SCRATCH) else start,
            name=folder_name(self.name.text()),
            device=self._networks.params.device,
        )

    def _columns(self) -> Columns:
        """Columns of the frame in view, and of the region if one is chosen."""
        session = self._host.documents.session
        if session is None or session.image is None:
            raise AtomsegError("Find columns in the image first.")
        image, columns = session.image, session.columns
        if image.ndim == 3:
            columns = columns.of_frame(int(self._host.viewer.dims.current_step[0]))
        mask = self.region.mask(image)
        if mask is not None:
            pixel = np.clip(np.rint(columns.positions).astype(int), 0, np.array(mask.shape) - 1)
            columns = columns.select(mask[pixel[:, 0], pixel[:, 1]])
        if len(columns) == 0:
            raise AtomsegError("There is no column in this region and frame; draw the box around some.")
        return columns

    def run(self) -> None:
        """Train."""
        try:
            lesson = self.lesson()
        except AtomsegError as error:
            self._host.show_error(error)
            return
        self._show_losses(LossCurve())
        self.left.setText("Drawing the validation images …")
        self._started = time.monotonic()
        self._host.start(learn(lesson), self._learnt, "Training", heard=lambda one: self._hear(one, lesson), over=self._over)

    def _hear(self, progress: Progress, lesson: Lesson) -> None:
        loss = getattr(progress, "loss", None)
        if loss is not None and progress.done:
            self._show_losses(self.losses.with_value(progress.done, loss))
        # Preparation counts into the minutes, too.
        left = 60 * lesson.minutes - (time.monotonic() - self._started)
        late = "Nearly done." if loss is not None else f"Longer than the given time: {progress.message} …"
        when = f"About {span(left)} left." if left > 0 else late
        self.left.setText(f"{when}{judged(getattr(progress, 'scores', {}))}")

    def _show_losses(self, losses: LossCurve) -> None:
        self.losses = losses
        self.curve.show_plot(losses if len(losses.values) >= FEWEST else None)

    def _over(self) -> None:
        self.left.setText("")

    def _learnt(self, card: Any) -> None:
        self._networks.announce(card.name)
        self._host.say(f"{escape(card.name)} is ready, in the list of finders and of networks.")
        start = str(card.training.get("started_from", ""))
        stay = f"Keep {short(start)}" if start else "Not now"
        self._host.ask(
            compared(card, start),
            ("use_trained", "Use the new one", "Choose the new model as the finder and on the page Networks."),
            ("leave_trained", stay, "Choose nothing else; the new model stays in the lists."),
            {"use_trained": lambda: self._use(card.name)},
        )

    def _use(self, name: str) -> None:
        self._networks.preferred.emit(name)
        self._host.say(f'{escape(name)} is the finder now. <a href="find">find columns</a>')


def _file_row(name: str, empty: str, tip: str) -> tuple[QLineEdit, QPushButton, QHBoxLayout]:
    """A line for a file, and a button that asks for one."""
    line = QLineEdit()
    line.setObjectName(name)
    line.setPlaceholderText(empty)
    line.setToolTip(tip)
    button = QPushButton("…")
    button.setObjectName(f"browse_{name}")
    button.setToolTip(f"Choose a {name} file.")
    button.setFixedWidth(32)
    row = QHBoxLayout()
    row.addWidget(line, 1)
    row.addWidget(button)
    return line, button, row


def _ask_file(line: QLineEdit, title: str, remembered: str, kinds: str) -> None:
    path, _ = QFileDialog.getOpenFileName(line, title, str(recall(remembered, "")), kinds)
    if path:
        remember(remembered, str(Path(path).parent))
        line.setText(path)
        line.setToolTip(path)
