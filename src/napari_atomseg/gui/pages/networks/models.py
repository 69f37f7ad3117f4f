"""The models at hand: where they lie, whether they are whole, what their cards say; import one of your own."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.buttons import told_button
from napari_atomseg.gui.widgets.network_settings import NetworkSettings, card_text
from napari_atomseg.workflows import add_model, model_table, models_folder

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

ROWS = 5
"""Lines that the list shows before it scrolls."""


class ModelsBox(QWidget):
    """A list of the models, the card of the chosen one below it, and three buttons.

    Parameters
    ----------
    host : Host
        The panel.
    networks : NetworkSettings
    """

    def __init__(self, host: Host, networks: NetworkSettings) -> None:
        super().__init__()
        self._host, self._networks = host, networks
        self._build()
        networks.models_changed.connect(self.fill)
        networks.announced.connect(self.choose)
        self.fill()

    def _build(self) -> None:
        self.list = QTreeWidget()
        self.list.setObjectName("models")
        self.list.setHeaderLabels(["Model", "pm/px", "Weights"])
        self.list.setToolTip("Models at hand: your own first, then those that come with the plugin.")
        self.list.setRootIsDecorated(False)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.list.currentItemChanged.connect(lambda *_: self._show_card())
        self.card = QLabel()
        self.card.setWordWrap(True)
        self.card.setTextFormat(Qt.TextFormat.RichText)
        self.card.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QHBoxLayout()
        self.import_button = told_button(
            "Import …", "Copy a model folder to your models, once it was loaded and checked.", "import_model"
        )
        self.folder_button = told_button("Folder", "Open the folder of your models.", "models_folder")
        self.refresh_button = told_button("Refresh", "Look again which models are at hand.", "refresh_models")
        self.import_button.clicked.connect(lambda: self.ask_and_add())
        self.folder_button.clicked.connect(self.open_folder)
        self.refresh_button.clicked.connect(self._networks.refresh)
        for button in (self.import_button, self.folder_button, self.refresh_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self.list)
        layout.addWidget(self.card)
        layout.addLayout(buttons)

    def fill(self) -> None:
        """Show what is at hand; the chosen one stays chosen."""
        before = self.chosen
        self.list.clear()
        for row in model_table():
            item = QTreeWidgetItem([row["name"], _sampling(row), row.get("checksum", "not usable")])
            item.setData(0, Qt.ItemDataRole.UserRole, row)
            for column in range(3):
                item.setToolTip(column, f"{row['name']}\n{row['folder']}\n{row.get('problem', '')}".strip())
            self.list.addTopLevelItem(item)
            if row["name"] == before:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and self.list.topLevelItemCount():
            self.list.setCurrentItem(self.list.topLevelItem(0))
        some = self.list.topLevelItemCount() > 0
        self.list.setVisible(some)
        rows = min(ROWS, self.list.topLevelItemCount())
        line = max(self.fontMetrics().lineSpacing() + 4, self.list.sizeHintForRow(0))
        self.list.setFixedHeight(self.list.header().sizeHint().height() + rows * line + 6)
        self._show_card()

    @property
    def chosen(self) -> str:
        """Name of the model whose card is shown; empty if there is none."""
        item = self.list.currentItem()
        return item.text(0) if item is not None else ""

    def choose(self, name: str) -> None:
        """Show the card of a model."""
        for found in self.list.findItems(name, Qt.MatchFlag.MatchExactly, 0):
            self.list.setCurrentItem(found)

    def _show_card(self) -> None:
        item = self.list.currentItem()
        if item is None:
            self.card.setText("No model is at hand yet. Yours are kept in one folder; a model is a folder in it.")
            return
        row: dict[str, Any] = item.data(0, Qt.ItemDataRole.UserRole)
        card = self._networks.cards.get(row["name"])
        text = card_text(card) if card is not None else f"<p>{escape(row.get('problem', 'This model cannot be read.'))}</p>"
        where = escape(row["folder"]).replace("/", "/<wbr>")
        self.card.setText(f"{text}<p style='margin: 3px 0'><b>Folder</b>&nbsp; {where}</p>")

    def ask_and_add(self, given: str | None = None) -> None:
        """Import a model's folder; asks for it unless it is given."""
        if given is None:
            given = QFileDialog.getExistingDirectory(
                self, "Folder of a model (card.yaml and weights.safetensors)", str(recall("models", ""))
            )
        if not given or self._host.busy:
            return
        remember("models", str(Path(given).parent))
        self._host.start(add_model.steps(Path(given)), self._added, "Importing the model")

    def _added(self, name: str) -> None:
        self._networks.refresh()
        self.choose(name)
        self._host.say(f"{escape(name)} was imported and can be chosen.")

    def open_folder(self) -> None:
        """Show the folder of the user's models in the desktop's file manager."""
        try:
            folder = models_folder()
        except OSError as error:
            self._host.show_error(f"The folder of your models cannot be made: {error}.")
            return
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._host.show_error(f"Your models are in {folder}.")


def _sampling(row: dict[str, Any]) -> str:
    value = row.get("native_sampling_angstrom")
    return f"{100 * value:g}" if value else "–"
