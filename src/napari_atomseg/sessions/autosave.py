"""Unsaved edits on their way to the disk, in the background and one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from napari_atomseg.core.columns import Columns
from napari_atomseg.sessions import recovery


class Autosave:
    """Keeps recovery files of documents until they are saved or thrown away.

    Parameters
    ----------
    folder : Path
        Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kept: set[Path] = set()
        # One after the other, so that a removal never overtakes the writing before it.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="atomseg-recovery")

    def path_for(self, columns: Columns) -> Path:
        """The recovery file of columns."""
        return recovery.recovery_path(self.folder, columns.image_name, columns.image_path)

    def keep(self, unsaved: Iterable[Columns], open_ones: Iterable[Columns]) -> None:
        """Write what is unsaved, and remove the files of edits since undone.

        Files that an earlier start left stay, since they are still on offer, and those of documents that were closed.

        Parameters
        ----------
        unsaved : iterable of Columns
            With edits that are not on disk.
        open_ones : iterable of Columns
            All that are open.
        """
        wanted = {self.path_for(one): one for one in unsaved}
        for path in self._kept & {self.path_for(one) for one in open_ones} - set(wanted):
            self._disk.submit(recovery.remove, path)
        for path, columns in wanted.items():
            self._disk.submit(recovery.write, columns, path)
        self._kept = set(wanted)

    def keep_one(self, columns: Columns) -> None:
        """Write the edits of one document, whatever becomes of it."""
        self._disk.submit(recovery.write, columns, self.path_for(columns))

    def forget(self, path: Path) -> None:
        """Delete a recovery file, after what is still being written and before anybody looks for it."""
        self._disk.submit(recovery.remove, path).result()

    def forget_later(self, path: Path) -> None:
        """Delete a recovery file without waiting for it."""
        self._disk.submit(recovery.remove, path)

    def read(self, path: Path) -> tuple[Columns, datetime] | None:
        """What a recovery file holds, and when it was written; None if there is none."""
        self.wait()
        return recovery.read(path)

    def wait(self) -> None:
        """Let what is under way reach the disk."""
        self._disk.submit(int).result()
