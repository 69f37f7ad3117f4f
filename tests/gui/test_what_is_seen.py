"""What a user sees of what arrives, is selected, coloured, refused or running."""

import numpy as np
import pytest
from conftest import PIXEL_SIZE, add_image, drop, lattice, micrograph, open_panel
from napari.layers import Image
from napari.utils.progress import progress
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QScrollBar,
    QTreeWidget,
)

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.gui import contributions
from napari_atomseg.gui.docks.lattice import LatticeDock, pixel_size_of_basis
from napari_atomseg.gui.docks.listed import DOCKS
from napari_atomseg.gui.docks.table import ColumnsTable
from napari_atomseg.gui.documents.results import show_columns
from napari_atomseg.gui.jobs.time_left import TimeLeft
from napari_atomseg.gui.layers.conversion import KEY, pixel_size_of
from napari_atomseg.gui.pages.networks.mask_labels import labelled
from napari_atomseg.gui.shell.keys import KEYS
from napari_atomseg.gui.shell.ring_fading import LEAST
from napari_atomseg.gui.widgets.link_label import LINKS


def settle():
    for _ in range(5):
        QApplication.processEvents()


def seen(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


def columns_on(viewer, panel, image, count=25, **features):
    """Columns with some features, as a document of an image."""
    side = int(np.sqrt(count))
    places = np.stack(np.meshgrid(*[10 + 14.0 * np.arange(side)] * 2, indexing="ij"), -1).reshape(-1, 2)
    columns = Columns(positions=places, pixel_size=pixel_size_of(image), image_shape=image.data.shape)
    columns = columns.with_features(origin="classical", fit="ok", **features)
    session, _ = show_columns(viewer, image, columns)
    panel.documents.watch(session)
    return session


# -- images that arrive ------------------------------------------------------------------------------------------------


def test_a_new_image_is_seen_whole_and_puts_the_earlier_ones_away(viewer, panel):
    first = add_image(viewer, lattice(96), "first")
    session = columns_on(viewer, panel, first)
    viewer.scene.camera.zoom *= 7
    second = add_image(viewer, lattice(64, seed=3), "second", (0.1, 0.1))
    settle()
    assert seen(viewer) == {"second"}
    height, width = viewer.canvas.size
    shown = np.array([height, width]) / viewer.scene.camera.zoom
    assert (shown < 3 * np.array(second.data.shape) * second.scale[-1]).any()
    # The list above brings the first one back with what was found in it.
    panel.image_bar.chooser.activated.emit(0)
    assert panel.image is first
    assert seen(viewer) == {"first", session.layer.name}


def test_of_several_detectors_the_haadf_lies_on_top(tmp_path, monkeypatch):
    from dataclasses import replace

    made = [replace(micrograph(name=name), modality=name) for name in ("bf", "haadf", "abf")]
    monkeypatch.setattr("napari_atomseg.workflows.read", lambda path: made)
    layers = contributions._image_layers(tmp_path / "scan.emd")
    assert [options["name"] for _, options, _ in layers] == ["abf", "bf", "haadf"]


def test_an_image_without_a_pixel_size_is_no_dot_beside_a_calibrated_one(viewer, panel):
    bare = add_image(viewer, lattice(64), "bare", None)
    assert tuple(bare.scale) == (1, 1)
    calibrated = add_image(viewer, lattice(96), "calibrated")
    width = calibrated.data.shape[-1] * calibrated.scale[-1]
    assert bare.data.shape[-1] * bare.scale[-1] == pytest.approx(width)
    assert pixel_size_of(bare) is None
    # A pixel size that is given and taken away again leaves it as it was.
    panel.image_bar.choose(bare)
    panel.image_bar.set_pixel_size((0.3, 0.3), "you")
    panel.image_bar.set_pixel_size(None, "")
    assert bare.data.shape[-1] * bare.scale[-1] == pytest.approx(width)
    viewer.layers.remove(calibrated)
    assert tuple(bare.scale) == (1, 1)


def test_the_warning_of_units_comes_once_and_others_as_often_as_they_are_given():
    from napari_atomseg.gui.shell.unit_warning import _Once

    said = []
    warn = _Once(said.append)
    for message in ("Inconsistent units across layers", "another", "Inconsistent units across layers", "another"):
        warn(message)
    assert said == ["Inconsistent units across layers", "another", "another"]


def test_what_was_assumed_of_an_image_is_said(viewer, panel):
    from dataclasses import replace

    from napari_atomseg.gui.layers.conversion import image_layer_data

    noted = replace(micrograph(name="photo"), notes=("a colour picture, turned into its luminance",))
    data, options, _ = image_layer_data(noted)
    viewer.add_image(data, **options)
    assert "photo: a colour picture, turned into its luminance." in panel.status.text()


def test_what_the_panel_cannot_work_on_is_named_with_its_dimensions(viewer, panel):
    viewer.add_image(np.zeros((2, 3, 8, 8)), name="scan")
    assert "scan has 4 dimensions (2 x 3 x 8 x 8)" in panel.status.text()
    viewer.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="photo")
    assert "photo is shown in colours" in panel.status.text()


