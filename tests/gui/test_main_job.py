"""Drop, find, correct, refine, save, open again."""

import json

import numpy as np
import pytest
from conftest import SPACING, add_image, drop, lattice, nearest, snapshot, truth
from napari.layers import Points

from napari_atomseg.gui.documents.editing import session_of


def test_find_puts_points_on_the_columns(viewer, page, found):
    layer = found.layer
    assert isinstance(layer, Points)
    assert nearest(layer.data, truth()).max() < 1
    assert len(layer.data) == len(truth())
    assert layer.name == "lattice | columns"
    for name in ("intensity", "background", "sigma_px", "y_std_px", "x_std_px", "confidence", "origin"):
        assert name in layer.features
    image = viewer.layers["lattice"]
    np.testing.assert_allclose(layer.scale, image.scale)
    np.testing.assert_allclose(layer.translate, image.translate)
    assert layer.units == image.units
    assert layer.axis_labels == image.axis_labels
    assert viewer.layers.units is not None
    assert f"{len(layer.data):,} columns" in page._host.status.text()
    assert 0.4 * SPACING < layer.size[0] < 0.8 * SPACING


def test_whole_job(viewer, page, panel, found, idle, files):
    """Find, delete one, add it again by hand, refine, save, reload by drop: the same columns."""
    layer = found.layer
    victim = int(np.argmin(np.hypot(*(layer.data - truth()[40]).T)))
    layer.selected_data = {victim}
    layer.remove_selected()
    assert len(layer.data) == len(truth()) - 1
    layer.add(truth()[40] + (1.4, -1.1))
    assert found.columns.features["origin"].iloc[-1] == "snapped"
    page.refine()
    idle(panel)
    assert nearest(layer.data, truth()).max() < 0.15
    assert np.isfinite(layer.features["y_std_px"]).all()
    assert layer.features["origin"].iloc[-1] == "snapped"
    target = files.folder / "out.csv"
    assert page.save(str(target))
    assert not found.unsaved
    said = json.loads(target.with_suffix(".json").read_text())
    assert said["image"]["name"] == "lattice"
    assert len(said["deleted_px"]) == 1
    columns = found.columns
    viewer.layers.remove(layer)
    drop(viewer, target)
    again = viewer.layers[-1]
    assert isinstance(again, Points)
    np.testing.assert_allclose(again.scale, viewer.layers["lattice"].scale)
    session = session_of(again)
    assert session.image is viewer.layers["lattice"]
    assert page.session is session
    np.testing.assert_array_equal(session.columns.positions, columns.positions)
    assert list(session.columns.features["origin"]) == list(columns.features["origin"])
    np.testing.assert_allclose(session.columns.features["y_std_px"], columns.features["y_std_px"])
    assert viewer.layers.units is not None


def test_find_again_replaces_an_untouched_result(viewer, page, panel, found, idle):
    layer = found.layer
    page.find()
    idle(panel)
    assert page.session.layer is layer
    assert len(viewer.layers) == 2
    page.session.undo()
    assert len(layer.data) == len(truth())


def test_find_again_keeps_edited_columns(viewer, page, panel, found, idle):
    edited = found.layer
    edited.remove([0])
    before = snapshot(edited)
    page.find()
    idle(panel)
    assert len(viewer.layers) == 3
    assert page.session.layer is not edited
    np.testing.assert_array_equal(edited.data, before["data"])
    assert "kept" in panel.status.text()


def test_find_on_another_image_keeps_the_first_result(viewer, page, panel, found, idle):
    first = found.layer
    add_image(viewer, lattice(seed=5), "second")
    assert page.session is None
    page.find()
    idle(panel)
    assert page.session.layer is not first
    assert {layer.name for layer in viewer.layers if isinstance(layer, Points)} == {"lattice | columns", "second | columns"}
    viewer.layers.selection.active = first
    assert page.session.layer is first
    assert panel.image.name == "lattice"


