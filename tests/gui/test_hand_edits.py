"""Edits with napari's own tools: honest features, undo and redo back to the last bit, flags, colours."""

import numpy as np
import pandas as pd
import pytest
from conftest import HANGING, add_image, same, snapshot, truth
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

UNKNOWN = ["y_std_px", "x_std_px", "intensity", "background", "sigma_px", "confidence"]


def hold_alt(monkeypatch):
    monkeypatch.setattr(QApplication, "keyboardModifiers", staticmethod(lambda: Qt.KeyboardModifier.AltModifier))


def remove_near(session, position):
    row = int(np.argmin(np.hypot(*(session.layer.data - position).T)))
    session.layer.selected_data = {row}
    session.layer.remove_selected()


def test_added_point_snaps_and_forgets(found):
    remove_near(found, truth()[30])
    found.layer.selected_data = {3}
    found.layer.add(truth()[30] + (1.5, 1))
    last = found.columns.features.iloc[-1]
    assert last["origin"] == "snapped"
    assert np.hypot(*(found.layer.data[-1] - truth()[30])) < 0.5
    assert last[UNKNOWN].isna().all()
    assert last["fit"] == "none"


def test_alt_keeps_the_exact_place(found, monkeypatch):
    remove_near(found, truth()[30])
    hold_alt(monkeypatch)
    place = truth()[30] + (2, 1)
    found.layer.add(place)
    np.testing.assert_array_equal(found.layer.data[-1], place)
    assert found.columns.features["origin"].iloc[-1] == "manual"


def test_snap_can_be_switched_off(found, page):
    page.snaps.setChecked(False)
    place = np.array([25.25, 31.5])
    found.layer.add(place)
    np.testing.assert_array_equal(found.layer.data[-1], place)
    assert found.columns.features["origin"].iloc[-1] == "manual"


def test_click_on_the_canvas_adds_a_snapped_point(make_napari_viewer, qtbot, idle):
    from conftest import open_panel
    from vispy.app.canvas import MouseEvent

    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    add_image(viewer)
    panel.pages["Columns"].find()
    idle(panel)
    session = panel.documents.session
    remove_near(session, truth()[30])
    viewer.layers.selection.active = session.layer
    session.layer.mode = "add"
    viewer.reset_view()
    QApplication.processEvents()
    canvas = viewer.window._qt_viewer.canvas
    place = truth()[30] + (1, 1)
    world = np.array(session.layer.data_to_world(place))
    centre = np.array(viewer.scene.camera.center[-2:])
    height, width = viewer.canvas.size
    y, x = (world - centre) * viewer.scene.camera.zoom + (height / 2, width / 2)
    for kind in ("mouse_press", "mouse_release"):
        native = canvas._scene_canvas.events
        getattr(native, kind)(MouseEvent(type=kind, pos=(int(x), int(y)), button=1, modifiers=(), buttons=[1]))
    assert len(session.columns) == len(truth())
    assert session.columns.features["origin"].iloc[-1] == "snapped"
    assert np.hypot(*(session.layer.data[-1] - truth()[30])) < 0.5


def test_undo_and_redo_bring_everything_back(found, page, panel, idle, monkeypatch):
    layer = found.layer
    states = [snapshot(layer)]

    def note():
        states.append(snapshot(layer))

    remove_near(found, truth()[30])
    note()
    layer.add(truth()[30] + (1.5, 1))
    note()
    hold_alt(monkeypatch)
    layer.add([50.5, 60.25])
    note()
    move(layer, 5, (0.75, -0.5))
    note()
    layer.selected_data = {1, 2, 9}
    layer.remove_selected()
    note()
    page.refine()
    idle(panel)
    note()
    for state in states[-2::-1]:
        page.undo_button.click()
        assert same(snapshot(layer), state)
    assert not page.undo_button.isEnabled()
    assert not found.unsaved
    for state in states[1:]:
        page.redo_button.click()
        assert same(snapshot(layer), state)
    assert not page.redo_button.isEnabled()


def move(layer, row, shift):
    """What napari's select tool does at the end of a drag."""
    layer.selected_data = {row}
    layer.mode = "select"
    start = layer.data[row].copy()
    layer._move({row}, start)
    layer._move({row}, start + shift)
    layer.events.data(
        value=layer.data, action="changed", data_indices=(row,), vertex_indices=((),)
    )  # as _points_mouse_bindings does on release
    layer._drag_start = None


def test_moved_point_is_manual(found):
    move(found.layer, 5, (1, 1))
    last = found.columns.features.iloc[5]
    assert last["origin"] == "manual"
    assert last[UNKNOWN].isna().all()
    assert (found.columns.features["origin"].drop(5) == "classical").all()


