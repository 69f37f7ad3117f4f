"""The calibration chip and its dialog: typed, from a line, from a lattice, from a spot, removed."""

import numpy as np
import pytest
from conftest import HANGING, PIXEL_SIZE, SPACING, add_image, drop, lattice
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.gui.docks.diffractogram import DiffractogramDock
from napari_atomseg.gui.layers.conversion import pixel_size_of, to_micrograph
from napari_atomseg.gui.layers.regions import chosen_mask


@pytest.fixture
def dialog(viewer, panel):
    add_image(viewer, pixel_size=None)
    panel.image_bar.chip.click()
    return panel.menu._calibration


TYPED = {
    "9.77 pm": 0.0977,
    "0.0977 A": 0.0977,
    "0.1 Å": 0.1,
    "0.01 nm": 0.1,
    "0.2 A": 0.2,
    "1e-2nm": 0.1,
    "0.2 um": 2000,
    "9,77 pm": 0.0977,
    "9.77 pm/px": 0.0977,
}


def test_typed(viewer, panel, dialog):
    for text, angstrom in TYPED.items():
        dialog.size.setText(text)
        dialog.size.entered.emit()
        np.testing.assert_allclose(pixel_size_of(panel.image), angstrom, rtol=1e-9)
        assert [str(unit) for unit in panel.image.units] == ["nanometer", "nanometer"]
        assert "from you" in panel.image_bar.chip.text()
        assert "color" not in panel.image_bar.chip.styleSheet()


def test_junk_changes_nothing_and_says_so(viewer, panel, dialog):
    for text in ("", "abc", "-1 pm", "0", "nan", "inf", "5 kg", "1 1/nm", "1,5,3", "1e9 nm", "1e-9 pm"):
        dialog.message.setText("")
        dialog.size.setText(text)
        dialog.apply_typed()
        assert pixel_size_of(panel.image) is None, text
        assert dialog.message.text(), text
        assert "no pixel size" in panel.image_bar.chip.text()


def test_points_and_columns_follow(viewer, page, panel, idle):
    image = add_image(viewer, pixel_size=None)
    page.find()
    idle(panel)
    session = page.session
    session.layer.remove([0])
    panel.image_bar.set_pixel_size((0.25, 0.25), "you")
    np.testing.assert_allclose(session.layer.scale, 0.025)
    assert session.layer.units == image.units
    assert session.columns.pixel_size == (0.25, 0.25)
    assert session.columns.provenance["pixel_size_source"] == "you"
    assert viewer.layers.units is not None
    session.undo()
    assert session.columns.pixel_size == (0.25, 0.25)
    np.testing.assert_allclose(session.layer.scale, 0.025)


def test_second_document_follows_too(viewer, page, panel, found, idle):
    found.layer.remove([0])
    page.find()
    idle(panel)
    panel.image_bar.set_pixel_size((0.3, 0.3), "you")
    assert found.columns.pixel_size == (0.3, 0.3)
    assert page.session.columns.pixel_size == (0.3, 0.3)
    np.testing.assert_allclose(found.layer.scale, 0.03)


def test_region_and_line_layers_do_not_drift(viewer, page, panel):
    """A region drawn before the calibration still lies on the same pixels afterwards."""
    image = add_image(viewer, pixel_size=None)
    page.draw_region()
    shapes = viewer.layers["lattice | region"]
    shapes.add(np.array([[20, 20], [20, 60], [50, 60], [50, 20]], float), shape_type="rectangle")
    choice = page.region.currentData()
    before = chosen_mask(viewer, image, choice)
    panel.image_bar.set_pixel_size((0.25, 0.25), "you")
    assert before.any()
    np.testing.assert_array_equal(chosen_mask(viewer, image, choice), before)
    assert viewer.layers.units is not None


def test_calibration_is_no_edit(found, panel):
    assert not found.unsaved
    panel.image_bar.set_pixel_size((0.25, 0.25), "you")
    assert not found.edited
    assert not found.can_undo


def test_line(viewer, panel, dialog):
    dialog.draw.click()
    line = viewer.layers[-1]
    line.add([[10, 10], [10, 60]], shape_type="line")
    dialog.length.setText("2 nm")
    dialog.apply_line()
    np.testing.assert_allclose(pixel_size_of(panel.image), 20 / 50, rtol=1e-6)
    assert [layer.name for layer in viewer.layers] == ["lattice"]
    assert "from a line" in panel.image_bar.chip.text()


def test_line_on_a_calibrated_image(viewer, panel):
    image = add_image(viewer)
    panel.menu.calibration()
    dialog = panel.menu._calibration
    dialog.draw.click()
    viewer.layers[-1].add([[10, 10], [50, 40]], shape_type="line")
    dialog.length.setText("50 A")
    dialog.apply_line()
    np.testing.assert_allclose(pixel_size_of(image), 1.0, rtol=1e-6)


def test_line_with_a_junk_length(viewer, panel, dialog):
    dialog.draw.click()
    viewer.layers[-1].add([[10, 10], [10, 60]], shape_type="line")
    for length in ("", "2 kg", "0", "-1"):
        dialog.message.setText("")
        dialog.length.setText(length)
        dialog.apply_line()
        assert pixel_size_of(panel.image) is None, length
        assert dialog.message.text(), length