def test_a_file_error_stands_in_the_foot_in_full(viewer, panel, tmp_path, notices):
    path = tmp_path / "broken.dm4"
    path.write_bytes(b"nothing")
    drop(viewer, path)
    assert notices()[-1] in panel.status.text().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_a_dropped_folder_gets_a_sentence(viewer, panel, tmp_path):
    (tmp_path / "run 3").mkdir()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "run 3"))])
    button, key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entered = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, button, key)
    QApplication.sendEvent(viewer.window._qt_viewer, entered)
    dropped = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, button, key)
    QApplication.sendEvent(viewer.window._qt_viewer, dropped)
    assert "run 3 is a folder" in panel.status.text()
    assert not viewer.layers


def test_without_the_panel_one_sentence_says_once_where_it_is(viewer, files, notices):
    drop(viewer, files.of(".mrc"))
    drop(viewer, files.of(".mrc", stem="second"))
    assert sum("Plugins > AtomSeg" in said for said in notices()) == 1


def test_a_dropped_structure_opens_the_panel(viewer, tmp_path):
    from napari_atomseg.gui.foot import has_panel
    from napari_atomseg.specimens.library import crystal

    path = tmp_path / "sto.cif"
    crystal("SrTiO3").write(path)
    assert not has_panel(viewer)
    drop(viewer, path)
    assert has_panel(viewer)


# -- columns -----------------------------------------------------------------------------------------------------------


def test_selected_columns_are_filled_and_counted(viewer, panel, page):
    session = columns_on(viewer, panel, add_image(viewer))
    session.layer.selected_data = {2, 3, 7}
    settle()
    assert page.selected.text() == "3 of 25 selected"
    filled = session.layer.face_color[:, 3] > 0
    assert set(np.flatnonzero(filled)) == {2, 3, 7}
    session.layer.selected_data = set()
    settle()
    assert page.selected.text() == ""
    assert not (session.layer.face_color[:, 3] > 0).any()


def test_the_colour_bar_and_the_box_say_what_is_drawn(viewer, panel, page):
    image = add_image(viewer)
    first = columns_on(viewer, panel, image, sigma_px=np.linspace(2, 3, 25))
    assert not page.colour.bar.isVisibleTo(page)
    page.colour.setCurrentText("sigma_px")
    page.colour.activated.emit(page.colour.currentIndex())
    bar = page.colour.bar
    assert bar.isVisibleTo(page)
    assert bar.title == "sigma, px"
    assert (bar.low, bar.high) == (pytest.approx(2.01, abs=0.01), pytest.approx(2.99, abs=0.01))
    assert not bar.grab().isNull()
    columns_on(viewer, panel, add_image(viewer, name="other"))
    assert page.colour.currentText() == "kind"
    assert not bar.isVisibleTo(page)
    page._host.documents.watch(first)
    assert page.colour.currentText() == "sigma_px"
    page._host.documents.coloured.emit("distance from the site", "px", (0.0, 1.0))
    assert page.colour.currentIndex() == -1
    assert bar.title == "distance from the site, px"


