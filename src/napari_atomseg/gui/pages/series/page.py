"""The page "Series": frames put on each other, averaged, compared with what was recorded; sites over time; films."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.docks.series_quality import SeriesQualityDock
from napari_atomseg.gui.documents.results import documents_of
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.series import AVERAGE, aligned_of, average_of, series_of, show_series
from napari_atomseg.gui.pages.columns.page import ColumnsPage
from napari_atomseg.gui.pages.series.film import FilmControls
from napari_atomseg.gui.pages.series.scans import ScansInDirections
from napari_atomseg.gui.pages.series.sentences import said_of, said_of_scans
from napari_atomseg.gui.pages.series.sites import SitesControls
from napari_atomseg.gui.settings import recall, recall_params, remember, remember_params
from napari_atomseg.gui.widgets.ask_where import ask_where
from napari_atomseg.gui.widgets.buttons import told_button
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable
from napari_atomseg.gui.widgets.image_pair import BESIDE
from napari_atomseg.gui.widgets.link_label import LinkLabel
from napari_atomseg.gui.widgets.map_pair import CompareRow
from napari_atomseg.workflows import AlignedSeries, AlignParams, align
from napari_atomseg.writers.image import write_image
from napari_atomseg.writers.json_file import write_json

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links

NO_IMAGE = (
    "<a href='open'>Open</a> or drop a series: a stack of frames of one place, or two scans of it in different directions. "
    "A sample is under File &gt; Open Sample &gt; AtomSeg."
)
SINGLE = (
    "This is a single image. A series has two or more frames in one stack: <a href='open'>open</a> one. "
    "Scans in several directions are combined below."
)
BUSY, FIRST = "A job is running; cancel it first.", "Align and average first."


class SeriesPage(QWidget):
    """Controls of series; the panel's foot aligns and cancels.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Series"
    tip = "Many frames become one good image, or a film of what the atoms do."
    run_text = "Align and average"
    run_tip = "Put the frames of the stack on each other and average them."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._build()
        self._connect()
        self.form.set_value(recall_params(AlignParams))
        self.refresh()

    def _build(self) -> None:
        self.empty = LinkLabel(self._host.viewer, NO_IMAGE)
        self.form = Form(AlignParams)
        self.compare = CompareRow(self._host.viewer)
        self.plot_button = told_button("Drift and quality", "Shifts and quality of the frames, as a plot.", "show_drift")
        self.find_button = told_button("Find columns", "Find columns in the average.", "find_in_average")
        self.save_button = told_button("Save …", "Save the average as TIFF, and the numbers as JSON beside it.", "save_average")
        buttons = QHBoxLayout()
        for button in (self.plot_button, self.find_button, self.save_button):
            buttons.addWidget(button)
        self.scans = ScansInDirections(self._host)
        self.film = FilmControls(self._host)
        self.sites = SitesControls(self._host, lambda: self.compare.show_as("off"))
        self.scans_fold = fold("Scans in several directions", self.scans)
        self.sites_fold = fold("Sites over time", self.sites)
        self.film_fold = fold("Film", self.film)
        page = QVBoxLayout(self)
        page.setContentsMargins(2, 6, 8, 2)
        for widget in (self.empty, self.form, self.compare):
            page.addWidget(widget)
        page.addLayout(buttons)
        for widget in (self.sites_fold, self.film_fold, self.scans_fold):
            page.addWidget(widget)
        page.addStretch(1)

    def _connect(self) -> None:
        self.form.value_changed.connect(lambda: remember_params(self.form.value()))
        self.empty.linkActivated.connect(self._host.follow_link)
        self.plot_button.clicked.connect(self.show_drift)
        self.find_button.clicked.connect(self.find_columns)
        self.save_button.clicked.connect(lambda: self.save())
        self.scans.button.clicked.connect(self.combine)
        layers = self._host.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.form.form, self.compare.form)

    # -- what can be done --------------------------------------------------------------------------------------------------

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {
            "find-average": self.find_columns,
            "drift": self.show_drift,
            "save-average": self.save,
            "timeline": self.sites.show_timeline,
            "save-sites": self.sites.save,
        }

    def why_not(self) -> str:
        """Why nothing can be aligned now; empty if it can."""
        image = self._host.image
        if image is None:
            return "Open a series of frames first."
        return "" if image.ndim == 3 and len(image.data) > 1 else "This is a single image; a series has two or more frames."

    def refresh(self) -> None:
        """Show what belongs to the image of the panel."""
        image, busy = self._host.image, self._host.busy
        found, average = series_of(image), average_of(self._host.viewer, image)
        stack = image is not None and image.ndim == 3
        self.empty.setText(NO_IMAGE if image is None else SINGLE)
        self.empty.setVisible(bool(self.why_not()))
        self.form.setEnabled(not self.why_not())
        plotted = found is not None and stack
        enable(self.plot_button, plotted, FIRST)
        enable(self.find_button, average is not None and not busy, BUSY if busy else FIRST)
        enable(self.save_button, found is not None and not busy, BUSY if busy else FIRST)
        self.sites.refresh()
        self.film.refresh()
        self.scans.refresh()

    def on_image(self) -> None:
        """The chosen image has changed."""
        self.compare.watch(self._host.image)
        self.refresh()
        self._host.refresh_run()

    def on_calibrated(self) -> None:
        """The image has another pixel size."""
        self.refresh()

    def _on_layers(self, event: Any = None) -> None:
        try:
            self.compare.refresh()
            self.refresh()
        except RuntimeError:
            # The page's Qt side is gone; napari keeps the callback longer.
            return

    # -- the job -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Align and average the stack."""
        image = self._host.image
        if image is None or self.why_not():
            return
        begun = time.perf_counter()
        steps = align.steps(to_micrograph(image), params=self.form.value())
        self._host.start(steps, lambda found: self._aligned(image, found, time.perf_counter() - begun), "Aligning")

    def combine(self) -> None:
        """Combine scans in several directions."""
        scans = self.scans.scans
        if self._host.busy or self.scans.why_not():
            return
        begun = time.perf_counter()
        params = AlignParams(average=self.form.value().average, crop=self.form.value().crop)
        steps = align.steps([to_micrograph(one) for one in scans], params=params, rotations=self.scans.rotations())
        self._host.start(
            steps, lambda found: self._combined(scans, found, time.perf_counter() - begun), "Combining scans"
        )  # fmt: skip

    def _aligned(self, image: Image, found: AlignedSeries, seconds: float) -> None:
        if not self._show(image, found):
            return
        dock = self._host.dock(SeriesQualityDock)
        if dock is not None:
            dock.refresh()
        said = said_of(found.numbers, len(found.numbers["shifts_px"]))
        self._host.say(f"{said} {_LINKS_OF_STACKS} ({seconds:.1f} s)")

    def _combined(self, scans: list[Image], found: AlignedSeries, seconds: float) -> None:
        if self._show(scans[0], found):
            self._host.say(f"{said_of_scans(found.numbers, len(scans))} {_LINKS} ({seconds:.1f} s)")

    def _show(self, image: Image, found: AlignedSeries) -> bool:
        viewer = self._host.viewer
        if image not in viewer.layers:
            self._host.say("The image has been removed meanwhile; its average is not shown.")
            return False
        self.compare.show_as("off")
        earlier = [one for one in (average_of(viewer, image), aligned_of(viewer, image)) if one is not None]
        # What was found and edited in an earlier average keeps its image.
        show_series(viewer, image, found, not any(documents_of(viewer, one) for one in earlier))
        if self._host.image is not image:
            self._host.choose_image(image)
        self.compare.watch(image)
        self.compare.choose(AVERAGE)
        self.compare.show_as(BESIDE)
        self.refresh()
        return True

    # -- what follows ------------------------------------------------------------------------------------------------------

    def show_drift(self) -> None:
        """Open the plot of shifts and quality."""
        self._host.open_dock(SeriesQualityDock).refresh()

    def find_columns(self) -> None:
        """Work on the average from now on, and find its columns."""
        average = average_of(self._host.viewer, self._host.image)
        if average is None or self._host.busy:
            return
        self.compare.show_as("off")
        average.visible = True
        self._host.choose_image(average)
        self._host.viewer.layers.selection.active = average
        self._host.turn_to(ColumnsPage).find()

    def save(self, path: str | None = None) -> list[Path]:
        """Save the average and its numbers, as the command line does; the files written."""
        image = self._host.image
        found = series_of(image)
        if image is None or found is None:
            return []
        start = str(Path(str(recall("folder", ""))) / f"{Path(image.name).stem}_average.tif")
        path = path or ask_where(self, "Save the average", start, "TIFF (*.tif)")
        if not path:
            return []
        target = Path(path)
        numbers = target.with_suffix(".json")
        if image.source.path and Path(image.source.path).resolve() == target.resolve():
            self._host.show_error(f"{target.name} is the series itself; choose another name.")
            return []
        average = average_of(self._host.viewer, image)
        try:
            write_image(to_micrograph(average) if average is not None else found.average, target)
            write_json(found.numbers, numbers)
        except AtomsegError as error:
            self._host.show_error(error)
            return []
        remember("folder", str(target.parent))
        self._host.say(f"Saved {target.name} and {numbers.name}.")
        return [target, numbers]


_LINKS = '<a href="find-average">find columns</a> · <a href="save-average">save</a>'
_LINKS_OF_STACKS = f'<a href="drift">drift and quality</a> · {_LINKS}'
