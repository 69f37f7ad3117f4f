"""The other docks and the menu: what the file says, diffractogram, export, tables of other programs."""

import numpy as np
import pytest
from conftest import HANGING, PIXEL_SIZE, add_image, drop, lattice, nearest, open_panel, truth
from qtpy.QtWidgets import QApplication, QDialog, QLabel

from napari_atomseg.gui.dialogs import mapping
from napari_atomseg.gui.docks.diffractogram import DiffractogramDock
from napari_atomseg.gui.docks.listed import DOCKS
from napari_atomseg.gui.docks.metadata import MetadataDock
from napari_atomseg.readers.column_mapping import guess_mapping


def entries(tree):
    """Every line of a tree as "entry: value"."""
    found, pending = [], [tree.topLevelItem(row) for row in range(tree.topLevelItemCount())]
    while pending:
        item = pending.pop()
        found.append(f"{item.text(0)}: {item.text(1)}")
        pending += [item.child(row) for row in range(item.childCount())]
    return found


def test_what_the_file_says(viewer, panel, files):
    panel.open_dock(MetadataDock)
    dock = panel.dock(MetadataDock)
    assert entries(dock.tree) == ["No image is open: "]
    drop(viewer, files.of(".hspy"))
    said = entries(dock.tree)
    assert any("160 x 160 px" in line for line in said)
    assert any(line.startswith("pixel size: 20") for line in said)
    panel.image_bar.set_pixel_size((0.5, 0.5), "you")
    assert "pixel size from: you" in entries(dock.tree)
    dock.search.setText("pixel size from")
    visible = [item for item in range(dock.tree.topLevelItemCount()) if not dock.tree.topLevelItem(item).isHidden()]
    assert visible == [0]
    dock.tree.setCurrentItem(dock.tree.topLevelItem(0).child(0))
    dock.copy()
    assert QApplication.clipboard().text()


def test_docks_closed_with_their_cross_come_back(viewer, panel):
    add_image(viewer)
    for kind in (MetadataDock, DiffractogramDock):
        panel.open_dock(kind)
        assert kind.title in viewer.window.dock_widgets
        viewer.window.remove_dock_widget(viewer.window.dock_widgets[kind.title])
        QApplication.processEvents()
        panel.open_dock(kind)
        assert kind.title in viewer.window.dock_widgets


@pytest.fixture
def shown(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    return viewer, open_panel(viewer)


def settled(qtbot, dock):
    qtbot.waitUntil(lambda: dock._result is not None and dock._work is None and not dock._timer.isActive(), timeout=HANGING)


def test_diffractogram_follows_the_view(shown, qtbot):
    viewer, panel = shown
    image = add_image(viewer)
    panel.open_dock(DiffractogramDock)
    dock = panel.dock(DiffractogramDock)
    settled(qtbot, dock)
    whole, spots = dock._result
    assert len(spots.strengths) > 0
    assert "lattice spots" in dock.reading.text()
    viewer.scene.camera.zoom *= 2
    qtbot.waitUntil(lambda: dock._result[0] is not whole, timeout=HANGING)
    settled(qtbot, dock)
    assert dock._result[0].power.size < whole.power.size
    zoomed = dock._result[0]
    dock.parent().hide()
    viewer.scene.camera.zoom /= 2
    qtbot.wait(600)
    assert dock._result[0] is zoomed
    assert dock._work is None
    dock.parent().show()
    qtbot.waitUntil(lambda: dock._result[0] is not zoomed, timeout=HANGING)
    settled(qtbot, dock)
    viewer.layers.remove(image)
    qtbot.waitUntil(lambda: dock._result is None, timeout=HANGING)
    assert viewer.layers.units is None or not viewer.layers


def test_click_on_a_spot_reads_its_spacing(shown, qtbot):
    viewer, panel = shown
    add_image(viewer)
    panel.open_dock(DiffractogramDock)
    dock = panel.dock(DiffractogramDock)
    settled(qtbot, dock)
    spot = dock._result[1].frequencies[0]
    x, y = dock.axes.transData.transform(spot[::-1])
    from matplotlib.backend_bases import MouseEvent

    dock.canvas.callbacks.process("button_press_event", MouseEvent("button_press_event", dock.canvas, x + 3, y - 2, 1))
    np.testing.assert_allclose(dock.chosen, spot)
    assert f"{1 / np.hypot(*spot):.3f} px" in dock.reading.text()
    assert "Å" in dock.reading.text() or "pm" in dock.reading.text()


def test_diffractogram_of_a_blank_image(shown, qtbot):
    viewer, panel = shown
    add_image(viewer, np.full((64, 64), np.nan, np.float32))
    panel.open_dock(DiffractogramDock)
    qtbot.wait(800)
    assert panel.dock(DiffractogramDock)._work is None


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_export_of_the_whole_image(viewer, panel, page, found, files, suffix):
    target = files.folder / f"view{suffix}"
    panel.menu.export_rings(str(target))
    assert target.stat().st_size > 1000
    assert "exported" in panel.status.text()
    viewer.layers.remove(found.layer)
    panel.menu.export_rings(str(target))
    assert "exported" in panel.status.text()


def test_export_of_the_view_is_what_is_seen(shown, files, idle):
    """Zoom, hidden layers and drawings count, which the picture of the whole image knows nothing of."""
    import matplotlib.image

    viewer, panel = shown
    add_image(viewer)
    panel.pages["Columns"].find()
    idle(panel)
    seen = []
    for step in range(3):
        if step == 1:
            panel.documents.session.layer.visible = False
        if step == 2:
            viewer.scene.camera.zoom *= 4
        QApplication.processEvents()
        target = files.folder / f"view{step}.png"
        panel.menu.export_view(str(target))
        seen.append(matplotlib.image.imread(target))
    height, width = viewer.canvas.size
    assert {one.shape[:2] for one in seen} == {(height, width)}
    assert not np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[1], seen[2])


