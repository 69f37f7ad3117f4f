"""Try a recipe by eye: a synthetic image of it, with its true columns and labels if asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.gui.documents.results import show_columns
from napari_atomseg.gui.layers.conversion import image_layer_data
from napari_atomseg.gui.widgets.controls import CountBox, teach
from napari_atomseg.workflows import LABELS, attach_to_image, image_of, synthesis_presets, synthesise, true_columns

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host


class SyntheticDialog(QDialog):
    """Recipe, size and seed; stays open, so that the next image is one click away.

    Parameters
    ----------
    host : Host
        The panel.
    """

    def __init__(self, host: Host, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self.setWindowTitle("New synthetic image")
        self.setObjectName("SyntheticDialog")
        self.recipe = QComboBox()
        self.recipe.addItems(synthesis_presets())
        self.recipe.setToolTip("Ranges that the image is drawn from; docs/recipes.md lists them.")
        self.side = CountBox()
        self.side.setRange(64, 4096)
        self.side.setValue(256)
        self.side.setSuffix(" px")
        self.side.setToolTip("Side of the image.")
        self.seed = CountBox()
        self.seed.setRange(0, 2_000_000)
        self.seed.setToolTip("The same seed gives the same image.")
        self.columns = QCheckBox("True columns")
        self.columns.setToolTip("Add the columns that the image was made from, as a points layer.")
        self.labels = QCheckBox("Labels")
        self.labels.setToolTip("Add masks, maps and the image without noise and background, hidden at first.")
        self.draw_button = QPushButton("Draw")
        self.draw_button.setToolTip("Draw the image of this seed.")
        self.draw_button.clicked.connect(self.draw)
        self.next_button = QPushButton("Next")
        self.next_button.setToolTip("Draw the image of the next seed.")
        self.next_button.clicked.connect(self.draw_next)
        self.message = QLabel("Simulated from nothing but the recipe; what was drawn stands in the layer's metadata.")
        self.message.setWordWrap(True)
        form = QFormLayout()
        for name, widget in (("Recipe", self.recipe), ("Size", self.side), ("Seed", self.seed)):
            form.addRow(name, widget)
        buttons = QHBoxLayout()
        buttons.addWidget(self.draw_button)
        buttons.addWidget(self.next_button)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.columns)
        layout.addWidget(self.labels)
        layout.addLayout(buttons)
        layout.addWidget(self.message)
        self.setMinimumWidth(300)
        teach(self)

    def draw_next(self) -> None:
        """Draw the image of the next seed."""
        self.seed.setValue(self.seed.value() + 1)
        self.draw()

    def draw(self) -> None:
        """Draw the image that the dialog describes."""
        if self._host.busy:
            self.message.setText("A job is running; cancel it or wait for its end.")
            return
        wanted = LABELS if self.labels.isChecked() else ()
        steps = synthesise.steps(self.recipe.currentText(), seed=self.seed.value(), size=self.side.value(), labels=wanted)
        self._host.start(steps, lambda batches: self._show(batches[0]), "Drawing a synthetic image")

    def _show(self, batch: Any) -> None:
        record = batch.records[0]
        name = f"{record.recipe} {self.seed.value()}"
        for label in batch.labels:
            layer = self._add(replace(image_of(batch, 0, label), name=f"{name} | {label.replace('_', ' ')}"))
            layer.visible = False
        # The image comes last: it lies on top, and is the one that is seen.
        image = self._add(replace(image_of(batch, 0, "image"), name=name, metadata={"record": record.to_json()}))
        self._host.viewer.layers.selection.active = image
        if self.columns.isChecked():
            micrograph = replace(image_of(batch, 0, "image"), name=name)
            true = true_columns(batch, 0)
            session, _ = show_columns(self._host.viewer, image, attach_to_image(true, micrograph, dict(true.provenance)))
            self._host.documents.watch(session)
        self._host.viewer.reset_view()
        self._host.say(f"{name}: {format_pixel_size((record.pixel_size,) * 2)}, {record.amount}.")

    def _add(self, micrograph: Any) -> Image:
        data, options, kind = image_layer_data(micrograph)
        return self._host.viewer.add_layer(Layer.create(data, options, kind))