def test_the_selected_document_is_the_one_that_is_worked_on(viewer, page, panel, found, idle):
    """Two documents of one image, and another image chosen: selecting the older document brings that one back."""
    older = found.layer
    older.remove([0])
    page.find()
    idle(panel)
    add_image(viewer, lattice(seed=5), "second")
    viewer.layers.selection.active = older
    assert panel.image.name == "lattice"
    assert page.session.layer is older


def test_dark_columns(viewer, page, panel, idle):
    add_image(viewer, lattice(dark=True), "dark")
    page.first.set_value(type(page.first.value())(polarity="dark"))
    page.find()
    idle(panel)
    assert nearest(page.session.layer.data, truth()).max() < 1


def test_image_without_pixel_size(viewer, page, panel, idle, files):
    add_image(viewer, pixel_size=None)
    page.find()
    idle(panel)
    assert nearest(page.session.layer.data, truth()).max() < 1
    assert page.session.columns.pixel_size is None
    assert page.save(str(files.folder / "out.csv"))
    head, first = (files.folder / "out.csv").read_text().splitlines()[:2]
    assert head.startswith("y_px,x_px,y_angstrom,x_angstrom")
    assert first.split(",")[2:4] == ["", ""]


def test_noise_alone_gives_a_sentence_and_no_layer(viewer, page, panel, idle):
    add_image(viewer, np.random.default_rng(0).normal(0, 1, (128, 128)).astype(np.float32))
    page.find()
    idle(panel)
    assert "No columns" in panel.status.text() or page.session is not None
    assert panel.run_button.isEnabled()


@pytest.mark.parametrize("kind", ["rectangle", "polygon", "ellipse"])
@pytest.mark.parametrize("side", ["inside", "outside"])
def test_region(viewer, page, panel, idle, kind, side):
    add_image(viewer)
    page.draw_region()
    shapes = viewer.layers["lattice | region"]
    box = np.array([[20, 20], [20, 100], [90, 100], [90, 20]], float)
    if kind == "polygon":
        box = np.array([[20, 20], [20, 100], [90, 20]], float)
    shapes.add(box, shape_type=kind)
    assert page.region.currentText() == "inside lattice | region"
    page.region.setCurrentIndex(page.region.findText(f"{side} lattice | region"))
    page.find()
    idle(panel)
    found = page.session.layer.data
    expected = inside(truth(), kind)
    expected = expected if side == "inside" else ~expected
    clear = np.abs(distance_to_edge(truth(), kind)) > 4
    assert nearest(found, truth()[expected & clear]).max() < 1
    assert nearest(truth()[expected | ~clear], found).max() < 1
    assert viewer.layers.units is not None


def distance_to_edge(points, kind):
    """Rough distance from the outline, positive inside."""
    y, x = points.T
    if kind == "rectangle":
        return np.min([y - 20, 90 - y, x - 20, 100 - x], axis=0)
    if kind == "polygon":
        return np.min([y - 20, x - 20, (1 - (y - 20) / 70 - (x - 20) / 80) * 52], axis=0)
    return (1 - np.hypot((y - 55) / 35, (x - 60) / 40)) * 35


def inside(points, kind):
    return distance_to_edge(points, kind) > 0


def test_region_without_a_shape_is_a_sentence(viewer, page, panel):
    add_image(viewer)
    page.draw_region()
    page.find()
    assert not panel.busy
    assert "draw" in panel.status.text().lower()


def test_stack_current_frame_and_every_frame(viewer, page, panel, idle):
    image = add_image(viewer, np.stack([lattice(96), lattice(96, seed=2), lattice(96, seed=3)]), "stack")
    viewer.dims.set_current_step(0, 1)
    assert not page.every_frame.isHidden()
    page.find()
    idle(panel)
    layer = page.session.layer
    assert layer.ndim == 3
    assert set(layer.data[:, 0]) == {1.0}
    assert nearest(layer.data[:, 1:], truth(96)).max() < 1
    assert layer.axis_labels == image.axis_labels
    page.every_frame.setChecked(True)
    page.find()
    idle(panel)
    columns = page.session.columns
    assert set(columns.frame) == {0, 1, 2}
    page.refine()
    idle(panel)
    assert nearest(page.session.columns.of_frame(2).positions, truth(96)).max() < 0.3
    assert viewer.layers.units is not None


