"""The AtomSeg dock: head (image and calibration), pages by task, foot (run, cancel, progress, one sentence)."""

from __future__ import annotations

import html
import weakref
from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_atomseg.core.jobs import Steps
from napari_atomseg.gui.contract import Links, Widget
from napari_atomseg.gui.documents.current import CurrentDocument
from napari_atomseg.gui.foot import set_foot
from napari_atomseg.gui.jobs.workers import Work
from napari_atomseg.gui.pages.listed import PAGES
from napari_atomseg.gui.preferences import prefer_our_reader, prefer_our_writers, show_scale_bar_once
from napari_atomseg.gui.shell.arrivals import Arrivals
from napari_atomseg.gui.shell.closing import CloseGuard
from napari_atomseg.gui.shell.dock_area import DockArea
from napari_atomseg.gui.shell.drops import FolderDrops
from napari_atomseg.gui.shell.image_bar import ImageBar
from napari_atomseg.gui.shell.job_runner import JobRunner, nothing_changed
from napari_atomseg.gui.shell.keys import Keys
from napari_atomseg.gui.shell.known_files import KnownFiles
from napari_atomseg.gui.shell.layout import Layout
from napari_atomseg.gui.shell.loading import load_later
from napari_atomseg.gui.shell.offer import Offer
from napari_atomseg.gui.shell.page_switcher import Pages
from napari_atomseg.gui.shell.panel_menu import PanelMenu
from napari_atomseg.gui.shell.ring_fading import RingFading
from napari_atomseg.gui.shell.unit_warning import warn_of_units_once
from napari_atomseg.gui.widgets.controls import teach
from napari_atomseg.gui.widgets.link_label import LinkLabel
from napari_atomseg.gui.widgets.network_settings import NetworkSettings

EMPTY = "Drop a micrograph here, or open a sample (File > Open Sample > AtomSeg)."


_in_charge: weakref.WeakKeyDictionary[Any, weakref.ref[AtomSegPanel]] = weakref.WeakKeyDictionary()
"""The panel that was opened last in each viewer: napari's cross leaves the one before it alive for a while."""


