"""The folder that a comparison is saved to: asked for, and what an earlier comparison left there is not overwritten unasked."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.workflows import comparison_files, write_comparison

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host
    from napari_atomseg.workflows import Comparison


def save_comparison(host: Host, page: QWidget, found: Comparison, folder: str | None = None) -> None:
    """Save the images, the numbers and the columns of a comparison.

    Parameters
    ----------
    host : Host
        Says what was saved, or why it was not.
    page : QWidget
        Under which questions are asked.
    found : Comparison
    folder : str, optional
        Asked for unless it is given.
    """
    if folder is None:
        folder = QFileDialog.getExistingDirectory(page, "Save the comparison in", str(recall("folder", "")))
    if not folder:
        return
    taken = [path for path in comparison_files(folder, found.columns is not None) if path.exists()]
    if taken and not may_overwrite(page, taken):
        return
    try:
        written = write_comparison(found, folder, force=bool(taken))
    except AtomsegError as error:
        host.show_error(error)
        return
    remember("folder", folder)
    host.say(f"Saved {len(written)} {'file' if len(written) == 1 else 'files'} to {escape(str(folder))}.")


def may_overwrite(page: QWidget, taken: list[Path]) -> bool:
    """Ask whether what an earlier comparison left may be overwritten.

    Parameters
    ----------
    page : QWidget
        Under which it is asked.
    taken : list of Path
        Files that are there already, all in one folder.
    """
    names = " and ".join(path.name for path in taken)
    question = f"{taken[0].parent} holds {names} already. Overwrite?"
    return QMessageBox.question(page, "Save the comparison", question) == QMessageBox.StandardButton.Yes
