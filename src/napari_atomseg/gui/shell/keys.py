"""The keys that do something on our layers: one table for the bindings and for the page that lists them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QDialog, QLabel, QPushButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_atomseg.gui.shell.frame import Frame

KEYS = (
    ("Ctrl+Z", "Take the last change of the columns back, whichever layer is selected."),
    ("Ctrl+Shift+Z", "Repeat the change that was taken back."),
    ("N", "Select the next flagged column and bring it into the middle (columns layer)."),
    ("Shift+N", "Select the flagged column before it (columns layer)."),
    ("Click", "In the add tool (2): add a column; it snaps to the column under it."),
    ("Alt+Click", "In the add tool: add it exactly here, also where a column is already."),
    ("Delete", "Delete the selected columns; 3 is napari's tool to select, A selects all in view."),
    ("Space", "While images blink: turn to the other one."),
    ("Ctrl+C", "In the table: copy the selected rows with their header."),
    ("Double click", "On a slider's number: type it. A click on a label marked ↺ gives the default back."),
)


class Keys:
    """Binds what works on every layer, and shows the list.

    Parameters
    ----------
    panel : Frame
    """

    def __init__(self, panel: Frame) -> None:
        self._dialog: QDialog | None = None
        self._panel = panel
        here = weakref.ref(panel)
        for key, action in (("Control-Z", "undo"), ("Control-Shift-Z", "redo")):
            panel.viewer.bind_key(key, lambda _, action=action: _on_columns(here, action), overwrite=True)

    def show(self) -> None:
        """Open the list of keys."""
        if self._dialog is None:
            self._dialog = KeysDialog(self._panel)
        self._dialog.show()
        self._dialog.raise_()


class KeysDialog(QDialog):
    """The table of keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("KeysDialog")
        self.setWindowTitle("Keys")
        rows = "".join(f"<tr><td><b>{key}</b>&nbsp;&nbsp;</td><td>{what}</td></tr>" for key, what in KEYS)
        text = QLabel(f"<table cellspacing=4>{rows}</table>")
        text.setWordWrap(True)
        close = QPushButton("Close")
        close.setToolTip("Close this list.")
        close.clicked.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addWidget(close)
        self.setMinimumWidth(420)


def _on_columns(here: weakref.ref[Frame], action: str) -> Any:
    """Undo or redo on the document of a panel, if that is still open."""
    panel = here()
    try:
        session = panel.documents.session if panel is not None and panel.in_charge else None
    except RuntimeError:
        return
    if session is not None:
        getattr(session, action)()
