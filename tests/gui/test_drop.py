"""Files dropped on the canvas: opened by us, calibrated, without a question."""

import numpy as np
import pytest
from conftest import HANGING, PIXEL_SIZE, SIDE, drop, lattice, open_panel
from napari.layers import Image, Points, Shapes
from napari.settings import get_settings
from npe2 import PluginManager
from tifffile import TiffWriter

OURS = "napari-atomseg"
NM = PIXEL_SIZE / 10


def test_drop_of_calibrated_formats(viewer, panel, files):
    for suffix in (".tif", ".tiff", ".TIF", ".mrc", ".MRC", ".hspy", ".emd", ".ser", ".dm3"):
        drop(viewer, files.of(suffix))
        (layer,) = viewer.layers
        assert layer.source.reader_plugin == OURS, suffix
        np.testing.assert_allclose(layer.scale, NM, rtol=1e-4)
        assert panel.image is layer
        assert "20 pm" in panel.image_bar.chip.text()
        assert panel.run_button.isEnabled()
        viewer.layers.clear()


def test_drop_of_formats_without_calibration(viewer, panel, files):
    for suffix in (".png", ".PNG", ".npy"):
        drop(viewer, files.of(suffix))
        (layer,) = viewer.layers
        assert layer.source.reader_plugin == OURS, suffix
        assert "no pixel size" in panel.image_bar.chip.text()
        viewer.layers.clear()


def test_drop_of_several_files_at_once(viewer, panel, files):
    drop(viewer, files.tif, files.of(".npy", stem="other"), files.of(".mrc", stem="third"))
    assert {layer.name for layer in viewer.layers} == {"lattice", "other", "third"}


def test_drop_before_the_panel_was_ever_opened(viewer, files):
    """The first use of the plugin sets the preference, with or without the panel."""
    PluginManager.instance().deactivate(OURS)  # as in a session that has just begun
    drop(viewer, files.of(".mrc"))
    drop(viewer, files.of(".tif", stem="second"))
    assert [layer.source.reader_plugin for layer in viewer.layers] == [OURS, OURS]
    panel = open_panel(viewer)
    assert panel.image is viewer.layers[-1]


def test_preference_of_the_user_stands(viewer, files, qtbot):
    get_settings().plugins.extension2reader = {"*.tif": "napari"}
    panel = open_panel(viewer)
    assert get_settings().plugins.extension2reader["*.tif"] == "napari"
    assert get_settings().plugins.extension2reader.get("*.TIF", "napari") == "napari"
    drop(viewer, files.tif)
    (layer,) = viewer.layers
    assert layer.source.reader_plugin == "napari"
    qtbot.waitUntil(lambda: str(layer.units[0]) == "nanometer", timeout=HANGING)
    np.testing.assert_allclose(layer.scale, NM, rtol=1e-4)
    assert "from the file" in panel.image_bar.chip.text()


def test_colour_picture_falls_back_to_napari(viewer, panel, files):
    from PIL import Image as Picture

    colours = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    Picture.fromarray(colours).save(files.folder / "colours.png")
    drop(viewer, files.folder / "colours.png")
    assert len(viewer.layers) == 1
    assert isinstance(viewer.layers[0], Image)


def test_four_dimensional_array_falls_back_to_napari(viewer, panel, files):
    np.save(files.folder / "cube.npy", np.zeros((2, 3, 8, 8), np.float32))
    drop(viewer, files.folder / "cube.npy")
    (layer,) = viewer.layers
    assert layer.ndim == 4
    assert panel.image is None
    assert not panel.run_button.isEnabled()


def test_table_of_shapes_falls_back_to_napari(viewer, panel, files):
    shapes = viewer.add_shapes([[[0, 0], [0, 10], [10, 10], [10, 0]]])
    path = files.folder / "shapes.csv"
    shapes.save(str(path), plugin="napari")
    viewer.layers.clear()
    drop(viewer, path)
    assert [type(layer) for layer in viewer.layers] == [Shapes]


def test_stack_drops_with_frames(viewer, panel, files):
    drop(viewer, files.calibrated("stack.tif", np.stack([lattice(64), lattice(64, seed=2)])))
    (layer,) = viewer.layers
    assert layer.data.shape == (2, 64, 64)
    assert "of 2" in panel.image_bar.facts.toolTip()
    assert layer.axis_labels == ("t", "y", "x")


@pytest.mark.parametrize("header", ["x,y", "X (px),Y (px)", "axis-1,axis-0"])
def test_foreign_table_opens_as_points_on_the_image(viewer, panel, files, header):
    drop(viewer, files.tif)
    path = files.folder / "table.csv"
    path.write_text(header + "\n10,20\n30,40\n")
    drop(viewer, path)
    image, points = viewer.layers
    assert isinstance(points, Points)
    np.testing.assert_allclose(points.data, [[20, 10], [40, 30]])
    np.testing.assert_allclose(points.scale, image.scale)
    assert viewer.layers.units is not None
    assert image.data.shape == (SIDE, SIDE)
    assert panel.documents.session.image is image


def test_a_dropped_table_of_lengths_takes_the_size_of_the_only_image(viewer, panel, files, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    drop(viewer, files.tif)
    path = files.folder / "table.csv"
    path.write_text(f"x (pm),y (pm)\n{1000 * PIXEL_SIZE},{2000 * PIXEL_SIZE}\n")
    drop(viewer, path)
    _, points = viewer.layers
    np.testing.assert_allclose(points.data, [[20, 10]], rtol=1e-4)
    assert panel.documents.session.columns.provenance["pixel_size_source"] == "the file"
    assert said == ['table.csv: positions were taken to be in pm, as the table says ("x (pm)")']


def test_a_dropped_table_that_lies_outside_says_so(viewer, panel, files, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    drop(viewer, files.tif)
    path = files.folder / "table.csv"
    path.write_text("x,y\n5000,6000\n7000,8000\n")
    drop(viewer, path)
    assert len(said) == 1
    assert said[0].startswith("table.csv: most positions are outside the image of")


def test_the_raw_image_of_a_file_is_chosen_and_not_its_thumbnail(viewer, panel, files):
    for number, order in enumerate(((0, 1), (1, 0))):
        path = files.folder / f"{number}.tif"
        raw = (lattice(64) * 10).astype(np.uint16)
        pages = [(raw, {}), ((raw[::4, ::4] // 256).astype(np.uint8), {"subfiletype": 1})]
        with TiffWriter(path) as file:
            for place in order:
                data, options = pages[place]
                file.write(data, photometric="minisblack", **options)
        drop(viewer, path)
        assert panel.image is viewer.layers[-1]
        assert panel.image.data.shape == (64, 64)
        viewer.layers.clear()
