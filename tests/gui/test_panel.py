"""The panel as such: what it says, how it fits, what it remembers."""

import numpy as np
import pytest
from conftest import HANGING, add_image, lattice, open_panel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QPushButton, QWidget

from napari_atomseg.gui import settings
from napari_atomseg.gui.docks.diffractogram import DiffractogramDock
from napari_atomseg.gui.docks.metadata import MetadataDock
from napari_atomseg.gui.shell.page_switcher import Pages
from napari_atomseg.gui.widgets.forms import ResetLabel
from napari_atomseg.specimens.library import crystal


@pytest.fixture
def shown(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    return viewer, open_panel(viewer)


def test_empty_panel_says_what_to_do(panel):
    assert "Drop a micrograph" in panel.status.text()
    assert panel.image_bar.chooser.placeholderText() == "no image"


def test_disabled_buttons_say_why(viewer, panel, page):
    buttons = [panel.run_button, page.refine_button, page.undo_button, page.redo_button, page.save_button, page.draw]
    before = {button: button.toolTip() for button in buttons}
    for button in buttons:
        assert not button.isEnabled(), button.text()
        assert button.toolTip()
    add_image(viewer)
    assert panel.run_button.isEnabled()
    assert page.draw.isEnabled()
    assert panel.run_button.toolTip() != before[panel.run_button]


def test_every_control_has_a_tooltip(panel):
    for kind in (QAbstractButton, QComboBox):
        for control in panel.findChildren(kind):
            if control.objectName() and not control.objectName().startswith(("qt_", "Scroll")):
                assert control.toolTip(), control.objectName()


@pytest.mark.parametrize("size", [(1280, 720), (1000, 600)])
def test_run_button_stays_in_a_low_window(shown, idle, size):
    viewer, panel = shown
    add_image(viewer, name="x" * 300)
    panel.pages["Columns"].find()
    idle(panel)
    panel.pages["Columns"].show_table()
    panel.pages["Columns"].expert.expand(animate=False)
    viewer.window._qt_window.resize(*size)
    QApplication.processEvents()
    window = viewer.window._qt_window
    assert window.height() <= size[1]
    assert window.width() <= size[0]
    for widget in (panel.run_button, panel.cancel_button, panel.status):
        bottom = widget.mapTo(window, QPoint(widget.width(), widget.height()))
        assert bottom.y() <= window.height()
        assert bottom.x() <= window.width()


def test_long_names_neither_widen_nor_vanish(shown):
    viewer, panel = shown
    add_image(viewer, name="short")
    width = panel.minimumSizeHint().width()
    name = "a very long name of a series of images " * 8
    add_image(viewer, name=name)
    QApplication.processEvents()
    assert panel.minimumSizeHint().width() <= width + 5
    assert panel.image_bar.chooser.itemData(1, 3) == name.strip() or name.startswith(panel.image_bar.chooser.itemData(1, 3))


def test_settings_are_remembered_in_a_new_panel(make_napari_viewer):
    first = open_panel(make_napari_viewer())
    page = first.pages["Columns"]
    page.more.set_value(page.more.value().__class__(column_sigma=3.5, contrast=0.4))
    page.more.value_changed.emit()
    page.first._editors["polarity"].widget.setCurrentIndex(1)
    page.snaps.setChecked(False)
    chosen = page.params()
    assert chosen.column_sigma == 3.5
    second = open_panel(make_napari_viewer()).pages["Columns"]
    assert second.params() == chosen
    assert not second.snaps.isChecked()


def test_damaged_settings_give_defaults(viewer):
    settings.remember("params/ClassicalParams", {"polarity": "sideways", "unknown": 3})
    settings.remember("params/RefineParams", [1, 2])
    settings._store().setValue("snap", "{broken")
    page = open_panel(viewer).pages["Columns"]
    assert page.params() == type(page.params())()
    assert page.snaps.isChecked()


def test_double_click_on_a_label_resets(panel, qtbot):
    page = panel.pages["Columns"]
    page.more.set_value(type(page.more.value())(contrast=0.4))
    label = next(label for label in page.more.findChildren(ResetLabel) if label.name == "Contrast")
    qtbot.mouseDClick(label, Qt.MouseButton.LeftButton)
    assert page.more.value() == type(page.more.value())()


def test_parameters_reach_the_job(viewer, page, panel, idle):
    add_image(viewer)
    page.more.set_value(type(page.more.value())(border=20))
    page.find()
    idle(panel)
    data = page.session.layer.data
    near = (data < 20).any(axis=1) | (data > 159 - 20).any(axis=1)
    assert ((page.session.layer.features["fit"] == "border") == near).all()
    assert page.session.columns.provenance["parameters"]["border"] == 20


def test_chooser_follows_layers(viewer, panel):
    first = add_image(viewer, name="first")
    add_image(viewer, lattice(64), "second")
    viewer.add_labels(np.zeros((8, 8), int), name="labels")
    viewer.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="colours")
    chooser = panel.image_bar.chooser
    assert [chooser.itemText(row) for row in range(chooser.count())] == ["first", "second"]
    assert chooser.currentText() == "second"
    chooser.activated.emit(0)
    assert panel.image is first
    first.name = "renamed"
    assert chooser.currentText() == "renamed"
    viewer.layers.move(0, 4)
    assert chooser.currentText() == "renamed"
    viewer.layers.remove(first)
    assert panel.image.name == "second"
    viewer.layers.clear()
    assert panel.image is None
    assert not panel.run_button.isEnabled()


