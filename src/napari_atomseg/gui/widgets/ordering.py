"""The rows of a table in another order, sorted by numpy: Qt's own proxy compares cell by cell in Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from qtpy.QtCore import QAbstractProxyModel, QModelIndex, QObject, Qt

NOWHERE = QModelIndex()


class Ordered(QAbstractProxyModel):
    """A flat table in the order of one of its columns; values that are unknown come last in ascending order.

    Parameters
    ----------
    values_of : callable
        The values of a column as an array, one a row.
    """

    def __init__(self, values_of: Callable[[int], np.ndarray], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._values_of = values_of
        self._column, self._direction = -1, Qt.SortOrder.AscendingOrder
        self._order = self._place = np.zeros(0, int)

    def setSourceModel(self, model: object) -> None:  # Qt's name
        """Show another table."""
        super().setSourceModel(model)
        model.modelAboutToBeReset.connect(self.beginResetModel)  # type: ignore[attr-defined]
        model.modelReset.connect(self._on_reset)  # type: ignore[attr-defined]
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; -1 gives the table's own order back."""
        self.beginResetModel()
        self._column, self._direction = column, order
        self._arrange()
        self.endResetModel()

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Where rows of the table are shown."""
        return self._place[rows]

    def _on_reset(self) -> None:
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        source = self.sourceModel()
        count = source.rowCount() if source is not None else 0
        if source is None or not 0 <= self._column < source.columnCount():
            self._order = np.arange(count)
        else:
            ascending = np.argsort(self._values_of(self._column), kind="stable")
            self._order = ascending if self._direction == Qt.SortOrder.AscendingOrder else ascending[::-1]
        self._place = np.empty(count, int)
        self._place[self._order] = np.arange(count)

    def mapToSource(self, index: QModelIndex) -> QModelIndex:  # Qt's name
        """The cell of the table that is shown in a place."""
        source = self.sourceModel()
        if source is None or not index.isValid():
            return NOWHERE
        return source.index(int(self._order[index.row()]), index.column())

    def mapFromSource(self, index: QModelIndex) -> QModelIndex:  # Qt's name
        """Where a cell of the table is shown."""
        return self.index(int(self._place[index.row()]), index.column()) if index.isValid() else NOWHERE

    def index(self, row: int, column: int, parent: QModelIndex = NOWHERE) -> QModelIndex:
        """A place."""
        return self.createIndex(row, column) if self.hasIndex(row, column, parent) else NOWHERE

    def parent(self, index: QModelIndex = NOWHERE) -> QModelIndex:
        """No cell lies below another."""
        return NOWHERE

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:  # Qt's name
        """Number of rows."""
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:  # Qt's name
        """Number of columns."""
        source = self.sourceModel()
        return 0 if parent.isValid() or source is None else int(source.columnCount())

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Names of the columns, and the number that a row has in the table."""
        source = self.sourceModel()
        if source is None:
            return None
        if orientation == Qt.Orientation.Vertical and 0 <= section < len(self._order):
            section = int(self._order[section])
        return source.headerData(section, orientation, role)
