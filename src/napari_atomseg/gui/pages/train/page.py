"""The page "Train": fine-tune a network for one crystal in a few minutes, with its loss as it falls."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
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
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.controls import NumberBox
from napari_atomseg.gui.widgets.forms import form_layout
from napari_atomseg.gui.widgets.network_settings import ModelBox
from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.gui.widgets.region import RegionBox
from napari_atomseg.plots.loss_curve import FEWEST, LossCurve
from napari_atomseg.workflows import BEFORE

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

CURVE_PX = 110
FILE, COLUMNS = "file", "columns"
SCRATCH = "nothing"
KINDS = "Structures (*.cif *.xyz *.vasp *.poscar *.json);;All files (*)"
SHORT_NAME = 60
LONGEST_NAME = 20


@dataclass(frozen=True)
class Lesson:
    """Everything that a training run is told; nothing of the window is asked once it runs."""

    structure: Path | None
    zone: tuple[int, int, int]
    columns: Columns | None
    minutes: float
    start_from: str | None
    name: str | None
    device: str


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
        self.crystal = QComboBox()
        self.crystal.setObjectName("crystal")
        self.crystal.setToolTip("What tells the crystal: its structure file, or columns that were found in the image.")
        self.crystal.addItem("structure file", FILE)
        self.crystal.addItem("found columns", COLUMNS)
        self.file = QLineEdit()
        self.file.setObjectName("structure")
        self.file.setPlaceholderText("cif, POSCAR, xyz …")
        self.file.setToolTip("File with the unit cell.")
        self.browse = QPushButton("…")
        self.browse.setObjectName("browse_structure")
        self.browse.setToolTip("Choose a structure file.")
        self.browse.setFixedWidth(32)
        file = QHBoxLayout()
        file.addWidget(self.file, 1)
        file.addWidget(self.browse)
        self.zone = QLineEdit("0 0 1")
        self.zone.setObjectName("zone")
        self.zone.setToolTip("Direction [u v w] of the crystal along the beam, as 1 1 0 or 1,-1,0.")
        self.region = RegionBox(self._host, "all columns")
        self.region.setToolTip("Only the columns of a good area: draw a box around it (Columns > More > Draw region).")
        self.start_from = ModelBox(self._networks, {SCRATCH: "nothing (takes hours)"})
        self.start_from.setObjectName("start_from")
        self.minutes = NumberBox()
        self.minutes.setObjectName("minutes")
        self.minutes.setRange(0.05, 24 * 60)
        self.minutes.setDecimals(2)
        self.minutes.setValue(4.0)
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip("The longer, the better; a GPU does in minutes what else takes hours.")
        self.name = QLineEdit()
        self.name.setObjectName("model_name")
        self.name.setPlaceholderText("the crystal's")
        self.name.setToolTip("Name of the new model; a number is added if it is taken.")
        self.form = form_layout()
        self.form.addRow("Crystal", self.crystal)
        self.form.addRow("File", file)
        self.form.addRow("Zone axis", self.zone)
        self.form.addRow("Columns", self.region)
        self.form.addRow("Start from", self.start_from)
        self.form.addRow("Time", self.minutes)
        self.form.addRow("Name", self.name)
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

    def _connect(self) -> None:
        self.crystal.currentIndexChanged.connect(self.refresh)
        self.browse.clicked.connect(self._ask_file)
        self.file.textChanged.connect(lambda _: self._host.refresh_run())
        self._networks.models_changed.connect(self._prefer_a_model)
        layers = self._host.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)
        self._host.documents.refreshed.connect(self._host.refresh_run)
        self._prefer_a_model()

    def _on_layers(self, event: Any = None) -> None:
        self.region.fill()

    def _prefer_a_model(self) -> None:
        if self.start_from.chosen == SCRATCH and self._networks.cards:
            self.start_from.choose(next(iter(self._networks.cards)))

    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Structure of the crystal", str(recall("structures", "")), KINDS)
        if path:
            remember("structures", str(Path(path).parent))
            self.file.setText(path)
            self.file.setToolTip(path)

    @property
    def by_file(self) -> bool:
        """True if a structure file tells the crystal."""
        return bool(self.crystal.currentData() == FILE)

    def refresh(self, _: int = 0) -> None:
        """Show the rows that the choice needs."""
        for row, on in ((1, self.by_file), (2, self.by_file), (3, not self.by_file)):
            self.form.setRowVisible(row, on)
        self._host.refresh_run()

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
        if self.by_file:
            return "" if self.file.text().strip() else "Choose a structure file first."
        session = self._host.documents.session
        return "" if session is not None and len(session.columns) else "Find columns in the image first."

    # -- the job -----------------------------------------------------------------------------------------------------

    def lesson(self) -> Lesson:
        """What is to be learnt, as the page shows it.

        Raises
        ------
        AtomsegError
            If there is no such file, or no column in the region.
        """
        columns = None if self.by_file else self._columns()
        path = Path(self.file.text().strip()).expanduser() if self.by_file else None
        if path is not None and not path.is_file():
            raise AtomsegError(f"There is no file {path}; choose the structure of the crystal.")
        start = self.start_from.chosen
        return Lesson(
            structure=path,
            zone=workflows.parse_zone_axis(self.zone.text()),
            columns=columns,
            minutes=self.minutes.value(),
            start_from=None if start in ("", SCRATCH) else start,
            name=_folder_name(self.name.text()),
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
        left = max(0.0, 60 * lesson.minutes - (time.monotonic() - self._started))
        self.left.setText(f"About {_span(left)} left.{_judged(getattr(progress, 'scores', {}))}")

    def _show_losses(self, losses: LossCurve) -> None:
        self.losses = losses
        self.curve.show_plot(losses if len(losses.values) >= FEWEST else None)

    def _over(self) -> None:
        self.left.setText("")

    def _learnt(self, card: Any) -> None:
        self._networks.announce(card.name)
        self._host.say(f"{escape(card.name)} is ready, in the list of finders and of networks.")
        start = str(card.training.get("started_from", ""))
        stay = f"Keep {_short(start)}" if start else "Not now"
        self._host.ask(
            compared(card, start),
            ("use_trained", "Use the new one", "Choose the new model as the finder and on the page Networks."),
            ("leave_trained", stay, "Choose nothing else; the new model stays in the lists."),
            {"use_trained": lambda: self._use(card.name)},
        )

    def _use(self, name: str) -> None:
        self._networks.preferred.emit(name)
        self._host.say(f'{escape(name)} is the finder now. <a href="find">find columns</a>')


def compared(card: Any, start: str) -> str:
    """What a new model reaches, beside what the one it started from reaches on the same scenes, and the question which to use."""
    after, before = (_score(card.scores, kind) for kind in ("validation", BEFORE))
    reached = f"{card.name}: {after}" if after else f"{card.name} was not tested: the time was too short"
    beside = f"; {start} on the same images: {before}" if start and before else ""
    return f"{reached}{beside}. Use the new model?"


def _score(scores: Mapping[str, float], kind: str) -> str:
    f1, rms = scores.get(f"{kind} f1"), scores.get(f"{kind} rms_pm")
    return f"F1 {f1:.2f}, {rms:.0f} pm" if f1 is not None and rms is not None else ""


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def learn(lesson: Lesson) -> Generator[Progress, None, Any]:
    """The job: the recipe of the crystal, then the training."""
    yield Progress(0, 0, "reading the crystal")
    recipe = workflows.recipe_for_crystal(lesson.structure, lesson.zone, lesson.columns)
    steps = workflows.fine_tune.steps(
        recipe, minutes=lesson.minutes, start_from=lesson.start_from, name=lesson.name, device=lesson.device
    )
    return (yield from steps)


def _folder_name(text: str) -> str | None:
    """A name that any file system takes; None if nothing is left."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in text.strip())[:SHORT_NAME].strip("-.")
    return kept or None


def _judged(scores: Mapping[str, float]) -> str:
    """What the last look at images that it never learnt from gave, in words; empty before the first."""
    return f" On images it never saw: F1 {scores['f1']:.2f}, {scores['rms_pm']:.0f} pm." if "f1" in scores else ""


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