def test_two_images_of_one_name(viewer, panel, page, idle):
    add_image(viewer, name="same")
    second = add_image(viewer, lattice(seed=4), "same")
    page.find()
    idle(panel)
    assert page.session.image is second


def test_links_in_the_foot_work(viewer, panel, page, found, idle):
    for link in ("refine", "table", "flagged"):
        assert panel.status.openExternalLinks() is False
        panel.status.linkActivated.emit(link)
        idle(panel)
    assert np.isfinite(found.layer.features["y_std_px"]).all()


def test_buttons_are_where_the_design_wants_them(panel, page):
    names = [panel.pages.name(row) for row in range(panel.pages.count())]
    assert names == ["Columns", "Networks", "Restore", "Simulate", "Compare", "Measure", "Series", "Train"]
    assert not page.expert.isExpanded()
    assert {button.text() for button in panel.findChildren(QPushButton)} >= {"Find columns", "Cancel", "Refine", "Undo", "Redo"}


def test_viewer_closes_clean_with_everything_open(make_napari_viewer, idle):
    viewer = make_napari_viewer()
    panel = open_panel(viewer)
    add_image(viewer)
    panel.pages["Columns"].find()
    idle(panel)
    panel.pages["Columns"].show_table()
    panel.open_dock(MetadataDock)
    panel.open_dock(DiffractogramDock)
    panel.menu.calibration()
    QApplication.processEvents()


# -- room for the image --------------------------------------------------------------------------------------------------

EIGHT = ("Columns", "Networks", "Restore", "Simulate", "Compare", "Measure", "Series", "Train")


def test_eight_pages_fit_into_the_panel_with_their_whole_names(shown):
    """Tabs of 340 px hid the last pages behind arrows."""
    _, panel = shown
    pages = Pages(panel)
    for name in EIGHT:
        pages.add(QLabel(name), name, "A page.")
    pages.resize(320, 200)
    pages.show()
    QApplication.processEvents()
    buttons = [pages.findChild(QPushButton, f"page_{name}") for name in EIGHT]
    for button in buttons:
        assert button.isVisible()
        assert button.fontMetrics().horizontalAdvance(button.text()) + 8 <= button.width(), button.text()
        assert pages.rect().contains(button.geometry())
    assert len({(button.x(), button.y()) for button in buttons}) == 8


