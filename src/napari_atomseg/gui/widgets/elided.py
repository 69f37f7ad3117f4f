"""Text that is shortened in the middle where it does not fit: names of a series differ at their ends."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy, QStyle, QStyleOptionComboBox, QStylePainter


class ElidedComboBox(QComboBox):
    """A list whose chosen entry is shortened in the middle where it does not fit: series differ at the end of their names."""

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """Draw the frame, and the shortened text into it."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        part = QStyle.SubControl.SC_ComboBoxEditField
        field = painter.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, self)
        option.currentText = self.fontMetrics().elidedText(
            option.currentText or self.placeholderText(), Qt.TextElideMode.ElideMiddle, field.width() - 4
        )
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class ElidedLabel(QLabel):
    """One line of text, shortened in the middle where it does not fit."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str | None) -> None:  # Qt's name
        """Show another text."""
        self._text = text or ""
        self.setToolTip(self._text)
        self._shorten()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # Qt's name
        """Shorten anew for the new width."""
        super().resizeEvent(event)
        self._shorten()

    def _shorten(self) -> None:
        super().setText(self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideMiddle, max(20, self.width())))