def test_export_of_a_frame_and_of_nothing(viewer, panel, files):
    for export in (panel.menu.export_view, panel.menu.export_rings):
        panel.say("")
        export(str(files.folder / "view.png"))
        assert "Open an image" in panel.status.text()
    add_image(viewer, np.stack([lattice(64), lattice(64)]), "stack", pixel_size=None)
    viewer.dims.set_current_step(0, 1)
    panel.menu.export_rings(str(files.folder / "view.png"))
    assert (files.folder / "view.png").is_file()


def test_export_that_fails_is_a_sentence(viewer, panel, files):
    add_image(viewer)
    (files.folder / "file").write_text("")
    for export in (panel.menu.export_view, panel.menu.export_rings):
        panel.say("")
        export(str(files.folder / "file" / "view.png"))
        assert "exported" not in panel.status.text()
        assert "file" in panel.status.text()


def test_mapping_dialog_shows_the_guess_and_its_changes(qtbot, files):
    path = files.folder / "table.csv"
    path.write_text("a,Y (nm),X (nm)\n1,2.0,3.0\n")
    dialog = mapping.MappingDialog(path, guess_mapping(path))
    qtbot.addWidget(dialog)
    assert (dialog.x.currentText(), dialog.y.currentText(), dialog.unit.currentText()) == ("X (nm)", "Y (nm)", "nanometres")
    assert dialog.value() == guess_mapping(path)
    dialog.x.setCurrentText("a")
    dialog.unit.setCurrentText("pixels")
    dialog.one_based.setChecked(True)
    value = dialog.value()
    assert (value.x, value.unit, value.one_based) == ("a", "px", True)


def answer_mapping(monkeypatch, code):
    monkeypatch.setattr(mapping.MappingDialog, "exec", lambda self: code)


def test_foreign_columns_onto_the_chosen_image(viewer, panel, page, files, monkeypatch):
    answer_mapping(monkeypatch, QDialog.DialogCode.Accepted)
    image = add_image(viewer)
    path = files.folder / "table.txt"
    places = truth()[:, ::-1] * PIXEL_SIZE / 10
    np.savetxt(path, places, header="X (nm),Y (nm)", comments="", delimiter=",")
    panel.menu.open_columns(str(path))
    session = page.session
    assert session.image is image
    assert nearest(session.layer.data, truth()).max() < 0.01
    assert set(session.columns.features["origin"]) == {"imported"}


def test_the_mapping_dialog_says_what_it_guessed(qtbot, files):
    path = files.folder / "table.csv"
    path.write_text("frame,x (pm),y (pm)\n1,2.5,3.5\n")
    dialog = mapping.MappingDialog(path, guess_mapping(path))
    qtbot.addWidget(dialog)
    assert dialog.unit.currentText() == "picometres"
    assert any("taken to be in pm" in label.text() for label in dialog.findChildren(QLabel))
    assert dialog.value().notes
    dialog.unit.setCurrentText("micrometres")
    assert (dialog.value().unit, dialog.value().notes) == ("um", ())


def test_columns_in_another_unit_than_pixels_are_doubted(viewer, panel, page, files, monkeypatch):
    answer_mapping(monkeypatch, QDialog.DialogCode.Accepted)
    add_image(viewer)
    path = files.folder / "table.txt"
    np.savetxt(path, truth()[:, ::-1] * PIXEL_SIZE * 100, header="X,Y", comments="", delimiter=",")
    panel.menu.open_columns(str(path))
    said = panel.status.text()
    assert "most positions are outside the image" in said
    assert "they would fill it if they are in pm; open it again" in said


def test_foreign_columns_given_up_or_broken(viewer, panel, page, files, monkeypatch):
    answer_mapping(monkeypatch, QDialog.DialogCode.Rejected)
    add_image(viewer)
    path = files.folder / "table.txt"
    path.write_text("x,y\n1,2\n")
    panel.menu.open_columns(str(path))
    path.write_text("nothing of use")
    panel.menu.open_columns(str(path))
    assert "table.txt" in panel.status.text()
    panel.menu.open_columns(str(files.folder / "not there.csv"))
    assert "not there.csv" in panel.status.text()
    assert page.session is None


def test_tools_without_an_image(viewer, panel):
    for kind in DOCKS:
        panel.open_dock(kind)
    for action in (panel.menu.carry_over, panel.menu.calibration):
        action()
    panel.pages["Columns"].draw_region()
    panel.pages["Columns"].find()
    panel.pages["Columns"].refine()
    panel.pages["Columns"].save()
    panel.pages["Columns"].next_flagged()
    assert not viewer.layers
