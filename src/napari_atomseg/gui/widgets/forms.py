"""A form for any parameter dataclass: labels, units, limits and help come from the class itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QLineEdit, QPushButton, QSpinBox, QWidget

from napari_atomseg.core.params import Field, fields_of, to_dict
from napari_atomseg.gui.widgets.controls import CountBox, NumberBox

P = TypeVar("P")
AUTOMATIC = "automatic"
RESET = "↺"
"""Stands behind the name of a setting that differs from its default."""


LABELS = {"alike": "Compare equivalent places", "averaged": "Average mirror images", "thermal_of": "Thermal of", "psf": "PSF"}
"""Of fields whose names say too little."""


class Form(QWidget, Generic[P]):
    """Edits the fields of a frozen dataclass; what differs from its default is marked, and a click on the mark gives it back.

    Parameters
    ----------
    cls : type
        The parameter dataclass.
    only : tuple of str, optional
        Fields to show, in this order; by default all.
    """

    value_changed = Signal()

    def __init__(self, cls: type[P], only: tuple[str, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cls = cls
        self._value = cls()
        self._editors: dict[str, Editor] = {}
        self.form = layout = form_layout(self)
        for field in fields_of(cls):
            if only and field.name not in only:
                continue
            editor = Editor(field)
            editor.changed.connect(self.value_changed)
            self._editors[field.name] = editor
            layout.addRow(ResetLabel(readable(field.name), editor), editor.widget)

    def value(self) -> P:
        """The parameters as the form shows them; fields that it does not show keep their last value."""
        shown = {name: editor.value() for name, editor in self._editors.items()}
        return self._cls(**{**to_dict(self._value), **shown})

    def set_value(self, params: P) -> None:
        """Show other parameters."""
        self._value = params
        for name, value in to_dict(params).items():
            if name in self._editors:
                self._editors[name].set_value(value)

    def show_fields(self, shown: Callable[[str], bool]) -> None:
        """Show the fields whose names pass a test; the others keep their values."""
        for name, editor in self._editors.items():
            self.form.setRowVisible(editor.widget, shown(name))


class ResetLabel(QLabel):
    """The label of a control; where its value differs from the default, it is marked, and a click resets it.

    Parameters
    ----------
    text : str
    control : Editor or Setting
    """

    def __init__(self, text: str, control: Editor | Setting) -> None:
        super().__init__(text)
        self.name, self._control = text, control
        control.shown.connect(self._mark)
        self._mark()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # Qt's name
        """Give the default back."""
        if not self._control.at_default():
            self._control.reset()

    def _mark(self) -> None:
        marked = not self._control.at_default()
        self.setText(f"{self.name} {RESET}" if marked else self.name)
        self.setStyleSheet("font-weight: bold;" if marked else "")
        self.setCursor(Qt.CursorShape.PointingHandCursor if marked else Qt.CursorShape.ArrowCursor)
        click = f"Click: back to the default ({self._control.default_text()})." if marked else "This is the default."
        self.setToolTip(f"{self._control.help}\n{click}")


class Setting(QObject):
    """What a label needs to know of a control that is no field of a form.

    Parameters
    ----------
    widget : QWidget
        With `value`, `setValue` and `valueChanged`.
    default : number
    """

    shown = Signal()

    def __init__(self, widget: Any, default: float) -> None:
        super().__init__(widget)
        self._widget, self._default = widget, default
        self.help = widget.toolTip()
        widget.valueChanged.connect(lambda _: self.shown.emit())

    def at_default(self) -> bool:
        """True if the control shows its default."""
        return bool(abs(self._widget.value() - self._default) < 1e-9)

    def default_text(self) -> str:
        """The default as people read it."""
        return f"{self._default:g}"

    def reset(self) -> None:
        """Give the default back."""
        self._widget.setValue(self._default)


class Editor(QObject):
    """One field: a spin box, a drop-down list, a check box or a line of text."""

    changed = Signal()
    """A hand has given another value."""
    shown = Signal()
    """Another value is shown, by a hand or by program."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field, self.help = field, field.help
        self.widget = self._make()
        self.changed.connect(self.shown)
        self.widget.setObjectName(field.name)
        self.widget.setToolTip(field.help)
        self.set_value(field.default)

    def _make(self) -> QWidget:
        if self.field.choices:
            box = QComboBox()
            box.addItems([str(choice) for choice in self.field.choices])
            box.currentIndexChanged.connect(lambda _: self.changed.emit())
            return box
        if self.field.kind is bool:
            tick = QCheckBox()
            tick.toggled.connect(lambda _: self.changed.emit())
            return tick
        if self.field.kind in (int, float):
            return self._spin_box()
        line = QLineEdit()
        line.editingFinished.connect(self.changed)
        return line

    def _spin_box(self) -> QWidget:
        quantity = self.field.quantity
        low, high = max(quantity.low, -1e9), min(quantity.high, 1e9)
        box: QSpinBox | QDoubleSpinBox
        if self.field.kind is int:
            box = CountBox()
            box.setRange(int(low), int(high))
        else:
            box = NumberBox()
            box.setDecimals(quantity.decimals)
            step = 10.0**-quantity.decimals
            # One step below the lowest legal value stands for "automatic".
            box.setRange(low - step if self.field.optional else low, high)
            box.setSingleStep(max(step, 0.05 if high <= 1 else step))
            box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        if self.field.optional:
            box.setSpecialValueText(AUTOMATIC)
        if quantity.unit:
            box.setSuffix(f" {quantity.unit}")
        box.setKeyboardTracking(False)
        box.valueChanged.connect(lambda _: self.changed.emit())
        return box

    def value(self) -> Any:
        widget = self.widget
        if isinstance(widget, QComboBox):
            return self.field.choices[widget.currentIndex()]
        if isinstance(widget, QCheckBox):
            return widget.isChecked()
        if isinstance(widget, (QSpinBox, QDoubleSpinBox)):
            if self.field.optional and widget.value() <= widget.minimum():
                return None
            return widget.value()
        return widget.text()

    def set_value(self, value: Any) -> None:
        widget = self.widget
        blocked = widget.blockSignals(True)
        if isinstance(widget, QComboBox):
            widget.setCurrentIndex(self.field.choices.index(value))
        elif isinstance(widget, QCheckBox):
            widget.setChecked(bool(value))
        elif isinstance(widget, (QSpinBox, QDoubleSpinBox)):
            widget.setValue(widget.minimum() if value is None else value)
        else:
            widget.setText(str(value))
        widget.blockSignals(blocked)
        self.shown.emit()

    def at_default(self) -> bool:
        """True if the default is shown, to the decimals of the box."""
        value, default = self.value(), self.field.default
        if isinstance(value, float) and isinstance(default, (int, float)):
            return abs(value - default) < 0.5 * 10.0**-self.field.quantity.decimals
        return bool(value == default)

    def default_text(self) -> str:
        """The default as people read it."""
        default = self.field.default
        if default is None:
            return AUTOMATIC
        text = f"{default:g}" if isinstance(default, float) else str(default)
        return f"{text} {self.field.quantity.unit}".strip() if self.field.kind in (int, float) else text

    def reset(self) -> None:
        """Give the default back."""
        self.set_value(self.field.default)
        self.changed.emit()


def align_labels(*forms: QFormLayout) -> None:
    """Let the fields of forms that lie below one another begin at the same place."""
    labels = [
        item.widget()
        for form in forms
        for row in range(form.rowCount())
        if (item := form.itemAt(row, QFormLayout.ItemRole.LabelRole)) is not None and item.widget() is not None
    ]
    width = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)


def readable(name: str) -> str:
    """A field's name as a label, without the unit that stands behind the number."""
    return LABELS.get(name) or name.removesuffix("_deg").replace("_", " ").capitalize()


def enable(button: QPushButton, on: bool, why_not: str) -> None:
    """Enable a button, or let its tooltip say why it is disabled.

    Parameters
    ----------
    button : QPushButton
        Whose property ``tip`` is its tooltip while it is enabled.
    on : bool
    why_not : str
        A sentence.
    """
    button.setEnabled(on)
    button.setToolTip(button.property("tip") if on else why_not)


def form_layout(parent: QWidget | None = None) -> QFormLayout:
    """A form without margins, whose fields take the room that there is."""
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
