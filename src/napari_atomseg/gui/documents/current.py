"""The columns that pages, docks, menu and keys work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_atomseg.gui.documents.document_store import DocumentStore

if TYPE_CHECKING:
    from napari_atomseg.gui.documents.editing import ColumnsSession
    from napari_atomseg.gui.host import BasicHost


class CurrentDocument(QObject):
    """Which document is worked on, and what holds for whichever it is.

    Attributes
    ----------
    store : DocumentStore
        Saves and recovers documents.
    snaps : bool
        Whether a point added by hand moves to the column under it.
    watched : Signal
        A document was chosen, maybe the same one again.
    refreshed : Signal
        The document, its columns, or whether a job runs may have changed.
    coloured : Signal(str, str, object)
        Rings show a quantity that is no feature: its name, its unit, and the numbers at the ends of the colours.
    """

    watched = Signal()
    refreshed = Signal()
    coloured = Signal(str, str, object)

    def __init__(self, host: BasicHost, parent: QObject) -> None:
        super().__init__(parent)
        self.store = DocumentStore(host, parent)
        self.snaps = True
        self.session: ColumnsSession | None = None
        self.store.restored.connect(self.watch)

    def watch(self, session: ColumnsSession | None) -> None:
        """Work on another document from now on."""
        self.session = session
        self.watched.emit()
