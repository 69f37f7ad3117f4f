"""The table beside the image."""

import numpy as np
import pytest
from conftest import add_image
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtWidgets import QApplication

from napari_atomseg.core.columns import Columns
from napari_atomseg.gui.docks.table import ColumnsTable
from napari_atomseg.gui.documents.results import show_columns


@pytest.fixture
def table(page, found):
    page.show_table()
    return page._host.dock(ColumnsTable)


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
    page._host.documents.watch(None)
    page._host.documents.watch(session)
    QApplication.processEvents()
    assert page._host.dock(ColumnsTable).model.rowCount() == 10_000
    session.layer.selected_data = set(range(10_000))
    QApplication.processEvents()
    assert len(page._host.dock(ColumnsTable).view.selectionModel().selectedRows()) == 10_000


def test_many_points_are_selected_at_once(viewer, page):
    image = add_image(viewer)
    page.show_table()
    columns = Columns(positions=np.random.default_rng(0).uniform(0, 159, (2_000, 2)))
    session, _ = show_columns(viewer, image, columns)
    page._host.documents.watch(session)
    page._host.dock(ColumnsTable).view.selectAll()
    assert len(session.layer.selected_data) == 2_000


def test_removed_layer_empties_the_table(table, found, viewer):
    viewer.layers.remove(found.layer)
    assert table.model.rowCount() == 0
    assert not table.empty.isHidden()
    assert "No columns yet" in table.empty.text()


def test_table_opens_empty(viewer, page):
    page.show_table()
    assert page._host.dock(ColumnsTable).model.rowCount() == 0
    add_image(viewer)
    assert page._host.dock(ColumnsTable).model.rowCount() == 0


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
    assert not page._host.dock(ColumnsTable).isHidden()
    assert page._host.dock(ColumnsTable).model.rowCount() == len(found.columns)


def test_table_closed_with_its_cross_comes_back(table, page, found, viewer):
    """The cross in napari's title bar takes the dock away for good."""
    viewer.window.remove_dock_widget(table)
    QApplication.processEvents()
    page.show_table()
    QApplication.processEvents()
    assert "Columns table" in viewer.window.dock_widgets
    assert page._host.dock(ColumnsTable).model.rowCount() == len(found.columns)


def test_sorting_asks_no_cell_one_by_one(table, found, monkeypatch):
    monkeypatch.setattr(type(table.model), "data", lambda *_: pytest.fail("a cell was asked for"))
    table.view.setVisible(False)
    table._proxy.sort(0, Qt.SortOrder.DescendingOrder)
    found.layer.remove([3])
    rows = [table._proxy.mapToSource(table._proxy.index(place, 0)).row() for place in range(table._proxy.rowCount())]
    assert (np.diff(found.columns.positions[rows, 0]) <= 0).all()


def test_a_closed_table_costs_nothing_until_it_is_opened(table, page, found, monkeypatch):
    count = len(found.columns)
    table.parent().close()
    found.layer.remove([3])
    assert table.model.rowCount() == count
    page.show_table()
    assert table.model.rowCount() == count - 1


def test_a_table_opened_from_the_menu_catches_up(table, found, viewer):
    viewer.window._qt_window.show()
    table.parent().hide()
    found.layer.remove([3])
    table.parent().show()
    QApplication.processEvents()
    assert table.model.rowCount() == len(found.columns)
    viewer.window._qt_window.hide()


def test_sorting_can_be_taken_back_and_keeps_the_selection(table, found):
    header = table.view.horizontalHeader()
    assert header.isSortIndicatorClearable()
    found.layer.selected_data = {2, 5}
    table.view.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert shown_rows(table) == {2, 5}
    table.view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert shown_rows(table) == {2, 5}
    assert [table._proxy.mapToSource(table._proxy.index(row, 0)).row() for row in range(3)] == [0, 1, 2]


def test_selected_rows_are_copied_with_their_header(table, found):
    table.view.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    found.layer.selected_data = {2, 5}
    table.copy()
    header, *rows = QApplication.clipboard().text().splitlines()
    assert header.split("\t")[:2] == ["y_px", "x_px"]
    heights = [float(row.split("\t")[0]) for row in rows]
    assert sorted(heights) == heights[::-1]
    np.testing.assert_allclose(sorted(heights), sorted(found.columns.positions[[2, 5], 0]), atol=1e-3)


def test_the_table_opens_higher_than_three_rows(table):
    assert table.sizeHint().height() >= 8 * table.view.rowHeight(0)
