"""Ask where a file is to be written."""

from __future__ import annotations

import re
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_atomseg.sessions.saving import with_suffix

PICTURES = "PNG (*.png);;SVG (*.svg)"
PLOTS = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"


def ask_where(parent: QWidget, title: str, proposed: Path | str, kinds: str) -> str:
    """The file that the user wants to write, with the suffix of the chosen kind; empty if none.

    Parameters
    ----------
    parent : QWidget
    title : str
    proposed : Path or str
    kinds : str
        As ``"PNG (*.png);;SVG (*.svg)"``.
    """
    path, chosen = QFileDialog.getSaveFileName(parent, title, str(proposed), kinds)
    if not path:
        return ""
    suffixes = suffixes_in(chosen) + suffixes_in(kinds)
    full = with_suffix(Path(path), suffixes)
    # The dialog has asked about the name as it was typed only.
    if str(full) != path and full.exists() and not _may_overwrite(parent, title, full):
        return ""
    return str(full)


def _may_overwrite(parent: QWidget, title: str, path: Path) -> bool:
    question = f"{path.name} exists already. Overwrite?"
    return QMessageBox.question(parent, title, question) == QMessageBox.StandardButton.Yes


def suffixes_in(kinds: str) -> tuple[str, ...]:
    """Suffixes that the filters of a file dialog name, in order."""
    return tuple(re.findall(r"\*(\.\w+)", kinds))
