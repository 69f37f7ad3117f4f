"""The panel's jobs in napari's own list of activities, where each can be cancelled too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.utils.progress import cancelable_progress

from napari_atomseg.core.jobs import Progress


class _Bar(cancelable_progress):
    """A bar whose Cancel acts at once: napari's waits for the next turn of a loop, and there is none."""

    def cancel(self) -> None:
        super().cancel()
        if self.cancel_callback is not None:
            self.cancel_callback()


class Activity:
    """One job in the list; made, moved and closed in the main thread.

    Parameters
    ----------
    what : str
    cancel : callable
    """

    def __init__(self, what: str, cancel: Callable[[], Any]) -> None:
        self._bar = _Bar(total=0, desc=f"AtomSeg: {what}", cancel_callback=cancel)

    def move(self, progress: Progress) -> None:
        """Show how far the job is."""
        bar = self._bar
        if progress.total:
            bar.total = progress.total
            bar.n = progress.done
            bar.events.value(value=progress.done)
        bar.set_description(f"AtomSeg: {progress.message}")

    def close(self) -> None:
        """Take the job out of the list."""
        self._bar.close()