def test_keys_undo_and_redo(found, viewer, qtbot):
    found.layer.remove([0])
    count = len(found.columns)
    viewer.layers.selection.active = found.layer
    canvas = viewer.window._qt_viewer.canvas.native
    modifier = Qt.KeyboardModifier
    qtbot.keyClick(canvas, Qt.Key.Key_Z, modifier.ControlModifier)
    assert len(found.columns) == count + 1
    qtbot.keyClick(canvas, Qt.Key.Key_Z, modifier.ControlModifier | modifier.ShiftModifier)
    assert len(found.columns) == count


def test_deleted_positions_are_remembered_and_undone(found):
    gone = found.layer.data[[2, 7]].copy()
    found.layer.selected_data = {2, 7}
    found.layer.remove_selected()
    np.testing.assert_allclose(found.deleted, gone, atol=1e-3)
    np.testing.assert_allclose(found.columns.provenance["deleted_px"], gone, atol=1e-3)
    found.undo()
    assert len(found.deleted) == 0
    assert not found.edited


@pytest.mark.parametrize("selected", [set(), {4}, {1, 2, 3}])
def test_hand_added_points_inherit_nothing(found, selected, monkeypatch):
    hold_alt(monkeypatch)
    found.layer.selected_data = selected
    found.layer.add([[12.5, 20.5], [33.5, 40.5]])
    rows = found.columns.features.iloc[-2:]
    assert rows[UNKNOWN].isna().all(axis=None)
    assert set(rows["origin"]) == {"manual"}
    assert found.layer.features.iloc[-2:][UNKNOWN].isna().all(axis=None)


def test_pasted_points_inherit_nothing(found, qtbot, monkeypatch):
    hold_alt(monkeypatch)
    found.layer.selected_data = {4, 5}
    found.layer._copy_data()
    found.layer._paste_data()
    qtbot.waitUntil(lambda: len(found.columns) == len(truth()) + 2, timeout=HANGING)
    rows = found.columns.features.iloc[-2:]
    assert rows[UNKNOWN].isna().all(axis=None)
    found.undo()
    assert len(found.layer.data) == len(truth())


def test_edit_during_refine_is_kept(found, page, panel, idle):
    page.refine()
    assert panel.busy
    found.layer.remove([0])
    edited = found.layer.data.copy()
    idle(panel)
    np.testing.assert_array_equal(found.layer.data, edited)
    assert "edits were kept" in panel.status.text()


def test_refine_keeps_manual_origin(found, page, panel, idle, monkeypatch):
    remove_near(found, truth()[30])
    hold_alt(monkeypatch)
    found.layer.add(truth()[30] + (0.4, 0.3))
    page.refine()
    idle(panel)
    assert found.columns.features["origin"].iloc[-1] == "manual"
    assert found.columns.features["fit"].iloc[-1] == "ok"


def test_hand_made_rings_look_different(found, monkeypatch):
    hold_alt(monkeypatch)
    found.layer.add([50.5, 60.25])
    symbols = [str(getattr(one, "value", one)) for one in found.layer.symbol]
    assert symbols[-1] == "square"
    assert set(symbols[:-1]) == {"disc"}
    assert not np.allclose(found.layer.border_color[-1], found.layer.border_color[0])


def test_colour_by_feature(found, page):
    page.colour.setCurrentText("intensity")
    page.colour.activated.emit(page.colour.currentIndex())
    values = found.columns.features["intensity"].to_numpy()
    assert len(np.unique(found.layer.border_color, axis=0)) > 5
    assert not np.allclose(found.layer.border_color[values.argmin()], found.layer.border_color[values.argmax()])
    page.colour.setCurrentText("origin")
    page.colour.activated.emit(page.colour.currentIndex())
    assert len(np.unique(found.layer.border_color, axis=0)) == 1


@pytest.mark.parametrize("values", [np.nan, 1.0])
def test_colour_by_a_feature_that_says_nothing(found, page, values):
    found.apply(found.columns.with_features(confidence=values))
    page.colour.setCurrentText("confidence")
    page.colour.activated.emit(page.colour.currentIndex())
    assert len(np.unique(found.layer.border_color, axis=0)) == 1


def flag(session, rows):
    fit = np.array(["ok"] * len(session.columns), dtype=object)
    fit[list(rows)] = "failed"
    session.apply(session.columns.with_features(fit=fit))