class AtomSegPanel(QWidget):
    """The plugin's one dock.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("AtomSegPanel")
        # napari hands plugins a proxy whose layers are proxies too: new at every look, so nothing can be remembered by them.
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        _in_charge[self.viewer] = weakref.ref(self)
        self._build()
        self._connect()
        prefer_our_reader()
        prefer_our_writers()
        show_scale_bar_once(self.viewer)
        warn_of_units_once()
        QTimer.singleShot(0, self._settle)

    def _build(self) -> None:
        self.image_bar = ImageBar(self.viewer)
        self.image_changed, self.calibrated = self.image_bar.image_changed, self.image_bar.calibrated
        self.offer = Offer()
        self._answers: dict[str, Callable[[], object]] = {}
        self.known_files = KnownFiles(self)
        self.pages = Pages()
        self.networks = NetworkSettings(self)
        self.documents = CurrentDocument(self, self)
        self._docks = DockArea(self)
        self.run_button = QPushButton()
        self.run_button.setObjectName("run")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setObjectName("cancel")
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.progress.setMaximumHeight(self.fontMetrics().height() + 2)
        self.jobs = JobRunner(self, self.progress)
        self.jobs.changed.connect(self._on_job)
        self.status = LinkLabel(self.viewer, EMPTY, name="status")
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.status.setOpenExternalLinks(False)
        # Room for the bar also while it is hidden: no button moves when a job starts.
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        # Room for two lines, so that a new sentence does not make the panel jump.
        self.status.setMinimumHeight(2 * self.fontMetrics().lineSpacing() + 4)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        for widget in (self.image_bar, self.offer, self.pages, line):
            layout.addWidget(widget)
        layout.setStretch(2, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        self.setMinimumWidth(300)
        # napari puts an empty space below whatever does not say that it uses the whole height.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._add_pages()
        teach(self)
        self.refresh_run()

    def _add_pages(self) -> None:
        for kind in PAGES:
            self.pages.add(scrolled(kind(self)), kind.title, kind.tip)

    @property
    def page(self) -> Any:
        """The page in view."""
        return self.pages.page_at(self.pages.currentIndex())

    def _connect(self) -> None:
        self.run_button.clicked.connect(lambda: self.page.run())
        self.pages.currentChanged.connect(lambda _: self.refresh_run())
        self.cancel_button.clicked.connect(self.cancel)
        self.status.linkActivated.connect(self.follow_link)
        self.image_bar.image_changed.connect(self._on_image)
        self.image_bar.calibrated.connect(self._on_calibrated)
        self.image_bar.set_by_hand.connect(self.known_files.note)
        self.known_files.moved_edits_found.connect(self.documents.store.offer_moved)
        self.offer.answered.connect(self.follow_link)
        self.menu = PanelMenu(self)
        self.image_bar.chip.clicked.connect(self.menu.calibration)
        self._guard = CloseGuard(self)
        self.layout_of_window = Layout(self)
        self.arrivals = Arrivals(self)
        self._fading = RingFading(self.viewer, self)
        self.keys = Keys(self)
        self._folders = FolderDrops(self)
        self._folders.watch(self.viewer.window._qt_viewer)
        set_foot(self.viewer, self.show_error)

    def _settle(self) -> None:
        """Once the dock has its place: guard the main window and take up what is open already."""
        try:
            self._guard.watch(self.window())
            self.layout_of_window.restore()
            self.image_bar.refresh()
            for page in self.pages:
                page.settle()
            load_later()
        except RuntimeError:
            return

    def keep(self, name: str, work: Work) -> None:
        """Remember a short job of a page beside the panel's own, so that it ends with the window; ends the one of that name."""
        self.jobs.keep(name, work)

    @property
    def jobs_begun(self) -> int:
        """How many long jobs there have been."""
        return self.jobs.begun

    @property
    def image(self) -> Image | None:
        """The image that the pages work on."""
        return self.image_bar.image

    @property
    def in_charge(self) -> bool:
        """False once another panel has been opened in its place."""
        return _in_charge[self.viewer]() is self

    @property
    def busy(self) -> bool:
        """True while a job runs."""
        return self.jobs.work is not None

    def current_plane(self) -> Any:
        """The frame in view of the chosen image, shape (Y, X), lazy if the image is.

        Raises
        ------
        RuntimeError
            If no image is chosen.
        """
        image = self.image
        if image is None:
            raise RuntimeError("no image is chosen")
        return image.data[int(self.viewer.dims.current_step[0])] if image.ndim == 3 else image.data

    def start(
        self,
        steps: Steps[Any],
        done: Any,
        what: str,
        *,
        heard: Any = None,
        over: Any = None,
        left: Callable[[], str] = nothing_changed,
    ) -> None:
        """Run a long job with progress and Cancel in the foot.

        Parameters
        ----------
        steps : generator
            The job; its progress is shown in the foot.
        done : callable
            Takes the result, in the main thread.
        what : str
            Shown while it runs.
        heard : callable, optional
            Takes each progress.
        over : callable, optional
            Called at the end, however it came.
        left : callable
            Gives what the foot says after a cancelled or failed job.
        """
        if not self.busy:
            self.jobs.start(steps, done, what, heard=heard, over=over, left=left)

    def cancel(self) -> None:
        """Stop the job under way."""
        if self.busy:
            self.say("Cancelling …")
            self.cancel_button.setEnabled(False)
            self.jobs.cancel()

    def ask(self, sentence: str, accept: tuple[str, str, str], refuse: tuple[str, str, str], then: Links) -> None:
        """Ask in a frame above the pages that stays until it is answered.

        Parameters
        ----------
        sentence : str
        accept, refuse : tuple of str
            Name, text and tooltip of each button.
        then : mapping of str to callable
            What each answer does, by the name of its button; nothing for names that are left out.
        """
        self._answers = {name: then.get(name, lambda: None) for name, _, _ in (accept, refuse)}
        self.offer.ask(sentence, accept, refuse)

    def show_error(self, error: Exception | str) -> None:
        """Show what went wrong in the foot; nothing in it is taken for markup."""
        self.say(html.escape(str(error), quote=False))

    def say(self, sentence: str) -> None:
        """Show one sentence of rich text in the foot; links in it are followed by the page."""
        self.status.setText(sentence)

    def _on_job(self) -> None:
        """A job has begun or ended."""
        self.refresh_run()
        for page in self.pages:
            page.refresh()

    def refresh_run(self) -> None:
        """Show what the button does on this page, and whether it can."""
        if self.pages.currentWidget() is None:  # still being built
            return
        self.run_button.setText(self.page.run_text)
        if self.busy:
            self._show_busy()
        else:
            self._show_idle()

    def turn_to(self, kind: type[Widget]) -> Widget:
        """Bring a page to the front."""
        page = next(one for one in self.pages if isinstance(one, kind))
        self.pages.turn_to_title(page.title)
        return page

    def open_dock(self, kind: type[Widget]) -> Widget:
        """Bring a dock to the front; it is made where it is not open."""
        return self._docks.open(kind)

    def dock(self, kind: type[Widget]) -> Widget | None:
        """A dock that was opened and not closed since."""
        return self._docks.get(kind)

    def open_files(self) -> None:
        """Ask for files and open them."""
        self.menu.open_files()

    def choose_image(self, image: Image) -> None:
        """Work on another image."""
        self.image_bar.choose(image)

    def set_pixel_size(self, pixel_size: tuple[float, float] | None, source: str) -> None:
        """Calibrate the chosen image and all that belongs to it."""
        self.image_bar.set_pixel_size(pixel_size, source)

    def take_as_fitted(self, *layers: Layer) -> None:
        """The view has just been fitted to layers."""
        self.layout_of_window.take_as_fitted(*layers)

    def show_keys(self) -> None:
        """Show the list of keys."""
        self.keys.show()

    def withdraw(self, name: str) -> None:
        """Take a question back, by the name of its first answer."""
        self.offer.withdraw(name)

    def follow_link(self, link: str) -> None:
        """Do what a link says: an answer to a question, or what the panel or one of its pages knows."""
        if link in self._answers:
            self._answers.pop(link)()
            return
        ours: Links = {
            "details": self.jobs.show_details,
            "open": self.open_files,
            "own_pixel_size": lambda: self.known_files.give_back(self.image),
        }
        next(links for links in (ours, *(page.links for page in self.pages)) if link in links)[link]()

    def _on_calibrated(self) -> None:
        for page in self.pages:
            page.on_calibrated()

    def _on_image(self) -> None:
        if not self.busy:
            self._show_idle()
            self.say("" if self.image is not None else EMPTY)
        for page in self.pages:
            page.on_image()
        self.known_files.look(self.image)

    def _show_busy(self) -> None:
        self.run_button.setEnabled(False)
        self.run_button.setToolTip("A job is running; cancel it first.")
        self.cancel_button.setEnabled(True)
        self.cancel_button.setToolTip("Stop the job.")
        self.progress.setVisible(True)

    def _show_idle(self) -> None:
        why_not = self.page.why_not()
        self.run_button.setEnabled(not why_not)
        self.run_button.setToolTip(why_not or self.page.run_tip)
        self.cancel_button.setEnabled(False)
        self.cancel_button.setToolTip("No job is running.")
        self.progress.setVisible(False)


def scrolled(page: QWidget) -> QScrollArea:
    """A page that scrolls where the window is low, and never sideways."""
    area = QScrollArea()
    area.setWidget(page)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    # What is too wide shrinks instead of being cut off.
    page.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return area
