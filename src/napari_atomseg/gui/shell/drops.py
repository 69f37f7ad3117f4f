"""Folders that are dropped on the window: napari takes all their files for one stack, or fails on one that it cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject

from napari_atomseg.gui.shell.arrivals import folder_sentence

IMAGES_AS_FOLDERS = (".zarr", ".n5", ".ome.zarr", ".zspy")


class FolderDrops(QObject):
    """Answers the drop of a folder with a sentence.

    Parameters
    ----------
    panel : AtomSegPanel
    """

    def __init__(self, panel: Any) -> None:
        super().__init__(panel)
        self._panel = panel

    def watch(self, canvas: Any) -> None:
        """Hear of what is dropped on a widget."""
        canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # Qt's name
        """Keep folders from napari; images that are folders, and files, go on to it."""
        if event is None or event.type() != QEvent.Type.Drop:
            return False
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        folders = [path for path in paths if path.is_dir() and path.suffix.lower() not in IMAGES_AS_FOLDERS]
        if not folders or not self._panel.in_charge:
            return False
        self._panel.say(folder_sentence(folders[0]))
        event.acceptProposedAction()
        return True
