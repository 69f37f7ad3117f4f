"""What is not touched does not change, what differs from its default says so, and a number is a number in every country."""

import pytest
from conftest import add_image, open_panel
from qtpy.QtCore import QEvent, QLocale, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QLabel, QLineEdit, QScrollArea, QScrollBar, QWidget

from napari_atomseg.gui.dialogs.mapping import MappingDialog
from napari_atomseg.gui.dialogs.particle import ParticleDialog
from napari_atomseg.gui.docks.diffractogram import DiffractogramDock
from napari_atomseg.gui.docks.lattice import LatticeDock
from napari_atomseg.gui.docks.profile import ProfileDock
from napari_atomseg.gui.widgets.controls import CHANGED_BY_WHEEL, NumberBox
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import RESET, ResetLabel
from napari_atomseg.readers.column_mapping import guess_mapping


@pytest.fixture
def shown(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    return viewer, open_panel(viewer)


def turn_wheel(widget, steps=-3):
    """A wheel over the middle of a widget: whoever does not take it hands it to its parent, as Qt does with a real one."""
    place = widget.mapToGlobal(widget.rect().center())
    while widget is not None:
        event = QWheelEvent(
            QPointF(widget.mapFromGlobal(place)),
            QPointF(place),
            QPoint(0, 0),
            QPoint(0, 120 * steps),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)
        if event.isAccepted() or widget.isWindow():
            return
        widget = widget.parentWidget()


def controls(*roots):
    """Everything that a wheel could change."""
    found = [one for root in roots for one in root.findChildren(QWidget) if isinstance(one, CHANGED_BY_WHEEL)]
    return [one for one in found if not isinstance(one, QScrollBar)]


def values(found):
    return [one.currentIndex() if isinstance(one, QComboBox) or not hasattr(one, "value") else one.value() for one in found]


def windows(viewer, panel, folder):
    """Every dock and dialog that has controls, open."""
    table = folder / "table.csv"
    table.write_text("x,y,height\n1,2,3\n4,5,6\n")
    panel.menu.calibration()
    panel.menu.synthetic()
    panel.open_dock(DiffractogramDock)
    panel.open_dock(LatticeDock)
    panel.pages["Columns"].show_table()
    particle = ParticleDialog(panel)
    mapping = MappingDialog(table, guess_mapping(table), panel)
    profile = panel.open_dock(ProfileDock)
    for dialog in (particle, mapping):
        dialog.show()
    QApplication.processEvents()
    tools = panel.menu
    docks = [panel.dock(DiffractogramDock), panel.dock(LatticeDock), profile]
    return [panel, tools._calibration, tools._synthetic, particle, mapping, *docks]


def test_the_wheel_changes_nothing_that_has_no_focus(shown, tmp_path):
    viewer, panel = shown
    add_image(viewer)
    roots = windows(viewer, panel, tmp_path)
    found = controls(*roots)
    assert len(found) > 60
    for one in found:
        one.clearFocus()
    before = values(found)
    for steps in (-3, 5):
        for one in found:
            turn_wheel(one, steps)
    assert values(found) == before
    assert not [one for one in found if one.focusPolicy() == Qt.FocusPolicy.WheelFocus]


def test_the_wheel_over_a_setting_scrolls_the_page(shown):
    viewer, panel = shown
    add_image(viewer)
    viewer.window._qt_window.resize(1000, 600)
    page = panel.pages["Columns"]
    page.expert.expand(animate=False)
    QApplication.processEvents()
    box = page.more._editors["contrast"].widget
    area = next(area for area in panel.findChildren(QScrollArea) if area.widget() is page)
    bar = area.verticalScrollBar()
    assert bar.maximum() > 0
    bar.setValue(0)
    turn_wheel(box)
    assert bar.value() > 0


def test_the_wheel_turns_a_setting_that_has_the_focus(shown, qtbot):
    viewer, panel = shown
    add_image(viewer)
    page = panel.pages["Columns"]
    page.expert.expand(animate=False)
    box = page.more._editors["border"].widget
    panel.window().activateWindow()
    box.setFocus()
    qtbot.waitUntil(box.hasFocus)
    before = box.value()
    turn_wheel(box, 2)
    assert box.value() > before


def test_a_control_that_comes_later_keeps_still_too(panel):
    box = QComboBox(panel.pages["Columns"])
    box.addItems(["one", "two", "three"])
    box.ensurePolished()
    QApplication.sendPostedEvents(None, QEvent.Type.ChildPolished.value)
    QApplication.processEvents()
    turn_wheel(box)
    assert box.currentIndex() == 0


# -- what differs from the default -------------------------------------------------------------------------------------


def label_of(widget, name):
    return next(label for label in widget.findChildren(ResetLabel) if label.name == name)


def test_settings_off_their_default_are_marked_and_one_click_resets(panel, qtbot):
    page = panel.pages["Columns"]
    label = label_of(page.more, "Contrast")
    assert label.text() == "Contrast"
    page.more._editors["contrast"].widget.setValue(0.4)
    assert label.text() == f"Contrast {RESET}"
    assert "0.1" in label.toolTip() or "default (" in label.toolTip()
    qtbot.mouseClick(label, Qt.MouseButton.LeftButton)
    assert page.more.value() == type(page.more.value())()
    assert label.text() == "Contrast"


def test_a_setting_of_the_last_session_is_marked_at_the_start(make_napari_viewer):
    first = open_panel(make_napari_viewer()).pages["Columns"]
    first.more._editors["border"].widget.setValue(7)
    second = open_panel(make_napari_viewer()).pages["Columns"]
    assert label_of(second.more, "Border").text().endswith(RESET)


def test_the_confidence_is_marked_too(panel, qtbot):
    finder = panel.pages["Columns"].finder
    label = label_of(finder, "Confidence")
    usual = finder.least.value()
    finder.least.setValue(0.9)
    assert label.text().endswith(RESET)
    qtbot.mouseClick(label, Qt.MouseButton.LeftButton)
    assert finder.least.value() == pytest.approx(usual)


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def german():
    """As where commas stand before decimals."""
    usual = QLocale()
    QLocale.setDefault(QLocale(QLocale.Language.German, QLocale.Country.Germany))
    yield
    QLocale.setDefault(usual)


@pytest.mark.parametrize("typed", ["0.6", "0,6"])
def test_point_and_comma_are_read_alike_whatever_the_country(german, panel, typed):
    """Qt's own box makes 0.00 of the one or 6 of the other, without a word."""
    box = panel.pages["Columns"].more._editors["contrast"].widget
    line = box.findChild(QLineEdit)
    line.selectAll()
    QTest.keyClicks(line, typed)
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert box.value() == pytest.approx(0.6)
    assert box.text().startswith("0.6")


def test_a_pasted_comma_is_read_too(german, panel):
    box = panel.pages["Columns"].more._editors["contrast"].widget
    line = box.findChild(QLineEdit)
    QApplication.clipboard().setText("0,35")
    line.selectAll()
    line.paste()
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert box.value() == pytest.approx(0.35)


def test_every_number_box_shows_points(german, shown, tmp_path):
    viewer, panel = shown
    add_image(viewer)
    boxes = [one for one in controls(*windows(viewer, panel, tmp_path)) if isinstance(one, QAbstractSpinBox)]
    assert len(boxes) > 40
    assert {box.locale().decimalPoint() for box in boxes} == {"."}


def test_a_comma_in_the_number_of_a_slider(german, panel):
    slider = panel.pages["Columns"].finder.least
    line = slider.findChild(QLineEdit)
    line.selectAll()
    QTest.keyClicks(line, "0,7")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert slider.value() == pytest.approx(0.7)


def test_whole_numbers_take_no_separator(german, panel):
    box = panel.pages["Columns"].more._editors["border"].widget
    line = box.findChild(QLineEdit)
    line.selectAll()
    QTest.keyClicks(line, "1.2")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert box.value() == (pytest.approx(1.2) if isinstance(box, NumberBox) else 12)


def test_labels_name_their_settings(panel):
    assert all(label.text() for label in panel.findChildren(QLabel) if isinstance(label, ResetLabel))


@pytest.mark.parametrize("colour", ["#ff2000", "#0020ff"])
def test_arrows_of_folds_have_the_colour_of_their_title(qtbot, colour):
    part = fold("More", QLabel("inside"))
    part.setStyleSheet(f"QPushButton {{ color: {colour}; }}")
    qtbot.addWidget(part)
    part.show()
    for icon in (part.expandedIcon(), part.collapsedIcon()):
        drawn = icon.pixmap(12, 12).toImage()
        middle = drawn.pixelColor(drawn.width() // 2, drawn.height() // 2)
        assert middle.name() == colour
