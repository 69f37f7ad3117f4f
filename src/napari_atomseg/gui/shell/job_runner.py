"""One long job at a time: its progress, its end, and what goes wrong; short ones beside it end with the window."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils import notifications
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QMessageBox, QProgressBar

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.gui.jobs.activity import Activity
from napari_atomseg.gui.jobs.time_left import TimeLeft, duration
from napari_atomseg.gui.jobs.workers import NOTHING_CHANGED, Work

if TYPE_CHECKING:
    from napari_atomseg.gui.shell.frame import Frame


def nothing_changed() -> str:
    """What a job leaves that is cancelled or fails, unless it says otherwise."""
    return NOTHING_CHANGED


class JobRunner(QObject):
    """Runs the panel's jobs.

    Parameters
    ----------
    panel : Frame
        Says in its foot what happens, and is asked to cancel.
    progress : QProgressBar

    Attributes
    ----------
    changed : Signal
        A long job has begun or ended.
    work : Work or None
        The long job under way.
    begun : int
        How many there have been.
    held : dict
        What ends with the window, by name, and the last failure.
    """

    changed = Signal()

    def __init__(self, panel: Frame, progress: QProgressBar) -> None:
        super().__init__(panel)
        self._panel, self._progress = panel, progress
        self.work: Work | None = None
        self.begun = 0
        self._activity: Activity | None = None
        self._left = TimeLeft()
        # Neither closeEvent nor destroyed comes to a docked widget while it can still be used; a plain dictionary
        # outlives the Qt side and lets the static callback stop the worker.
        self.held: dict[str, Any] = {"work": None}
        panel.destroyed.connect(partial(_shut_down, self.held))

    def start(
        self, steps: Steps[Any], done: Any, what: str, *, heard: Any = None, over: Any = None, left: Callable[[], str]
    ) -> None:
        """Run a long job, while none is under way.

        Parameters
        ----------
        steps : generator
        done, heard, over, left : callable
            See the panel.
        what : str
            Shown while it runs.
        """
        work = Work(steps)
        self.work = self.held["work"] = work
        self.begun += 1
        self._left, self._activity = TimeLeft(), Activity(what, self._panel.cancel)
        self.held["activity"] = self._activity
        work.progressed.connect(self._on_progress)
        if heard is not None:
            work.progressed.connect(heard)
        if over is not None:
            work.ended.connect(over)
        work.finished.connect(done)
        work.failed.connect(lambda sentence, details: self._on_failed(sentence, details, left()))
        work.warned.connect(notifications.show_info)
        work.cancelled.connect(lambda: self._panel.say(f"{what} cancelled; {left()}"))
        work.ended.connect(self._on_ended)
        self._progress.setRange(0, 0)
        self._progress.setFormat(what)
        self._panel.say(f"{what} …")
        self.changed.emit()
        work.start()

    def cancel(self) -> None:
        """Stop the long job under way."""
        if self.work is not None:
            self.work.cancel()

    def keep(self, name: str, work: Work) -> None:
        """Remember a short job, so that it ends with the window; ends the one of that name."""
        earlier = self.held.get(name)
        if isinstance(earlier, Work):
            earlier.abandon()
        self.held[name] = work

    def _on_progress(self, progress: Progress) -> None:
        if self._activity is not None:
            self._activity.move(progress)
        if progress.total:
            self._progress.setRange(0, progress.total)
            self._progress.setValue(progress.done)
        else:
            self._progress.setRange(0, 0)
        left = self._left.after(progress)
        shown = f"{progress.message}  %p%" if progress.total else progress.message
        self._progress.setFormat(shown if left is None else f"{shown}, {duration(left)} left")

    def _on_failed(self, sentence: str, details: str, left: str) -> None:
        kept = "" if left == NOTHING_CHANGED else f" {left[:1].upper()}{left[1:]}"
        self._panel.say(html.escape(sentence, quote=False) + kept + (' <a href="details">Details</a>' if details else ""))
        self.held["failure"] = sentence, details
        notifications.show_error(sentence)

    def _on_ended(self) -> None:
        self.work = self.held["work"] = None
        if self._activity is not None:
            self._activity.close()
            self._activity = self.held["activity"] = None
        self.changed.emit()

    def show_details(self) -> None:
        """The traceback of the last unforeseen error, to be copied."""
        sentence, details = self.held.get("failure", ("", ""))
        box = QMessageBox(QMessageBox.Icon.Warning, "AtomSeg", sentence, parent=self._panel)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setDetailedText(details)
        box.exec()


def _shut_down(held: dict[str, Any], *_: Any) -> None:
    for one in held.values():
        if isinstance(one, Work):
            one.abandon()
        elif isinstance(one, Activity):
            one.close()
