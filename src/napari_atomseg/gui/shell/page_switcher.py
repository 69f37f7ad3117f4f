"""The pages of the panel and the buttons that turn to them, in rows of at most four, so that eight fit into the panel's width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

IN_A_ROW = 4
PARTS = 12
"""Columns of the grid, which one to four buttons in a row divide evenly."""


class Pages(QWidget):
    """One page at a time; every page's name is always in view."""

    currentChanged = Signal(int)  # as Qt's own switchers call it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stack = QStackedWidget()
        self._buttons = QButtonGroup(self)
        self._buttons.setExclusive(True)
        self._grid = QGridLayout()
        self._grid.setSpacing(2)
        for column in range(PARTS):
            self._grid.setColumnStretch(column, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._grid)
        layout.addWidget(self._stack, 1)
        self._buttons.idClicked.connect(self.setCurrentIndex)
        self._stack.currentChanged.connect(self.currentChanged)

    def __getitem__(self, title: str) -> Any:
        """The page of a title."""
        return self.page_at(next(place for place in range(self.count()) if self.name(place) == title))

    def __iter__(self) -> Iterator[Any]:
        """All pages, in their order."""
        return iter([self.page_at(place) for place in range(self.count())])

    def page_at(self, index: int) -> Any:
        """The page in a place, without what lets it scroll."""
        return self.widget(index).widget()

    def turn_to_title(self, title: str) -> None:
        """Turn to the page of a title, if there is one."""
        for place in range(self.count()):
            if self.name(place) == title:
                self.setCurrentIndex(place)

    def add(self, page: QWidget, name: str, tip: str) -> None:
        """Add a page behind the others.

        Parameters
        ----------
        page : QWidget
        name, tip : str
            On its button, and in the tooltip.
        """
        button = QPushButton(name)
        button.setObjectName(f"page_{name}")
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        place = self._stack.count()
        self._buttons.addButton(button, place)
        self._stack.addWidget(page)
        self._arrange()
        button.setChecked(place == self._stack.currentIndex())

    def _arrange(self) -> None:
        """Rows of nearly equal length, each as wide as the panel: no button stands alone."""
        buttons = [self._buttons.button(place) for place in range(self.count())]
        rows = -(-len(buttons) // IN_A_ROW)
        for row in range(rows):
            together = buttons[row * len(buttons) // rows : (row + 1) * len(buttons) // rows]
            span = PARTS // len(together)
            for place, button in enumerate(together):
                self._grid.removeWidget(button)
                self._grid.addWidget(button, row, place * span, 1, span)

    def count(self) -> int:
        """Number of pages."""
        return int(self._stack.count())

    def name(self, index: int) -> str:
        """Name of a page."""
        return str(self._buttons.button(index).text())

    def widget(self, index: int) -> QWidget:
        """A page."""
        return self._stack.widget(index)

    def currentIndex(self) -> int:  # Qt's name
        """Which page is in view."""
        return int(self._stack.currentIndex())

    def currentWidget(self) -> QWidget | None:  # Qt's name
        """The page in view."""
        return self._stack.currentWidget()

    def setCurrentIndex(self, index: int) -> None:  # Qt's name
        """Turn to a page."""
        if 0 <= index < self.count():
            self._buttons.button(index).setChecked(True)
            self._stack.setCurrentIndex(index)
