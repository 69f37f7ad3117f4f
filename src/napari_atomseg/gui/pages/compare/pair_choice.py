"""What is compared with the recorded image: one of the other images, and the columns whose intensities and places are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Points
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.editing import session_of
from napari_atomseg.gui.documents.results import documents_of
from napari_atomseg.gui.layers.comparison import candidates
from napari_atomseg.gui.layers.structures import method_of
from napari_atomseg.gui.widgets.elided import ElidedComboBox
from napari_atomseg.gui.widgets.forms import form_layout

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

NO_COLUMNS = "none"


class PairChoice(QWidget):
    """Two lists; what somebody chose in them stays chosen while it is there, else the usual entry is.

    Parameters
    ----------
    host : Host
        The panel.
    """

    changed = Signal()
    """Another image is to be compared."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._wanted = {"simulated": "", "columns": ""}
        self.simulated = _list("simulated", "What is compared with the image above; simulated images come first.")
        self.simulated.setPlaceholderText("choose an image")
        self.columns = _list("compared_columns", "Columns whose intensities and places are compared one by one.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.form = form_layout()
        self.form.addRow("Simulated", self.simulated)
        self.form.addRow("Columns", self.columns)
        layout.addLayout(self.form)
        self.simulated.currentIndexChanged.connect(self.changed)
        self.simulated.activated.connect(lambda _: self._wanted.update(simulated=self.simulated.currentText()))
        self.columns.activated.connect(lambda _: self._wanted.update(columns=self.columns.currentText()))

    @property
    def any_image(self) -> bool:
        """Whether there is an image to choose."""
        return self.simulated.count() > 0

    @property
    def chosen(self) -> Image | None:
        """What the recorded image is compared with."""
        layer = self.simulated.currentData()
        return layer if layer is not None and layer in self._host.viewer.layers else None

    def columns_of(self, frame: int) -> Columns | None:
        """The chosen columns in one frame of the recorded image, as columns of a single image; None without any.

        Parameters
        ----------
        frame : int
            Counted from 0.
        """
        layer = self.columns.currentData()
        if not isinstance(layer, Points) or layer not in self._host.viewer.layers:
            return None
        columns = session_of(layer).columns.of_frame(frame)
        return replace(columns, frame=np.zeros(len(columns), int)) if len(columns) else None

    def fill(self) -> None:
        """Offer the images and columns that there are."""
        viewer, recorded = self._host.viewer, self._host.image
        images = candidates(viewer, recorded)
        # What was not simulated is compared only where somebody asks for it.
        usual = 0 if images and method_of(images[0]) else -1
        _refill(self.simulated, [(layer.name, layer) for layer in images], self._wanted["simulated"], usual)
        documents = documents_of(viewer, recorded)
        _refill(
            self.columns,
            [(NO_COLUMNS, None), *((layer.name, layer) for layer in documents)],
            self._wanted["columns"],
            len(documents),
        )


def _list(name: str, tip: str) -> ElidedComboBox:
    box = ElidedComboBox()
    box.setObjectName(name)
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(ElidedComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _refill(box: QComboBox, entries: list[tuple[str, Any]], wanted: str, usual: int) -> None:
    """Offer other entries: the one that was asked for stays chosen, else the usual one is."""
    names = [name for name, _ in entries]
    blocked = box.blockSignals(True)
    box.clear()
    for row, (name, layer) in enumerate(entries):
        box.addItem(name, layer)
        box.setItemData(row, name, Qt.ItemDataRole.ToolTipRole)
    box.setCurrentIndex(names.index(wanted) if wanted in names else usual)
    box.blockSignals(blocked)