def test_the_page_buttons_turn_the_pages(shown, qtbot):
    _, panel = shown
    for row in range(panel.pages.count()):
        button = panel.findChild(QPushButton, f"page_{panel.pages.name(row)}")
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert panel.pages.currentIndex() == row
        assert [one.isChecked() for one in panel.pages._buttons.buttons()].index(True) == row


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("size", "room"), [((1280, 720), 560), ((1000, 600), 290)])
def test_every_page_is_340_px_wide_and_leaves_the_image_room(shown, theme, size, room):
    viewer, panel = shown
    viewer.theme = theme
    add_image(viewer)
    window = viewer.window._qt_window
    window.resize(*size)
    for row in range(panel.pages.count()):
        panel.pages.setCurrentIndex(row)
        QApplication.processEvents()
        assert panel.width() == 340
        assert viewer.canvas.size[1] >= room
        assert (window.width(), window.height()) == size
        page = panel.page
        inside = page.parentWidget().width()
        wide = [
            one for one in page.findChildren(QWidget) if one.isVisible() and one.mapTo(page, one.rect().topRight()).x() > inside
        ]
        assert not wide, [(type(one).__name__, one.objectName()) for one in wide]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_what_is_needed_each_time_is_in_view_in_a_low_window(shown, theme, idle):
    viewer, panel = shown
    viewer.theme = theme
    add_image(viewer)
    viewer.window._qt_window.resize(1000, 600)
    panel.pages["Columns"].find()
    idle(panel)
    panel.pages["Simulate"].structure.add(crystal("SrTiO3"))
    idle(panel)
    columns, simulate, train = panel.pages["Columns"], panel.pages["Simulate"], panel.pages["Train"]
    needed = {
        columns: (columns.finder, columns.colour, columns.refine_button, columns.undo_button, columns.save_button),
        simulate: (simulate.structure.list, simulate.structure.zone, simulate.method, simulate.as_image),
        train: (train.crystal, train.file, train.zone, train.start_from, train.minutes, train.name),
    }
    for row in range(panel.pages.count()):
        panel.pages.setCurrentIndex(row)
        QApplication.processEvents()
        for widget in needed.get(panel.page, ()):
            cut_off = widget.visibleRegion().boundingRect().size() != widget.size()
            assert not cut_off, f"{panel.pages.name(row)}: {widget.objectName()}"


def test_width_page_and_folds_come_back(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    window = viewer.window._qt_window
    window.resize(1280, 720)
    QApplication.processEvents()
    window.resizeDocks([panel.parentWidget()], [420], Qt.Orientation.Horizontal)
    panel.pages["Columns"].expert.expand(animate=False)
    panel.pages.turn_to_title("Simulate")
    qtbot.waitUntil(lambda: settings.recall("panel_width") == 420, timeout=HANGING)
    again = make_napari_viewer(show=True)
    next_panel = open_panel(again)
    again.window._qt_window.resize(1280, 720)
    QApplication.processEvents()
    assert next_panel.parentWidget().width() == 420
    assert next_panel.page.title == "Simulate"
    assert next_panel.pages["Columns"].expert.isExpanded()


def test_a_page_that_is_chosen_while_the_window_opens_stays(make_napari_viewer):
    settings.remember("page", "Simulate")
    _, panel = make_napari_viewer(show=True).window.add_plugin_dock_widget("napari-atomseg", "AtomSeg")
    panel.pages.turn_to_title("Measure")
    QApplication.processEvents()
    assert panel.page.title == "Measure"


def test_a_damaged_layout_gives_the_usual_one(make_napari_viewer):
    for key, value in (("panel_width", "wide"), ("page", [1]), ("unfolded", 3)):
        settings.remember(key, value)
    panel = open_panel(make_napari_viewer(show=True))
    assert panel.width() == 340
    assert panel.page.title == "Columns"


def test_an_image_opened_before_the_window_grows_is_fitted_again(shown):
    viewer, _ = shown
    window = viewer.window._qt_window
    window.resize(1000, 600)
    QApplication.processEvents()
    add_image(viewer)
    QApplication.processEvents()
    small = viewer.scene.camera.zoom
    window.resize(1380, 850)
    QApplication.processEvents()
    assert viewer.scene.camera.zoom > small
    mine = viewer.scene.camera.zoom * 3
    viewer.scene.camera.zoom = mine
    window.resize(1000, 600)
    QApplication.processEvents()
    assert viewer.scene.camera.zoom == pytest.approx(mine)