def test_flagged_columns_are_stepped_through(found, viewer, page):
    flag(found, {3, 50})
    viewer.layers.selection.active = found.layer
    seen = []
    for _ in range(3):
        page.next_flagged()
        seen.append(set(found.layer.selected_data))
    assert seen == [{3}, {50}, {3}]
    world = found.layer.data_to_world(found.layer.data[3])
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], world, atol=1e-6)


def test_keys_step_through_flagged_columns_and_centre(found, viewer, qtbot):
    flag(found, {3, 50})
    viewer.layers.selection.active = found.layer
    canvas = viewer.window._qt_viewer.canvas.native
    for key, row in ((Qt.KeyboardModifier.NoModifier, 3), (Qt.KeyboardModifier.ShiftModifier, 50)):
        qtbot.keyClick(canvas, Qt.Key.Key_N, key)
        assert set(found.layer.selected_data) == {row}
        world = found.layer.data_to_world(found.layer.data[row])
        np.testing.assert_allclose(viewer.scene.camera.center[-2:], world, atol=1e-6)


def test_stepping_without_flags_does_nothing(found, page):
    page.next_flagged()
    assert not found.layer.selected_data


def test_every_point_deleted_and_undone(found, page):
    before = snapshot(found.layer)
    found.layer.selected_data = set(range(len(found.layer.data)))
    found.layer.remove_selected()
    assert len(found.columns) == 0
    assert not page.save_button.isEnabled()
    found.undo()
    assert same(snapshot(found.layer), before)


def test_added_to_an_emptied_layer(found, monkeypatch):
    hold_alt(monkeypatch)
    found.layer.selected_data = set(range(len(found.layer.data)))
    found.layer.remove_selected()
    found.layer.add([20.5, 20.5])
    assert list(found.columns.features["origin"]) == ["manual"]
    assert isinstance(found.layer.features, pd.DataFrame)


def test_layer_can_be_renamed(found, viewer, page, files):
    found.layer.name = "mine"
    viewer.layers["lattice"].name = "other name"
    assert page._host.image_bar.chooser.currentText() == "other name"
    assert page.save(str(files.folder / "renamed.csv"))


def test_points_with_nan_are_survived(found, page, panel, idle):
    positions = found.columns.positions.copy()
    positions[3] = np.nan
    from dataclasses import replace

    found.apply(replace(found.columns, positions=positions))
    page.show_table()
    page.refine()
    idle(panel)
    assert "unforeseen" not in panel.status.text()


# -- a column that is there already --------------------------------------------------------------------------------------


def test_a_point_on_an_existing_column_is_not_added_and_said(found, panel, qtbot):
    before = found.columns
    found.layer.add(truth()[30] + (1.5, 1))
    qtbot.waitUntil(lambda: len(found.columns) == len(before), timeout=HANGING)
    assert found.columns is before
    assert len(found.layer.data) == len(before)
    assert not found.can_undo
    assert "there already" in panel.status.text()


def test_alt_adds_it_all_the_same(found, panel, monkeypatch):
    hold_alt(monkeypatch)
    found.layer.add(truth()[30] + (1.5, 1))
    QApplication.processEvents()
    assert len(found.columns) == len(truth()) + 1


def test_of_several_points_only_those_on_columns_are_left_out(found, page, qtbot):
    remove_near(found, truth()[30])
    page.snaps.setChecked(False)
    found.layer.add([truth()[30], truth()[31] + (1, 0)])
    qtbot.waitUntil(lambda: len(found.columns) == len(truth()), timeout=HANGING)
    np.testing.assert_allclose(found.columns.positions[-1], truth()[30])


# -- the foot speaks of what is there ------------------------------------------------------------------------------------


def test_the_foot_follows_every_edit(viewer, found, page, panel, monkeypatch):
    count = len(found.columns)
    found.layer.remove([0])
    assert f"{count - 1:,} columns, edited and not saved" in panel.status.text()
    page.undo_button.click()
    assert f"{count:,} columns. " in panel.status.text()
    page.redo_button.click()
    assert f"{count - 1:,} columns, edited" in panel.status.text()
    viewer.layers.remove(found.layer)
    assert panel.status.text() == ""


def test_the_foot_keeps_no_flagged_ones_of_before(found, page, panel, idle):
    page.refine()
    idle(panel)
    fit = found.columns.features["fit"].to_numpy(dtype=object, copy=True)
    fit[3] = "failed"
    found.apply(found.columns.with_features(fit=fit))
    panel.say('1 flagged (<a href="flagged">show next</a>)')
    found.layer.remove([3])
    assert "flagged" not in panel.status.text()
