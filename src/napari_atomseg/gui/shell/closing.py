"""Ask once about unsaved edits when the user closes the window."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from napari.layers import Layer
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_atomseg.gui.documents.editing import session_of

if TYPE_CHECKING:
    from napari_atomseg.gui.shell.frame import Frame


class CloseGuard(QObject):
    """Asks once about unsaved edits when the user closes the window."""

    def __init__(self, panel: Frame) -> None:
        super().__init__(panel)
        self._panel = weakref.ref(panel)

    def watch(self, window: QWidget) -> None:
        """Hear of the window's closing."""
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # Qt's name
        """Stop the closing if the user wants to save first, whether by the cross, Ctrl+W, Ctrl+Q or by program.

        A program that closes a window nobody sees is never held up.
        """
        panel = self._panel()
        if event is None or event.type() != QEvent.Type.Close or not isinstance(watched, QWidget):
            return False
        if not (event.spontaneous() or watched.isVisible()):
            return False
        if panel is None or not panel.in_charge:
            return False
        unsaved = panel.documents.store.unsaved_layers()
        if not unsaved:
            return False
        answer = self.ask(panel, unsaved)
        if answer == QMessageBox.StandardButton.Save:
            if all(panel.documents.store.save(session_of(layer)) for layer in unsaved):
                return False
        elif answer == QMessageBox.StandardButton.Discard:
            panel.documents.store.discard()
            return False
        event.ignore()
        return True

    @staticmethod
    def ask(panel: Frame, unsaved: list[Layer]) -> QMessageBox.StandardButton:
        """Save, Discard or Cancel."""
        names = ", ".join(layer.name for layer in unsaved[:3]) + (" …" if len(unsaved) > 3 else "")
        buttons = QMessageBox.StandardButton
        return QMessageBox.question(
            panel,
            "Unsaved columns",
            f"{names}: the columns have been edited and are not saved.",
            buttons.Save | buttons.Discard | buttons.Cancel,
            buttons.Save,
        )