def test_rings_become_faint_when_the_view_is_zoomed_out(viewer, panel):
    session = columns_on(viewer, panel, add_image(viewer))
    layer, fading = session.layer, panel._fading
    viewer.scene.camera.zoom = 100 / layer.scale[-1]
    fading.fade()
    assert layer.opacity == 1.0
    viewer.scene.camera.zoom = 0.1 / layer.scale[-1]
    fading.fade()
    assert layer.opacity == LEAST
    layer.opacity = 0.8  # by a hand
    viewer.scene.camera.zoom = 100 / layer.scale[-1]
    fading.fade()
    assert layer.opacity == 0.8


def test_ctrl_z_works_whichever_layer_is_active(viewer, panel):
    session = columns_on(viewer, panel, add_image(viewer))
    session.layer.remove([0])
    viewer.layers.selection.active = viewer.layers["lattice"]
    bound = {str(key): action for key, action in viewer.keymap.items()}
    bound["Ctrl+Z"](viewer)
    assert len(session.columns) == 25
    bound["Ctrl+Shift+Z"](viewer)
    assert len(session.columns) == 24


def test_a_known_basis_vector_calibrates_the_image(viewer, panel):
    assert pixel_size_of_basis(np.array([3.0, 4.0]), 1.0, None) == (pytest.approx(0.2), pytest.approx(0.2))
    y, x = pixel_size_of_basis(np.array([0.0, 10.0]), 4.0, (0.2, 0.1))
    assert x == pytest.approx(0.4)
    assert y / x == pytest.approx(2)


def test_the_lattice_dock_calibrates_from_a(viewer, panel, page, found, idle):
    panel.open_dock(LatticeDock)
    dock = panel.dock(LatticeDock)
    dock.estimate()
    idle(panel)
    dock.known_a.setText("2.8 Å")
    dock.calibrate()
    a = np.hypot(*dock.lattice.basis[0])
    assert pixel_size_of(found.image)[0] == pytest.approx(2.8 / a)
    assert "so that a is 2.8 Å" in panel.status.text()
    assert dock.show_button.isEnabled()  # the estimate still holds


# -- what is drawn and written how often -------------------------------------------------------------------------------


def test_undo_draws_the_points_once_and_colours_that_stay_are_not_set_again(viewer, panel):
    session = columns_on(viewer, panel, add_image(viewer))
    session.layer.remove([0])
    drawn, coloured = [], []
    session.layer.events.set_data.connect(drawn.append)
    session.layer._border.events.colors.connect(coloured.append)
    session.undo()
    assert len(session.columns) == 25
    assert (len(drawn), len(coloured)) == (1, 0)
    session.restyle()
    assert not coloured


def test_settings_reach_the_disk_after_a_rest_and_can_be_recalled_before(qtbot):
    from napari_atomseg.gui import settings

    for value in range(20):
        settings.remember("dragged", value)
    assert settings._store().value("dragged") is None
    assert settings.recall("dragged") == 19
    qtbot.waitUntil(lambda: settings._store().value("dragged") == "19")


# -- masks -------------------------------------------------------------------------------------------------------------


def test_pieces_of_a_mask_are_numbered_frame_by_frame():
    mask = np.zeros((2, 8, 8))
    mask[0, 1:3, 1:3] = mask[1, 1:3, 1:3] = 0.8
    mask[0, 5:7, 5:7] = 0.3
    assert labelled(mask, 0.5).max() == 2
    assert labelled(mask, 0.2).max() == 3
    assert labelled(mask[0], 0.9).max() == 0


# -- jobs, keys, tips --------------------------------------------------------------------------------------------------