def test_hand_edit_on_one_frame_of_a_stack(viewer, page, panel, idle):
    add_image(viewer, np.stack([lattice(96), lattice(96, seed=2)]), "stack")
    viewer.dims.set_current_step(0, 1)
    page.find()
    idle(panel)
    session = page.session
    where = truth(96)[20]
    session.layer.remove([int(np.argmin(np.hypot(*(session.columns.positions - where).T)))])
    session.layer.add([1, where[0] + 1, where[1] + 1])
    assert session.columns.frame[-1] == 1
    assert np.hypot(*(session.columns.positions[-1] - where)) < 0.7
    session.undo()
    session.undo()
    assert len(session.columns) == len(truth(96))


def test_columns_of_one_detector_on_another(viewer, page, panel, idle):
    add_image(viewer, lattice(), "adf")
    page.find()
    idle(panel)
    add_image(viewer, lattice(dark=True, seed=9), "abf")
    panel.menu.carry_over()
    session = page.session
    assert session.image.name == "abf"
    assert nearest(session.layer.data, truth()).max() < 1
    assert set(session.columns.features["origin"]) == {"imported"}
    assert session.columns.image_name == "abf"
    page.refine()
    idle(panel)
    assert nearest(session.layer.data, truth()).max() < 0.3
    assert (session.columns.features["intensity"] < 0).all()


def test_carry_over_without_a_source_is_a_sentence(viewer, page, panel):
    panel.menu.carry_over()
    assert "No other image" in panel.status.text()
    add_image(viewer)
    panel.menu.carry_over()
    assert "No other image" in panel.status.text()


def test_another_frame_of_a_stack_keeps_the_first_ones_columns(viewer, page, panel, idle):
    add_image(viewer, np.stack([lattice(96), lattice(96, seed=2), lattice(96, seed=3)]), "stack")
    viewer.dims.set_current_step(0, 0)
    page.find()
    idle(panel)
    first = page.session.columns
    assert "in frame 1" in panel.status.text()
    viewer.dims.set_current_step(0, 2)
    page.find()
    idle(panel)
    assert len([layer for layer in viewer.layers if layer.name.endswith("columns")]) == 1
    assert sorted(set(page.session.columns.frame)) == [0, 2]
    np.testing.assert_array_equal(page.session.columns.of_frame(0).positions, first.positions)
    page.find()
    idle(panel)
    assert sorted(set(page.session.columns.frame)) == [0, 2]
    page._host.follow_link("every_frame")
    idle(panel)
    assert sorted(set(page.session.columns.frame)) == [0, 1, 2]


def test_edits_in_one_frame_survive_finding_in_another(viewer, page, panel, idle):
    add_image(viewer, np.stack([lattice(96), lattice(96, seed=2)]), "stack")
    viewer.dims.set_current_step(0, 0)
    page.find()
    idle(panel)
    session = page.session
    session.layer.remove([0])
    left = session.columns.of_frame(0).positions
    viewer.dims.set_current_step(0, 1)
    page.find()
    idle(panel)
    assert page.session is session
    assert session.unsaved
    assert len(session.deleted) == 1
    np.testing.assert_array_equal(session.columns.of_frame(0).positions, left)
    viewer.dims.set_current_step(0, 0)
    page.find()
    idle(panel)
    assert page.session is not session
    np.testing.assert_array_equal(session.columns.of_frame(0).positions, left)


def test_every_frame_is_offered_without_unfolding_anything(make_napari_viewer):
    from conftest import open_panel

    viewer = make_napari_viewer(show=True)
    page = open_panel(viewer).pages["Columns"]
    add_image(viewer, np.stack([lattice(64), lattice(64)]), "stack")
    assert page.every_frame.isVisible()
    add_image(viewer, lattice(64), "single")
    assert not page.every_frame.isVisible()
