"""Save documents, remember the folder, and keep unsaved edits safe until they are saved or thrown away."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Points
from qtpy.QtCore import QObject, QTimer, Signal

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.documents.editing import ColumnsSession, has_session, session_of
from napari_atomseg.gui.documents.recovery_folder import recovery_folder
from napari_atomseg.gui.documents.results import documents_of, show_columns
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.ask_where import ask_where
from napari_atomseg.sessions.autosave import Autosave
from napari_atomseg.sessions.recovery import recovery_path
from napari_atomseg.sessions.saving import usual_path
from napari_atomseg.workflows import attach_to_image

if TYPE_CHECKING:
    from napari_atomseg.gui.host import BasicHost

RECOVERY_DELAY_MS = 1500


class DocumentStore(QObject):
    """The panel's hand on the disk.

    Parameters
    ----------
    host : BasicHost
        The panel.
    """

    restored = Signal(object)
    """Edits of an earlier start are shown again, in this document."""

    def __init__(self, host: BasicHost, parent: QObject) -> None:
        super().__init__(parent)
        self._host = host
        self._offered: tuple[Any, Path] = (lambda: None, Path())
        self._autosave = Autosave(recovery_folder())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(RECOVERY_DELAY_MS)
        self._timer.timeout.connect(self.keep)

    def unsaved_layers(self) -> list[Points]:
        """Documents with hand edits that are not on disk."""
        documents = [layer for layer in self._host.viewer.layers if has_session(layer)]
        return [layer for layer in documents if session_of(layer).unsaved and session_of(layer).edited]

    def save(self, session: ColumnsSession, path: str | None = None) -> bool:
        """Save a document; asks for the file unless it is given. False if it was not saved."""
        if path is None:
            proposed = usual_path(session.columns, str(recall("folder", "")))
            kinds = "Columns (*.csv);;Extended xyz (*.xyz)"
            path = ask_where(self._host, "Save columns", proposed, kinds)
        if not path:
            return False
        try:
            written = session.save(Path(path))
        except AtomsegError as error:
            self._host.show_error(error)
            return False
        self._forget(session.columns)
        remember("folder", str(Path(path).parent))
        self._host.say(f"Saved {len(session.columns):,} columns to {' and '.join(file.name for file in written)}.")
        return True

    def keep_soon(self) -> None:
        """Write the recovery file once the hand rests."""
        self._timer.start()

    def keep(self) -> None:
        """Write the recovery file of every document with unsaved edits; remove those of edits since undone."""
        documents = [layer for layer in self._host.viewer.layers if has_session(layer)]
        self._autosave.keep(*([session_of(layer).columns for layer in some] for some in (self.unsaved_layers(), documents)))

    def keep_removed(self, layer: Any) -> None:
        """Keep the unsaved edits of a layer that has just been removed, by a hand or by a program that closes the window."""
        if has_session(layer) and session_of(layer).unsaved and session_of(layer).edited:
            self._autosave.keep_one(session_of(layer).columns)

    def wait(self) -> None:
        """Let what is under way reach the disk."""
        self._autosave.wait()

    def discard(self) -> None:
        """Throw away what was kept of unsaved edits."""
        self._timer.stop()
        for layer in self.unsaved_layers():
            self._forget(session_of(layer).columns)
            session_of(layer).mark_saved()

    def _forget(self, columns: Columns) -> None:
        self._autosave.forget(self._autosave.path_for(columns))

    def offer_recovery(self, image: Image | None) -> None:
        """Ask whether edits of an earlier session are to be restored, if there are any for this image."""
        self._host.withdraw("recover")
        if image is not None and not documents_of(self._host.viewer, image):
            self._offer(image, recovery_path(self._autosave.folder, *_identity(image)))

    def offer_moved(self, image: Image, path: Path) -> None:
        """Ask the same of edits that were made when the image's file lay elsewhere."""
        if image is self._host.image and not documents_of(self._host.viewer, image):
            self._offer(image, path)

    def _offer(self, image: Image, path: Path) -> None:
        found = self._autosave.read(path)
        if found is None:
            return
        self._offered = weakref.ref(image), path
        self._host.ask(
            f"Unsaved edits of {image.name} from {found[1]:%d %b %H:%M} were kept ({len(found[0]):,} columns).",
            ("recover", "Restore", "Show the edited columns; they stay unsaved until you save them."),
            ("forget", "Throw away", "Delete what was kept of them."),
            {"recover": self._restore_and_watch, "forget": self.throw_away},
        )

    def _restore_and_watch(self) -> None:
        session = self.restore()
        if session is not None:
            self.restored.emit(session)

    def restore(self) -> ColumnsSession | None:
        """Show the edits that were offered; they stay unsaved."""
        image, path = self._offered[0](), self._offered[1]
        found = self._autosave.read(path)
        if image is None or image not in self._host.viewer.layers or found is None:
            return None
        columns = attach_to_image(found[0], to_micrograph(image), dict(found[0].provenance))
        session, _ = show_columns(self._host.viewer, image, columns)
        session.mark_unsaved()
        if path != self._autosave.path_for(columns):
            # From now on they are kept under the place where the file lies now.
            self._autosave.forget_later(path)
        self.keep_soon()
        self._host.say(f"{len(columns):,} columns restored; save them to keep them.")
        return session

    def throw_away(self) -> None:
        """Delete the edits that were offered."""
        self._autosave.forget(self._offered[1])
        self._host.say("Thrown away.")


def _identity(image: Image) -> tuple[str, str]:
    """Name and path by which an image's recovery file is known."""
    micrograph = to_micrograph(image)
    return micrograph.name, str(micrograph.path or "")
