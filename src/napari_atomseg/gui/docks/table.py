"""The table of columns, in step with the selection on the canvas."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QItemSelection, QItemSelectionModel, QModelIndex, QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut, QShowEvent
from qtpy.QtWidgets import QAbstractItemView, QApplication, QDockWidget, QHeaderView, QLabel, QTableView, QVBoxLayout, QWidget

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.widgets.ordering import Ordered
from napari_atomseg.writers.columns_csv import columns_table

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

EMPTY = "No columns yet: find them, open a table, or add points by hand."
FIRST_HEIGHT = 260


class ColumnsModel(QAbstractTableModel):
    """Columns as rows; reads straight from the table, so that ten thousand rows cost nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = columns_table(Columns(positions=np.zeros((0, 2))))

    def show(self, columns: Columns) -> None:
        """Show other columns."""
        self.beginResetModel()
        table = columns_table(columns)
        self._table = table.loc[:, [name for name in table if not table[name].isna().all() or name in ("y_px", "x_px")]]
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # Qt's name
        """Number of columns."""
        return 0 if parent is not None and parent.isValid() else len(self._table)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Number of features that are known for any column."""
        return 0 if parent is not None and parent.isValid() else self._table.shape[1]

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text for people."""
        value: Any = self._table.iat[index.row(), index.column()]
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if role == Qt.ItemDataRole.DisplayRole:
            if not number:
                return str(value)
            return "" if not np.isfinite(value) else f"{float(value):.6g}"
        if role == Qt.ItemDataRole.TextAlignmentRole and number:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def values(self, column: int) -> np.ndarray:
        """What a column is sorted by: its numbers, else its texts."""
        values = self._table.iloc[:, column]
        return values.to_numpy() if values.dtype.kind in "fiu" else values.astype(str).to_numpy(dtype=str)

    def as_text(self, rows: list[int]) -> str:
        """Rows below the names of the columns, as spreadsheets paste them."""
        return str(self._table.iloc[rows].to_csv(sep="\t", index=False, lineterminator="\n"))

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Feature names; rows are numbered from zero as everywhere in napari."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return str(self._table.columns[section]) if orientation == Qt.Orientation.Horizontal else str(section)


class ColumnsTable(QWidget):
    """Dock with the table; click a row to see its column, select points to see their rows."""

    title = "Columns table"
    tip = "The table of columns, in step with the selection on the canvas."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("ColumnsTable")
        self._host = host
        self._session: weakref.ref[ColumnsSession] | None = None
        self._echo = False
        self.model = ColumnsModel(self)
        self._stale = False
        self._proxy = Ordered(self.model.values, self)
        self._proxy.setSourceModel(self.model)
        self.view = QTableView()
        self.view.setModel(self._proxy)
        self.view.setSortingEnabled(True)
        self.view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.view.horizontalHeader()
        assert header is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        # A third click on a header gives the order of the file back.
        header.setSortIndicatorClearable(True)
        self._proxy.modelReset.connect(self._on_points)
        copying = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.view)
        copying.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        copying.activated.connect(self.copy)
        self.view.setToolTip("Ctrl+C copies the selected rows with their header; a third click on a header unsorts.")
        self.empty = QLabel(EMPTY)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.empty)
        layout.addWidget(self.view)
        selection = self.view.selectionModel()
        assert selection is not None
        selection.selectionChanged.connect(self._on_rows)
        self.setMinimumHeight(130)
        self._fill()
        host.documents.watched.connect(self._watch)
        self._watch()

    def _watch(self) -> None:
        """Show the columns of another document."""
        session = self._host.documents.session
        before = self._session() if self._session is not None else None
        if before is session and session is not None:
            return
        if before is not None:
            before.changed.disconnect(self.refresh, missing_ok=True)
            before.layer.selected_data.events.items_changed.disconnect(self._on_points, missing_ok=True)
        self._session = weakref.ref(session) if session is not None else None
        if session is not None:
            session.changed.connect(self.refresh)
            session.layer.selected_data.events.items_changed.connect(self._on_points)
        self.refresh()

    def sizeHint(self) -> QSize:  # Qt's name
        """Room for some eight rows at first."""
        return QSize(super().sizeHint().width(), FIRST_HEIGHT)

    def showEvent(self, event: QShowEvent | None) -> None:  # Qt's name
        """Catch up with what has changed while the table was closed."""
        super().showEvent(event)
        if self._stale:
            # Once the dock has its place: rows that come while the window is divided anew make it higher than the screen.
            QTimer.singleShot(0, self.refresh)

    def copy(self) -> None:
        """Copy the selected rows, as they are ordered in view, with their header."""
        selection = self.view.selectionModel()
        assert selection is not None
        places = sorted(selection.selectedRows(), key=lambda index: index.row())
        clipboard = QApplication.clipboard()
        if places and clipboard is not None:
            clipboard.setText(self.model.as_text([self._proxy.mapToSource(index).row() for index in places]))

    def refresh(self) -> None:
        """Show the session's columns as they are now; a closed table waits until it is opened again."""
        dock = self.parentWidget()
        self._stale = not isinstance(dock, QDockWidget) or dock.isHidden()
        if not self._stale:
            self._fill()

    def _fill(self) -> None:
        self._stale = False
        session = self._session() if self._session is not None else None
        columns = session.columns if session is not None else Columns(positions=np.zeros((0, 2)))
        self._echo = True
        try:
            self.model.show(columns)
        finally:
            self._echo = False
        self.empty.setVisible(len(columns) == 0)
        self.view.setVisible(len(columns) > 0)
        self._on_points()

    def _on_points(self, *_: Any) -> None:
        """Select the rows of the points selected on the canvas."""
        session = self._session() if self._session is not None else None
        if session is None or self._echo or self._stale:
            return
        rows = np.array([row for row in session.layer.selected_data if row < self.model.rowCount()], dtype=int)
        chosen = QItemSelection()
        last = max(0, self.model.columnCount() - 1)
        places = np.sort(self._proxy.places(rows))
        for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else ():
            chosen.select(self._proxy.index(int(run[0]), 0), self._proxy.index(int(run[-1]), last))
        selection = self.view.selectionModel()
        assert selection is not None
        self._echo = True
        try:
            selection.select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        finally:
            self._echo = False
        if len(rows):
            self.view.scrollTo(self._proxy.mapFromSource(self.model.index(int(rows.min()), 0)))

    def _on_rows(self, *_: Any) -> None:
        """Select the points of the selected rows, and bring the first into view."""
        session = self._session() if self._session is not None else None
        if session is None or self._echo:
            return
        selection = self.view.selectionModel()
        assert selection is not None
        rows = {self._proxy.mapToSource(index).row() for index in selection.selectedRows()}
        self._echo = True
        try:
            session.layer.selected_data = rows
        finally:
            self._echo = False
        if len(rows) == 1:
            centre_on(self._host.viewer, session, next(iter(rows)))


def centre_on(viewer: Any, session: ColumnsSession, row: int) -> None:
    """Move the view to one column, and to its frame; the zoom stays.

    Parameters
    ----------
    viewer : napari viewer
    session : ColumnsSession
    row : int
        Of the column.
    """
    world = session.layer.data_to_world(session.layer.data[row])
    if session.layer.ndim == 3:
        viewer.dims.set_point(0, world[0])
    centre = list(viewer.scene.camera.center)
    centre[-2:] = [float(world[-2]), float(world[-1])]
    viewer.scene.camera.center = tuple(centre)
