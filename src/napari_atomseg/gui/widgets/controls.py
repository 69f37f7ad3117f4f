"""What every control of ours keeps to: the wheel changes nothing by the way, and a number is read with a point or a comma."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QLocale, QObject, Qt
from qtpy.QtGui import QDoubleValidator, QKeyEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QSpinBox,
    QTabBar,
    QWidget,
)

CHANGED_BY_WHEEL = (QAbstractSpinBox, QComboBox, QAbstractSlider, QTabBar)


def plain_locale() -> QLocale:
    """Numbers with a point and without groups, whatever the country: the same in spin boxes, fields and files."""
    locale = QLocale.c()
    locale.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator | QLocale.NumberOption.RejectGroupSeparator)
    return locale


class NumberBox(QDoubleSpinBox):
    """A number with decimals; a comma counts as the point, in every country and also in what is pasted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(plain_locale())

    def validate(self, text: str | None, position: int) -> tuple[object, str, int]:
        """Read a comma as a point."""
        return super().validate((text or "").replace(",", "."), position)


class CountBox(QSpinBox):
    """A whole number; neither point nor comma can be typed into it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(plain_locale())

    def validate(self, text: str | None, position: int) -> tuple[object, str, int]:
        """Refuse what Qt would take for a separator of thousands."""
        if any(mark in (text or "").removesuffix(self.suffix()) for mark in ",."):
            return self.State.Invalid, text or "", position
        return super().validate(text, position)


class Manners(QObject):
    """Event filter of every control below a widget, also of those that come later.

    A wheel over a control that has no focus goes on to the page, which scrolls; Qt would change the value and, of most
    controls, give it the focus too. A comma typed beside a slider becomes a point.
    """

    def teach(self, root: QWidget) -> None:
        """Watch over a widget and all below it."""
        root.setLocale(plain_locale())
        for widget in (root, *root.findChildren(QWidget)):
            self._watch(widget)

    def _watch(self, widget: QWidget) -> None:
        inert = isinstance(widget, (QLabel, QAbstractButton, QScrollBar))
        if inert:
            return
        if isinstance(widget, CHANGED_BY_WHEEL) and widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if _of_decimals(widget):
            widget.validator().setLocale(plain_locale())
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # Qt's name
        """Let the wheel pass by, read commas, and watch what is new."""
        if event is None or not isinstance(watched, QWidget):
            return False
        kind = event.type()
        if kind == QEvent.Type.Wheel:
            return self._pass_by(watched, event)
        if kind == QEvent.Type.ChildPolished and isinstance(event.child(), QWidget):
            self._watch(event.child())
        if isinstance(event, QKeyEvent) and kind == QEvent.Type.KeyPress and event.text() == "," and _of_decimals(watched):
            watched.insert(".")
            return True
        return False

    @staticmethod
    def _pass_by(watched: QWidget, event: QEvent) -> bool:
        if not isinstance(watched, CHANGED_BY_WHEEL) or isinstance(watched, QScrollBar):
            return False
        focus = QApplication.focusWidget()
        if focus is not None and (focus is watched or watched.isAncestorOf(focus)):
            return False
        event.ignore()
        return True


def _of_decimals(widget: QWidget) -> bool:
    """True for the field that stands beside a slider of superqt's."""
    return isinstance(widget, QLineEdit) and isinstance(widget.validator(), QDoubleValidator)


_manners = Manners()


def teach(root: QWidget) -> None:
    """Let everything below a widget of ours keep to the rules above."""
    _manners.teach(root)
