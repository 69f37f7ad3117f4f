"""Files that are written: by napari's own Save, with the suffix of the chosen kind, in folders that are meant."""

import numpy as np
import pytest
from conftest import PIXEL_SIZE, add_image, lattice, open_panel
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_atomseg.gui.widgets import ask_where
from napari_atomseg.gui.widgets.ask_where import suffixes_in
from napari_atomseg.sessions.replay import read_steps, replay
from napari_atomseg.sessions.saving import with_suffix
from napari_atomseg.workflows import read, read_columns


@pytest.fixture
def answers(monkeypatch):
    """What the file dialog and the question about overwriting answer."""
    said = {"path": "", "kind": "", "overwrite": QMessageBox.StandardButton.No}
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (said["path"], said["kind"]))
    monkeypatch.setattr(QMessageBox, "question", staticmethod(lambda *_: said["overwrite"]))
    return said


# -- napari's own Save ---------------------------------------------------------------------------------------------------


def save_by_dialog(viewer, answers, path, selected, kind="("):
    """File > Save Selected Layers (or all), with the first kind of the list that is called so."""
    from napari.plugins import _npe2

    layers = list(viewer.layers.selection) if selected else viewer.layers
    kinds, _ = _npe2.file_extensions_string_for_layers(layers)
    answers.update(path=str(path), kind=next(one for one in kinds.split(";;") if kind in one))
    viewer.window._qt_viewer._save_layers_dialog(selected=selected)


@pytest.mark.parametrize("name", ["image.tif", "image.tiff", "image"])
def test_napari_saves_our_image_with_its_pixel_size(viewer, panel, files, answers, name):
    image = add_image(viewer)
    viewer.layers.selection.active = image
    save_by_dialog(viewer, answers, files.folder / name, True)
    (path,) = files.folder.glob("image*")
    (again,) = read(path)
    np.testing.assert_allclose(again.pixel_size, PIXEL_SIZE, rtol=1e-5)
    np.testing.assert_array_equal(again.data, image.data)


def test_a_script_saves_it_so_too(viewer, panel, files):
    add_image(viewer).save(str(files.folder / "image.tif"))
    (again,) = read(files.folder / "image.tif")
    np.testing.assert_allclose(again.pixel_size, PIXEL_SIZE, rtol=1e-5)


def test_napari_saves_our_columns_with_all_that_is_known(viewer, panel, found, files, answers):
    viewer.layers.selection.active = found.layer
    save_by_dialog(viewer, answers, files.folder / "points.csv", True)
    again = read_columns(files.folder / "points.csv")
    np.testing.assert_allclose(again.pixel_size, PIXEL_SIZE, rtol=1e-5)
    np.testing.assert_allclose(again.positions, found.columns.positions, atol=1e-4)
    assert (files.folder / "points.json").is_file()


def test_all_layers_into_a_folder(viewer, panel, found, files, answers):
    viewer.add_labels(np.zeros((160, 160), int), name="labels")
    add_image(viewer, name="lattice")
    save_by_dialog(viewer, answers, files.folder / "all", False, "Folder")
    written = sorted(path.name for path in (files.folder / "all").iterdir())
    assert "labels.tif" in written
    (again,) = read(files.folder / "all" / "lattice.tif")
    np.testing.assert_allclose(again.pixel_size, PIXEL_SIZE, rtol=1e-5)
    assert len(read_columns(files.folder / "all" / "lattice _ columns.csv")) == len(found.columns)


def test_what_is_no_micrograph_is_left_to_napari(viewer, panel, files):
    colour = viewer.add_image(np.zeros((20, 30, 3), np.uint8), rgb=True, name="colour")
    plain = viewer.add_image(np.arange(600, dtype=np.uint16).reshape(20, 30), name="plain")
    points = viewer.add_points([[1, 2], [3, 4]], name="clicks")
    for layer, name in ((colour, "colour.tif"), (plain, "plain.tif"), (points, "clicks.csv")):
        assert layer.save(str(files.folder / name))
    import tifffile

    assert tifffile.imread(files.folder / "colour.tif").shape == (20, 30, 3)
    assert tifffile.imread(files.folder / "plain.tif").dtype == np.uint16
    assert "axis-0" in (files.folder / "clicks.csv").read_text()


# -- suffixes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "full"), [("a", "a.png"), ("a.svg", "a.svg"), ("a.PNG", "a.PNG"), ("scan.2", "scan.2.png"), ("a.tif", "a.tif.png")]
)
def test_names_get_the_suffix_of_their_kind(tmp_path, typed, full):
    assert with_suffix(tmp_path / typed, suffixes_in("PNG (*.png);;SVG (*.svg)")) == tmp_path / full


def test_a_name_without_suffix_gets_that_of_the_chosen_kind(panel, tmp_path, answers):
    kinds = "Columns (*.csv);;Extended xyz (*.xyz)"
    answers.update(path=str(tmp_path / "noext"), kind="Extended xyz (*.xyz)")
    assert ask_where.ask_where(panel, "Save", "", kinds) == str(tmp_path / "noext.xyz")


def test_a_completed_name_that_is_taken_is_asked_about(panel, tmp_path, answers):
    (tmp_path / "noext.csv").write_text("")
    answers.update(path=str(tmp_path / "noext"), kind="Columns (*.csv)")
    assert ask_where.ask_where(panel, "Save", "", "Columns (*.csv)") == ""
    answers["overwrite"] = QMessageBox.StandardButton.Yes
    assert ask_where.ask_where(panel, "Save", "", "Columns (*.csv)") == str(tmp_path / "noext.csv")


def test_columns_and_pictures_are_saved_under_completed_names(panel, page, found, tmp_path, answers):
    answers.update(path=str(tmp_path / "out.v2"), kind="Columns (*.csv)")
    assert page.save()
    assert (tmp_path / "out.v2.csv").is_file()
    answers.update(path=str(tmp_path / "noext"), kind="SVG (*.svg)")
    panel.menu.export_rings()
    assert (tmp_path / "noext.svg").is_file()
    answers.update(path=str(tmp_path / "corr"), kind="Corrections (*.json)")
    assert panel.pages["Simulate"].correction._where_to_save() == str(tmp_path / "corr.json")


# -- folders -------------------------------------------------------------------------------------------------------------


def test_a_slip_in_a_path_makes_no_tree_of_folders(panel, page, found, tmp_path):
    assert not page.save(str(tmp_path / "slip" / "deep" / "out.csv"))
    assert "does not exist" in panel.status.text()
    assert not (tmp_path / "slip").exists()
    assert page.save(str(tmp_path / "new" / "out.csv"))


def test_what_is_saved_by_one_panel_is_asked_for_by_none(make_napari_viewer, files, answers):
    viewer = make_napari_viewer()
    panel = open_panel(viewer)
    add_image(viewer, lattice(64))
    answers.update(path="", kind="")
    panel.menu.export_rings()
    assert not list(files.folder.iterdir())


# -- what was done -------------------------------------------------------------------------------------------------------


def test_what_was_done_in_the_window_is_done_again_without_it(found, page, idle, panel, files):
    page.refine()
    idle(panel)
    done = found.columns.positions
    found.layer.remove([0])
    assert page.save(str(files.folder / "done.csv"))
    steps = read_steps(files.folder / "done.json")
    assert [step.kind for step in steps] == ["find", "refine", "edit by hand"]
    again = replay(read(files.tif)[0], steps).columns
    np.testing.assert_allclose(again.positions, done, atol=1e-6)