def test_a_job_stands_in_napari_s_activities_and_moves_no_button(viewer, panel, qtbot):
    def steps():
        while True:
            yield Progress(1, 4, "at work")

    def bars():
        # Not those of a panel of another test that was closed at work.
        return [one for one in progress._all_instances if "Working" in one.desc or "at work" in one.desc]

    before = panel.run_button.mapTo(panel, panel.run_button.pos())
    panel.start(steps(), lambda _: None, "Working")
    settle()
    (bar,) = bars()
    assert panel.run_button.mapTo(panel, panel.run_button.pos()) == before
    bar.cancel()
    qtbot.waitUntil(lambda: not panel.busy)
    assert "cancelled" in panel.status.text()
    assert not bars()


def test_the_time_left_is_told_once_the_speed_is_known(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("napari_atomseg.gui.jobs.time_left.time.monotonic", lambda: now[0])
    left = TimeLeft()
    assert left.after(Progress(0, 10, "a")) is None
    now[0] = 4.0
    assert left.after(Progress(2, 10, "a")) == pytest.approx(16.0)
    assert left.after(Progress(0, 3, "another phase")) is None


def test_the_page_of_keys_names_what_is_bound(panel):
    panel.keys.show()
    text = panel.keys._dialog.findChildren(type(panel.image_bar.facts).__mro__[1])[0].text()
    assert all(key in text for key, _ in KEYS)
    panel.keys._dialog.close()


CONTROLS = (QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractSlider, QTreeWidget)


def controls_without_a_tip(root):
    """Controls below a widget that neither have a tooltip nor are part of one that has; the titles of folds need none."""
    bare = []
    for control in (one for kind in CONTROLS for one in root.findChildren(kind)):
        parts = [control]
        while len(parts) < 4 and parts[-1].parentWidget() is not None:
            parts.append(parts[-1].parentWidget())
        apart = (
            isinstance(control, QScrollBar) or control.objectName().startswith("qt_") or type(parts[1]).__name__ == "QCollapsible"
        )
        if not apart and not any(part.toolTip() for part in parts):
            bare.append(" in ".join(f"{type(part).__name__} {part.objectName()}" for part in parts[:3]))
    return bare


def test_every_control_of_pages_docks_and_dialogs_has_a_tooltip(viewer, panel):
    columns_on(viewer, panel, add_image(viewer))
    tools = panel.menu
    for opened in (tools.calibration, tools.synthetic, panel.keys.show):
        opened()
    dialogs = (tools._calibration, tools._synthetic, panel.keys._dialog)
    docks = [panel.open_dock(kind) for kind in (*DOCKS, ColumnsTable)]
    bare = [one for root in (panel, *dialogs, *docks) for one in controls_without_a_tip(root)]
    for dialog in dialogs:
        dialog.close()
    assert not bare, "; ".join(bare)


def test_links_can_be_read_on_both_themes(viewer, panel):
    panel.say('<a href="table">table</a>')
    assert LINKS["dark"] in panel.status.text()
    viewer.theme = "light"
    assert LINKS["light"] in panel.status.text()
    viewer.theme = "dark"
    assert LINKS["dark"] in panel.status.text()


def test_the_panel_uses_its_whole_height_in_a_later_window_too(panel):
    layout = panel.layout()
    assert not [row for row in range(layout.count()) if layout.itemAt(row).spacerItem() is not None]


def test_no_page_button_stands_alone(panel):
    rows = {}
    for row in range(panel.pages.count()):
        button = panel.pages._buttons.button(row)
        rows.setdefault(panel.pages._grid.getItemPosition(panel.pages._grid.indexOf(button))[0], []).append(button.text())
    assert min(len(row) for row in rows.values()) >= 2


def test_corrected_explains_itself_and_leads_to_a_correction(viewer, panel):
    page = panel.pages["Simulate"]
    page.method.setCurrentText("corrected")
    page.refresh()
    text = page.corrected_by.text()
    assert "None at hand fits" in text
    for link in ("choose", "fit", "make"):
        assert f'href="{link}"' in text


def test_layers_of_an_image_carry_its_name_first(viewer, panel):
    image = add_image(viewer)
    session = columns_on(viewer, panel, image)
    assert session.layer.name == "lattice | columns"
    assert isinstance(image, Image)
    assert KEY in session.layer.metadata
    assert pixel_size_of(image)[0] == PIXEL_SIZE or open_panel is not None
