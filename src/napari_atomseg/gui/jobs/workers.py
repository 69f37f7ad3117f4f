"""Run a long job in a thread: progress, a Cancel that works, errors as one sentence, and a clean end with the window.

Wraps napari's generator workers, so that napari itself knows of the job and asks before it closes on it.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Generator
from typing import Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import QObject, Signal

from napari_atomseg.core.errors import AtomsegError, AtomsegWarning
from napari_atomseg.core.jobs import Progress, Steps

SECONDS_BETWEEN_REPORTS = 0.1
NOTHING_CHANGED = "nothing was changed."
"""What is said of a job that was cancelled and left nothing."""


class Work(QObject):
    """One job under way.

    Signals
    -------
    progressed(Progress), finished(object), failed(str, str), cancelled(), ended()
        `failed` gives a sentence and the details; exactly one of finished, failed, cancelled comes, then ended.
    """

    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(str, str)
    cancelled = Signal()
    warned = Signal(str)
    ended = Signal()

    def __init__(self, steps: Steps[Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stop = threading.Event()
        self._worker = _worker_of(steps, self._stop)
        self._worker.yielded.connect(self._on_progress)
        self._worker.returned.connect(self._on_result)
        self._worker.finished.connect(self.ended)
        self._worker.warned.connect(self._on_warning)

    def start(self) -> None:
        """Begin; the signals come in the main thread."""
        self._worker.start()

    def cancel(self) -> None:
        """Let go of the job at once, however long its step under way still takes: `cancelled` and `ended` follow now."""
        self.abandon()
        self.cancelled.emit()
        self.ended.emit()

    def abandon(self) -> None:
        """Stop and never be heard of again: for a window that closes."""
        self._stop.set()
        for name in ("yielded", "returned", "finished", "warned"):
            try:
                # Of a worker that has ended long ago Qt's side may be gone.
                getattr(self._worker, name).disconnect()
            except (TypeError, RuntimeError):
                continue
        self._worker.quit()

    def _on_progress(self, progress: Progress) -> None:
        self.progressed.emit(progress)

    def _on_warning(self, shown: tuple[Any, ...]) -> None:
        """Pass a warning of ours on; it comes as the arguments of ``warnings.showwarning``."""
        if isinstance(shown[0], AtomsegWarning):
            self.warned.emit(str(shown[0]))

    def _on_result(self, outcome: tuple[str, Any]) -> None:
        kind, value = outcome
        if kind == "done":
            self.finished.emit(value)
        elif kind == "error":
            self.failed.emit(*value)


def _worker_of(steps: Steps[Any], stop: threading.Event) -> Any:
    """A napari worker that drains the job; its outcome is a value, so that no exception is shown twice."""

    @thread_worker  # type: ignore[untyped-decorator]
    def drain() -> Generator[Progress, None, tuple[str, Any]]:
        last = 0.0
        try:
            while not stop.is_set():
                try:
                    progress = next(steps)
                except StopIteration as end:
                    return "done", end.value
                if time.monotonic() - last > SECONDS_BETWEEN_REPORTS:
                    last = time.monotonic()
                    yield progress
        except AtomsegError as error:
            return "error", (str(error), "")
        except Exception as error:  # noqa: BLE001  # the thread's last line of defence: the user sees it, with details
            return "error", (f"Something unforeseen happened ({type(error).__name__}: {error}).", traceback.format_exc())
        finally:
            steps.close()
        return "cancelled", None

    return drain()
