"""The manifest, the reader hooks and what they give a viewer."""

import importlib

import numpy as np
import pytest
from conftest import PIXEL_SIZE, add_image, truth
from npe2 import PluginManager, PluginManifest

import napari_atomseg

PLUGIN = "napari-atomseg"
IMAGES = "dm3 dm4 dm5 emd ser emi mrc hspy zspy hdf5 h5 blo mib prz img tif tiff png jpg npy npz csv"


@pytest.fixture(scope="module", autouse=True)
def installed_plugins():
    """What napari does when it starts; without a viewer before it a test would find none."""
    PluginManager.instance().discover(include_npe1=False)


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution(PLUGIN)


def test_manifest_is_valid(manifest):
    path = f"{napari_atomseg.__path__[0]}/napari.yaml"
    assert PluginManifest.from_file(path).contributions == manifest.contributions
    manifest.validate_imports()


def test_every_command_is_importable(manifest):
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(importlib.import_module(module), name)), command.id


@pytest.mark.parametrize("change", [str.lower, str.upper], ids=["lower", "upper"])
@pytest.mark.parametrize("suffix", IMAGES.split())
def test_reader_claims_the_suffix(suffix, change):
    readers = PluginManager.instance().iter_compatible_readers([f"/folder/some.file.{change(suffix)}"])
    assert PLUGIN in [reader.plugin_name for reader in readers]


SAMPLES = ["perovskite", "nanoparticle", "dumbbells", "graphene-bright", "graphene-dark", "gold-series", "gold-film", "fast-scan"]


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_opens_calibrated(viewer, name):
    (layer,) = viewer.open_sample(PLUGIN, name)
    assert layer.name == name
    assert [str(unit) for unit in layer.units[-2:]] == ["nanometer", "nanometer"]
    assert viewer.canvas.overlays.scale_bar.visible


@pytest.mark.parametrize("suffix", [".tif", ".mrc", ".hspy", ".emd", ".ser", ".dm3"])
def test_reader_gives_scale_units_labels_name_and_metadata(viewer, files, suffix):
    (layer,) = viewer.open(files.of(suffix), plugin=PLUGIN)
    np.testing.assert_allclose(layer.scale, 0.1 * PIXEL_SIZE, rtol=1e-4)
    assert [str(unit) for unit in layer.units] == ["nanometer", "nanometer"]
    assert layer.axis_labels == ("y", "x")
    assert "lattice" in layer.name
    assert layer.metadata["atomseg"]["micrograph"].path.name == f"lattice{suffix}"
    assert layer.source.reader_plugin == PLUGIN
    assert layer.data.shape == (160, 160)


def test_image_without_pixel_size_is_in_pixels(viewer, files):
    (layer,) = viewer.open(files.of(".npy"), plugin=PLUGIN)
    assert tuple(layer.scale) == (1, 1)
    assert [str(unit) for unit in layer.units] == ["pixel", "pixel"]


def test_several_files_at_once_and_a_table(viewer, files):
    layers = viewer.open([str(files.tif), str(files.of(".npy", stem="other"))], plugin=PLUGIN)
    assert len(layers) == 2


def test_image_and_points_share_units(viewer, files):
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.gui.layers.conversion import points_layer_data

    image = add_image(viewer)
    data, options, _ = points_layer_data(Columns(positions=truth()), image, "columns")
    points = viewer.add_points(data, **options)
    assert viewer.layers.units is not None
    assert tuple(points.scale) == tuple(image.scale)
    assert points.axis_labels == image.axis_labels


def test_writers_save_layers(viewer, files):
    from napari_atomseg.core.columns import Columns
    from napari_atomseg.gui.layers.conversion import points_layer_data, to_columns
    from napari_atomseg.workflows import read, read_columns

    image = add_image(viewer)
    data, options, _ = points_layer_data(Columns(positions=truth(), pixel_size=(0.2, 0.2)), image, "columns")
    points = viewer.add_points(data, **options)
    written = points.save(str(files.folder / "out.csv"), plugin=PLUGIN)
    assert {path.rsplit(".")[-1] for path in written} == {"csv", "json"}
    np.testing.assert_allclose(read_columns(files.folder / "out.csv").positions, to_columns(points).positions)
    assert points.save(str(files.folder / "out.xyz"), plugin=PLUGIN)
    assert image.save(str(files.folder / "image.tif"), plugin=PLUGIN)
    (again,) = read(files.folder / "image.tif")
    np.testing.assert_allclose(again.pixel_size, 0.2, rtol=1e-5)
    np.testing.assert_array_equal(again.data, image.data)