def test_line_that_was_never_drawn(viewer, panel, dialog):
    dialog.length.setText("2 nm")
    dialog.apply_line()
    assert "no line" in dialog.message.text()


def test_lattice_spacing(viewer, panel, dialog, idle):
    dialog.spacing.setText(f"{SPACING * PIXEL_SIZE} A")
    dialog.apply_lattice()
    idle(panel)
    np.testing.assert_allclose(pixel_size_of(panel.image), PIXEL_SIZE, rtol=0.01)
    assert "lattice spacing" in panel.image_bar.chip.text()


def test_lattice_spacing_of_an_image_without_lattice(viewer, panel, idle):
    image = add_image(viewer, np.zeros((64, 64), np.float32), pixel_size=None)
    panel.menu.calibration()
    panel.menu._calibration.spacing.setText("2.8 A")
    panel.menu._calibration.apply_lattice()
    idle(panel)
    assert pixel_size_of(image) is None
    assert panel.status.text()
    assert "unforeseen" not in panel.status.text()


def test_spot_of_the_diffractogram(make_napari_viewer, qtbot):
    from conftest import open_panel

    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    add_image(viewer, pixel_size=None)
    panel.open_dock(DiffractogramDock)
    dock = panel.dock(DiffractogramDock)
    qtbot.waitUntil(lambda: dock._result is not None and dock._work is None, timeout=HANGING)
    dock.calibrate()
    assert "Click a spot" in dock.reading.text()
    spot = dock._result[1].frequencies[0]
    dock.chosen = spot
    dock.spacing.setText("junk")
    dock.calibrate()
    assert pixel_size_of(panel.image) is None
    spacing = PIXEL_SIZE / np.hypot(*spot)
    dock.spacing.setText(f"{spacing} A")
    dock.calibrate()
    np.testing.assert_allclose(pixel_size_of(panel.image), PIXEL_SIZE, rtol=1e-6)
    assert "spot" in panel.image_bar.chip.text()


def test_removal(viewer, page, panel, found):
    panel.image_bar.chip.click()
    dialog = panel.menu._calibration
    dialog.remove.click()
    assert pixel_size_of(panel.image) is None
    assert "no pixel size" in panel.image_bar.chip.text()
    assert tuple(found.layer.scale) == (1, 1)
    assert found.columns.pixel_size is None
    assert not dialog.remove.isEnabled()
    assert viewer.layers.units is not None


def test_dialog_without_an_image(viewer, panel):
    panel.menu.calibration()
    dialog = panel.menu._calibration
    dialog.size.setText("1 A")
    for button in dialog.findChildren(QPushButton):
        button.click()
    assert not viewer.layers


def test_chip_says_where_the_pixel_size_comes_from(viewer, panel, files):
    drop(viewer, files.tif)
    assert "from the file" in panel.image_bar.chip.text()
    panel.image_bar.set_pixel_size((0.1, 0.2), "you")
    assert "×" in panel.image_bar.chip.text() or "x" in panel.image_bar.chip.text()
    viewer.layers.clear()
    assert "no image" in panel.image_bar.chip.text()
    assert not panel.image_bar.chip.isEnabled()


def test_calibration_of_a_stack_keeps_the_time(viewer, panel):
    image = add_image(viewer, np.stack([lattice(64), lattice(64)]), "stack", pixel_size=None)
    panel.image_bar.set_pixel_size((0.25, 0.25), "you")
    np.testing.assert_allclose(image.scale, [1, 0.025, 0.025])
    np.testing.assert_allclose(pixel_size_of(image), 0.25)


def test_a_scale_set_on_the_layer_is_not_the_files(viewer, panel):
    image = add_image(viewer)
    known = to_micrograph(image)
    assert known.pixel_size == pytest.approx((PIXEL_SIZE, PIXEL_SIZE))
    image.scale = tuple(2 * step for step in image.scale)
    changed = to_micrograph(image)
    assert changed.pixel_size == pytest.approx((2 * PIXEL_SIZE, 2 * PIXEL_SIZE))
    assert changed.pixel_size_source == "the layer"
    image.scale = tuple(step / 2 for step in image.scale)
    assert to_micrograph(image).pixel_size_source == known.pixel_size_source


def test_a_size_found_for_a_layer_of_another_reader_keeps_its_source(viewer, panel):
    image = add_image(viewer, pixel_size=None)
    found = Micrograph(data=np.zeros(image.data.shape), pixel_size=(0.3, 0.3), pixel_size_source="scan.json")
    panel.image_bar._calibrator.calibration_found.emit(image, found)
    assert to_micrograph(image).pixel_size == pytest.approx((0.3, 0.3))
    assert "from scan.json" in panel.image_bar.chip.text()


# -- what was entered last counts, in its own unit -----------------------------------------------------------------------


