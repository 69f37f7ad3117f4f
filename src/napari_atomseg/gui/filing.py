"""Save documents, remember the folder, and keep unsaved edits safe until they are saved or thrown away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image, Points
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QFileDialog

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui import recovery
from napari_atomseg.gui.editing import ColumnsSession, has_session, session_of
from napari_atomseg.gui.layers import to_micrograph
from napari_atomseg.gui.results import documents_of, show_columns
from napari_atomseg.gui.saving import usual_path, write_table
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.workflows import bound

if TYPE_CHECKING:
    from napari_atomseg.gui.panel import AtomSegPanel

RECOVERY_DELAY_MS = 1500


class Filing(QObject):
    """The panel's hand on the disk.

    Parameters
    ----------
    panel : AtomSegPanel
    """

    def __init__(self, panel: AtomSegPanel) -> None:
        super().__init__(panel)
        self._panel = panel
        self._kept: set[Path] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(RECOVERY_DELAY_MS)
        self._timer.timeout.connect(self.keep)

    def unsaved_layers(self) -> list[Points]:
        """Documents with hand edits that are not on disk."""
        documents = [layer for layer in self._panel.viewer.layers if has_session(layer)]
        return [layer for layer in documents if session_of(layer).unsaved and session_of(layer).edited]

    def save(self, session: ColumnsSession, path: str | None = None) -> bool:
        """Save a document; asks for the file unless it is given. False if it was not saved."""
        if path is None:
            proposed = usual_path(session.columns, str(recall("folder", "")))
            kinds = "Columns (*.csv);;Extended xyz (*.xyz)"
            path, _ = QFileDialog.getSaveFileName(self._panel, "Save columns", str(proposed), kinds)
        if not path:
            return False
        try:
            written = write_table(session.columns, Path(path))
        except AtomsegError as error:
            self._panel.complain(error)
            return False
        session.mark_saved()
        recovery.forget(session.columns)
        remember("folder", str(Path(path).parent))
        self._panel.say(f"Saved {len(session.columns):,} columns to {' and '.join(file.name for file in written)}.")
        return True

    def keep_soon(self) -> None:
        """Write the recovery file once the hand rests."""
        self._timer.start()

    def keep(self) -> None:
        """Write the recovery file of every document with unsaved edits; remove those of edits since undone."""
        unsaved = [session_of(layer).columns for layer in self.unsaved_layers()]
        # Not those that an earlier session left: they are still on offer. Nor those of a layer that was removed.
        clean = [session_of(layer).columns for layer in self._panel.viewer.layers if has_session(layer)]
        for path in self._kept & {recovery.path_for(one) for one in clean} - {recovery.path_for(one) for one in unsaved}:
            recovery.remove(path)
        self._kept = {path for path in map(recovery.keep, unsaved) if path is not None}

    def discard(self) -> None:
        """Throw away what was kept of unsaved edits."""
        self._timer.stop()
        for layer in self.unsaved_layers():
            recovery.forget(session_of(layer).columns)

    def offer_recovery(self, image: Image | None) -> None:
        """Say that edits of an earlier session can be restored, if there are any for this image."""
        if image is None or documents_of(self._panel.viewer, image):
            return
        found = recovery.find(*_identity(image))
        if found is not None:
            self._panel.say(
                f"Unsaved edits of {found[1]:%d %b %H:%M} were kept ({len(found[0]):,} columns). "
                '<a href="recover">restore</a> · <a href="forget">throw away</a>'
            )

    def restore(self, image: Image | None) -> ColumnsSession | None:
        """Show the edits of an earlier session; they stay unsaved."""
        found = recovery.find(*_identity(image)) if image is not None else None
        if image is None or found is None:
            return None
        columns = bound(found[0], to_micrograph(image), dict(found[0].provenance))
        session, _ = show_columns(self._panel.viewer, image, columns)
        session.mark_unsaved()
        self._panel.say("Restored; save the columns to keep them.")
        return session

    def throw_away(self, image: Image | None) -> None:
        """Delete the recovery file of an image."""
        if image is not None:
            recovery.remove(recovery.recovery_path(*_identity(image)))
            self._panel.say("Thrown away.")


def _identity(image: Image) -> tuple[str, str]:
    """Name and path by which an image's recovery file is known."""
    micrograph = to_micrograph(image)
    return micrograph.name, str(micrograph.path or "")
