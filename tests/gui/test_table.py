"""The table beside the image."""

import numpy as np
import pytest
from conftest import add_image
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtWidgets import QApplication

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.results import show_columns


@pytest.fixture
def table(page, found):
    page.show_table()
    return page.table


def shown_rows(table):
    """Rows of the source that are selected in the view."""
    return {table._proxy.mapToSource(index).row() for index in table.view.selectionModel().selectedRows()}


def click_row(table, row):
    """Select one row of the view; a view that was never drawn ignores `selectRow`."""
    flags = QItemSelectionModel.SelectionFlag
    table.view.selectionModel().select(table._proxy.index(row, 0), flags.ClearAndSelect | flags.Rows)


def texts(table, name):
    """A column of the table as it is shown, from the top."""
    names = [table.model.headerData(i, Qt.Orientation.Horizontal) for i in range(table.model.columnCount())]
    return [table._proxy.index(row, names.index(name)).data() for row in range(table._proxy.rowCount())]


def test_points_select_rows(table, found):
    found.layer.selected_data = {2, 5}
    assert shown_rows(table) == {2, 5}
    found.layer.selected_data = set()
    assert shown_rows(table) == set()


def test_rows_select_points_and_centre_the_view(table, found, viewer):
    click_row(table, 7)
    assert set(found.layer.selected_data) == {7}
    world = found.layer.data_to_world(found.layer.data[7])
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], world)


def test_sorting_is_by_number_and_keeps_the_selection_right(table, found):
    names = [table.model.headerData(i, Qt.Orientation.Horizontal) for i in range(table.model.columnCount())]
    table.view.sortByColumn(names.index("intensity"), Qt.SortOrder.DescendingOrder)
    values = np.array(texts(table, "intensity"), float)
    assert (np.diff(values) <= 0).all()
    found.layer.selected_data = {11}
    assert shown_rows(table) == {11}
    click_row(table, 0)
    assert set(found.layer.selected_data) == {int(found.columns.features["intensity"].argmax())}


def test_sorting_survives_an_edit(table, found):
    table.view.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    found.layer.remove([3])
    assert table._proxy.rowCount() == len(found.columns)
    values = np.array(texts(table, "y_px"), float)
    assert (np.diff(values) <= 0).all()


def test_table_follows_edits_undo_and_delete(table, found):
    count = len(found.columns)
    click_row(table, 4)
    found.layer.remove_selected()
    assert table.model.rowCount() == count - 1
    found.undo()
    assert table.model.rowCount() == count


def test_ten_thousand_rows(viewer, page):
    image = add_image(viewer)
    page.show_table()
    rng = np.random.default_rng(0)
    columns = Columns(positions=rng.uniform(0, 159, (10_000, 2)), features=None)
    session, _ = show_columns(viewer, image, columns.with_features(intensity=rng.uniform(size=10_000), origin="classical"))
    page.watch(None)
    page.watch(session)
    QApplication.processEvents()
    assert page.table.model.rowCount() == 10_000
    session.layer.selected_data = set(range(10_000))
    QApplication.processEvents()
    assert len(page.table.view.selectionModel().selectedRows()) == 10_000


def test_many_points_are_selected_at_once(viewer, page):
    image = add_image(viewer)
    page.show_table()
    columns = Columns(positions=np.random.default_rng(0).uniform(0, 159, (2_000, 2)))
    session, _ = show_columns(viewer, image, columns)
    page.watch(session)
    page.table.view.selectAll()
    assert len(session.layer.selected_data) == 2_000


def test_removed_layer_empties_the_table(table, found, viewer):
    viewer.layers.remove(found.layer)
    assert table.model.rowCount() == 0
    assert not table.empty.isHidden()
    assert "No columns yet" in table.empty.text()


def test_table_opens_empty(viewer, page):
    page.show_table()
    assert page.table.model.rowCount() == 0
    add_image(viewer)
    assert page.table.model.rowCount() == 0


def test_all_points_deleted_with_the_table_open(table, found):
    found.layer.selected_data = set(range(len(found.columns)))
    found.layer.remove_selected()
    assert table.model.rowCount() == 0
    found.undo()
    assert table.model.rowCount() == len(found.columns) > 0


def test_closed_table_comes_back(table, page, found, viewer):
    dock = viewer.window.dock_widgets
    assert "Columns table" in dock
    table.parent().close()
    page.show_table()
    assert not page.table.isHidden()
    assert page.table.model.rowCount() == len(found.columns)


def test_table_closed_with_its_cross_comes_back(table, page, found, viewer):
    """The cross in napari's title bar takes the dock away for good."""
    viewer.window.remove_dock_widget(table)
    QApplication.processEvents()
    page.show_table()
    QApplication.processEvents()
    assert "Columns table" in viewer.window.dock_widgets
    assert page.table.model.rowCount() == len(found.columns)