def test_return_uses_the_field_that_it_was_pressed_in(viewer, panel, dialog, qtbot):
    """Return used to press the first button of the window as well, which gave an older value of another field."""
    image = panel.image
    QTest.keyClicks(dialog.size.line, "30 pm")
    QTest.keyClick(dialog.size.line, Qt.Key.Key_Return)
    np.testing.assert_allclose(pixel_size_of(image), 0.3)
    dialog.draw.click()
    viewer.layers[-1].add([[10, 10], [10, 60]], shape_type="line")
    QTest.keyClicks(dialog.length.line, "2 nm")
    QTest.keyClick(dialog.length.line, Qt.Key.Key_Return)
    np.testing.assert_allclose(pixel_size_of(image), 20 / 50, rtol=1e-6)
    assert "from a line" in panel.image_bar.chip.text()


def test_no_button_of_any_dialog_is_pressed_by_return_in_a_field(panel, dialog):
    assert not [button.text() for button in dialog.findChildren(QPushButton) if button.autoDefault() or button.isDefault()]


def test_a_bare_number_has_the_unit_that_stands_beside_it(panel, dialog):
    assert dialog.size.unit.currentText() == "pm"
    QTest.keyClicks(dialog.size.line, "9,77")
    QTest.keyClick(dialog.size.line, Qt.Key.Key_Return)
    np.testing.assert_allclose(pixel_size_of(panel.image), 0.0977)
    dialog.size.line.clear()
    QTest.keyClicks(dialog.size.line, "0.5 nm")
    assert dialog.size.unit.currentText() == "nm"
    dialog.size.line.clear()
    QTest.keyClicks(dialog.size.line, "0.02")
    QTest.keyClick(dialog.size.line, Qt.Key.Key_Return)
    np.testing.assert_allclose(pixel_size_of(panel.image), 0.2)


def test_a_unit_chosen_in_the_list_replaces_the_typed_one(dialog):
    QTest.keyClicks(dialog.size.line, "12 nm")
    dialog.size.unit.setCurrentText("pm")
    dialog.size.unit.activated.emit(dialog.size.unit.currentIndex())
    np.testing.assert_allclose(dialog.size.value(), 0.12)


def test_an_absurd_line_is_refused(viewer, panel, dialog):
    dialog.draw.click()
    viewer.layers[-1].add([[10, 10], [10, 60]], shape_type="line")
    dialog.length.setText("900 mm")
    dialog.apply_line()
    assert pixel_size_of(panel.image) is None
    assert "cannot be meant" in dialog.message.text()


def test_the_dialog_says_how_long_the_line_is(viewer, panel, dialog):
    dialog.draw.click()
    viewer.layers[-1].add([[10, 10], [40, 50]], shape_type="line")
    assert dialog.drawn.text() == "50.0 px"
    dialog.length.setText("2 nm")
    dialog.apply_line()
    assert dialog.drawn.text() == "no line yet"


@pytest.mark.parametrize("size", [(1280, 720), (1000, 600)])
def test_the_dialog_leaves_the_image_free(make_napari_viewer, size):
    from conftest import open_panel

    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    viewer.window._qt_window.resize(*size)
    add_image(viewer, pixel_size=None)
    QApplication.processEvents()
    panel.image_bar.chip.click()
    QApplication.processEvents()
    dialog, canvas = panel.menu._calibration, viewer.window._qt_viewer.canvas.native
    image = QRect(canvas.mapToGlobal(QPoint(0, 0)), canvas.size())
    assert not dialog.frameGeometry().intersects(image)


# -- the same file again -------------------------------------------------------------------------------------------------


def test_a_size_set_by_hand_comes_back_with_the_file_and_is_said(viewer, panel, files, qtbot):
    path = files.of(".png")
    drop(viewer, path)
    panel.image_bar.set_pixel_size((0.3, 0.3), "you")
    qtbot.waitUntil(lambda: not panel.known_files._work, timeout=HANGING)
    viewer.layers.clear()
    copy = path.with_name("copy.png")
    copy.write_bytes(path.read_bytes())
    drop(viewer, copy)
    qtbot.waitUntil(lambda: pixel_size_of(panel.image) is not None, timeout=HANGING)
    np.testing.assert_allclose(pixel_size_of(panel.image), 0.3)
    assert "set by hand" in panel.status.text()
    assert "from you" in panel.image_bar.chip.text()
    panel.follow_link("own_pixel_size")
    qtbot.waitUntil(lambda: not panel.known_files._work, timeout=HANGING)
    assert pixel_size_of(panel.image) is None
    viewer.layers.clear()
    drop(viewer, path)
    qtbot.waitUntil(lambda: not panel.known_files._work, timeout=HANGING)
    assert pixel_size_of(panel.image) is None


def test_another_file_keeps_its_own_size(viewer, panel, files, qtbot):
    drop(viewer, files.tif)
    panel.image_bar.set_pixel_size((0.3, 0.3), "you")
    qtbot.waitUntil(lambda: not panel.known_files._work, timeout=HANGING)
    drop(viewer, files.calibrated("other.tif", lattice(seed=3)))
    qtbot.waitUntil(lambda: not panel.known_files._work, timeout=HANGING)
    np.testing.assert_allclose(pixel_size_of(panel.image), PIXEL_SIZE, rtol=1e-5)
