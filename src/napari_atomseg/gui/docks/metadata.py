"""What the file says of an image: a searchable tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.gui.layers.conversion import to_micrograph

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host


class MetadataDock(QWidget):
    """Facts first, then everything that the file holds; Ctrl+C copies the selected line."""

    title = "What the file says"
    tip = "Voltage, dwell time, detector, dose, and everything else."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self.setObjectName("MetadataDock")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.search.setToolTip("Show only the entries whose name or value holds this text.")
        self.tree = QTreeWidget()
        self.tree.setToolTip("What the file says of the image; Ctrl+C copies the selected entry with its value.")
        self.tree.setHeaderLabels(["Entry", "Value"])
        header = self.tree.header()
        assert header is not None
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.search)
        layout.addWidget(self.tree)
        host.image_changed.connect(self.refresh)
        host.calibrated.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is known of the chosen image."""
        self.show_image(self._host.image)

    def show_image(self, image: Image | None) -> None:
        """Show what is known of an image."""
        self.tree.clear()
        if image is None:
            self._add(self.tree.invisibleRootItem(), "No image is open", "")
            return
        micrograph = to_micrograph(image)
        facts = QTreeWidgetItem(self.tree, ["Micrograph", ""])
        for name, value in facts_of(micrograph).items():
            self._add(facts, name, value)
        for name, value in micrograph.metadata.items():
            self._add(self.tree.invisibleRootItem(), str(name), value)
        facts.setExpanded(True)
        for row in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(row)
            if item is not None and item.text(0) == "summary":
                item.setExpanded(True)
        self._filter(self.search.text())

    def copy(self) -> None:
        """Copy the selected entry and its value."""
        item = self.tree.currentItem()
        clipboard = QApplication.clipboard()
        if item is not None and clipboard is not None:
            clipboard.setText(f"{item.text(0)}: {item.text(1)}")

    def keyPressEvent(self, event: Any) -> None:  # Qt's name
        """Ctrl+C."""
        if event.key() == Qt.Key.Key_C and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.copy()
        else:
            super().keyPressEvent(event)

    def _add(self, parent: Any, name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            item = QTreeWidgetItem(parent, [name, ""])
            for key, one in value.items():
                self._add(item, str(key), one)
            return
        item = QTreeWidgetItem(parent, [name, str(value)])
        item.setToolTip(1, str(value))

    def _filter(self, text: str) -> None:
        wanted = text.strip().lower()
        for row in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(row)
            if item is not None:
                _show_matching(item, wanted)


def _show_matching(item: QTreeWidgetItem, wanted: str) -> bool:
    """Hide what does not hold the wanted text; a parent stays if a child does."""
    own = wanted in item.text(0).lower() or wanted in item.text(1).lower()
    children = [item.child(index) for index in range(item.childCount())]
    inside = [_show_matching(child, "" if own else wanted) for child in children if child is not None]
    shown = own or any(inside)
    item.setHidden(not shown)
    if wanted and any(inside):
        item.setExpanded(True)
    return shown


def facts_of(micrograph: Micrograph) -> dict[str, str]:
    """What matters most, in words; only what is known."""
    facts = {
        "name": micrograph.name,
        "file": str(micrograph.path or ""),
        "size": " x ".join(str(length) for length in micrograph.shape) + f" px, {micrograph.data.dtype}",
        "pixel size": format_pixel_size(micrograph.pixel_size),
        "pixel size from": micrograph.pixel_size_source,
        "unit in the file": micrograph.unit_in_file or "",
        "modality": micrograph.modality.upper(),
        "beam energy": f"{micrograph.energy / 1e3:g} keV" if micrograph.energy else "",
        "dose": f"{micrograph.dose:g} e/Å²" if micrograph.dose else "",
        "time between frames": f"{micrograph.frame_time_s:g} s" if micrograph.frame_time_s else "",
        "notes": " ".join(micrograph.notes),
    }
    return {name: text for name, text in facts.items() if text}
