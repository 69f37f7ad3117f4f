"""What is remembered of a file by its content, wherever it lies and however its path is spelled.

A pixel size that was set by hand comes back when the same file is opened again, and is said; unsaved edits are found again
although the file has been moved. Files are read for their checksum in the background, and only where something is known of
a file of that length or that name.
"""

from __future__ import annotations

import weakref
from collections.abc import Generator
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_atomseg.core.jobs import Progress
from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.gui.documents.recovery_folder import recovery_folder
from napari_atomseg.gui.jobs.workers import Work
from napari_atomseg.gui.layers.conversion import pixel_size_of, to_micrograph
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.sessions import recovery
from napari_atomseg.writers.columns_csv import checksum

if TYPE_CHECKING:
    from napari_atomseg.gui.shell.frame import Frame

SIZES = "pixel_sizes"
MOST = 500
"""Pixel sizes that are remembered; the oldest go first."""


class KnownFiles(QObject):
    """Recognises images by their files' content.

    Parameters
    ----------
    panel : Frame
    """

    moved_edits_found = Signal(object, object)
    """The layer, and the recovery file of an image of the same content."""

    def __init__(self, panel: Frame) -> None:
        super().__init__(panel)
        self._panel = panel
        self._looked: weakref.WeakSet[Image] = weakref.WeakSet()
        self._own: weakref.WeakKeyDictionary[Image, tuple[Any, str]] = weakref.WeakKeyDictionary()
        self._work: set[Work] = set()

    def note(self, image: Image) -> None:
        """Remember the pixel size that a hand has just given to an image."""
        path = _file_of(image)
        if path is None:
            return
        self._looked.add(image)
        micrograph = to_micrograph(image)
        entry = {
            "pixel_size": micrograph.pixel_size,
            "source": micrograph.pixel_size_source,
            "dataset": micrograph.dataset,
            "bytes": path.stat().st_size,
            "date": date.today().isoformat(),
        }
        self._after_checksum(path, lambda found: _store(found, entry))

    def look(self, image: Image | None) -> None:
        """Look once whether something is known of an image's file."""
        path = _file_of(image) if image is not None else None
        if image is None or path is None or image in self._looked:
            return
        self._looked.add(image)
        micrograph = to_micrograph(image)
        length = path.stat().st_size
        sized = any(entry["bytes"] == length and entry["dataset"] == micrograph.dataset for entry in _sizes().values())
        folder = recovery_folder()
        edits = recovery.by_name(folder, micrograph.name, recovery.recovery_path(folder, micrograph.name, str(path)))
        if not sized and not edits:
            return
        reference = weakref.ref(image)
        self._after_checksum(path, lambda found: self._recognised(reference, found, edits))

    def give_back(self, image: Image | None) -> None:
        """Give an image the pixel size of its file again, and forget the one that was set by hand."""
        if image is None or image not in self._own:
            return
        pixel_size, source = self._own.pop(image)
        self._panel.image_bar.calibrate_image(image, pixel_size, source)
        path = _file_of(image)
        if path is not None:
            dataset = to_micrograph(image).dataset
            self._after_checksum(path, lambda found: _drop(f"{found}:{dataset}"))
        self._panel.say(f"{escape(image.name)}: {format_pixel_size(pixel_size)}, as the file says.")

    def _recognised(self, reference: weakref.ref[Image], found: str, edits: list[Path]) -> None:
        image = reference()
        if image is None or image not in self._panel.viewer.layers:
            return
        self._calibrate(image, found)
        same = [path for path in edits if recovery.checksum_in(path) == found]
        if same:
            self.moved_edits_found.emit(image, same[0])

    def _calibrate(self, image: Image, found: str) -> None:
        micrograph = to_micrograph(image)
        entry = _sizes().get(f"{found}:{micrograph.dataset}")
        if entry is None:
            return
        given = entry["pixel_size"]
        pixel_size = (float(given[0]), float(given[1])) if given else None
        if pixel_size == pixel_size_of(image):
            return
        self._own[image] = micrograph.pixel_size, micrograph.pixel_size_source
        self._panel.image_bar.calibrate_image(image, pixel_size, str(entry["source"]))
        self._panel.say(
            f"{escape(image.name)}: {format_pixel_size(pixel_size)}, set by hand on {entry['date']}, is used again. "
            '<a href="own_pixel_size">as the file says</a>'
        )

    def _after_checksum(self, path: Path, then: Any) -> None:
        work = Work(_checksum(path))
        self._work.add(work)
        work.finished.connect(lambda found: then(found) if found else None)
        work.ended.connect(lambda: self._work.discard(work))
        self._panel.keep(f"checksum {path}", work)
        work.start()


def _file_of(image: Image | None) -> Path | None:
    """The file that an image was read from, if it is still there."""
    path = to_micrograph(image).path if image is not None else None
    return path if path is not None and path.is_file() else None


def _checksum(path: Path) -> Generator[Progress, None, str | None]:
    yield Progress(0, 0, "recognising the file")
    return checksum(path)


def _sizes() -> dict[str, dict[str, Any]]:
    """Pixel sizes set by hand, by checksum and dataset; what is damaged is left out."""
    stored = recall(SIZES, {})
    entries = stored.items() if isinstance(stored, dict) else ()
    return {
        key: one
        for key, one in entries
        if isinstance(one, dict) and {"pixel_size", "source", "dataset", "bytes", "date"} <= set(one)
    }


def _store(found: str, entry: dict[str, Any]) -> None:
    key = f"{found}:{entry['dataset']}"
    others = {name: one for name, one in _sizes().items() if name != key}
    remember(SIZES, dict([*others.items(), (key, entry)][-MOST:]))


def _drop(key: str) -> None:
    remember(SIZES, {name: one for name, one in _sizes().items() if name != key})
