"""Structures in TEM images, found through the same door as columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from structures_at_hand import PLACES, SHAPE, save_structures, spotted

from napari_atomseg.cli.app import main
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.networks import zoo
from napari_atomseg.workflows import ClassicalParams, NetworkParams, locate, maps, train_classifier
from napari_atomseg.workflows.choice import choose_finder
from napari_atomseg.writers.image import write_image


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A network that recognises structures, in the list of the plugin's own."""
    monkeypatch.setenv(zoo.ENVIRONMENT, str(tmp_path / "mine"))
    monkeypatch.setattr(zoo, "shipped_folder", lambda: tmp_path)
    return save_structures(tmp_path, monkeypatch)


@pytest.fixture
def image(rng):
    return spotted(rng)


def test_structures_have_places_classes_and_no_fit(model, image):
    found = locate(image, model=model)
    order = np.argsort(found.positions[:, 1])
    assert found.positions[order] == pytest.approx(PLACES, abs=1.0)
    assert found.features["class"].tolist() == [2, 2, 2]
    assert np.all(found.features["class_probability"] > 0.9)
    assert np.all(found.features["intensity"] > 0)
    assert set(found.features["fit"]) == {"none"}
    assert found.provenance["model"] == model
    assert "refinement" not in found.provenance
    assert "doubt" not in found.provenance["network"]


def test_rejection_and_epsilon_are_told(model, image):
    assert len(locate(image, model=model, network=NetworkParams(rejection=100.0))) == 0
    assert locate(image, model=model).provenance["parameters"]["rejection"] == 0.5


def test_a_region_is_searched_alone(model, image):
    region = np.zeros(SHAPE, bool)
    region[45:, :] = True
    assert locate(image, model=model, region=region).positions == pytest.approx(PLACES[1:2], abs=1.0)


def test_auto_takes_it_for_tem_images_of_such_pixels(model, image):
    def chosen(micrograph):
        return choose_finder(micrograph, 0, ClassicalParams(), NetworkParams()).model

    assert chosen(image) == model
    assert chosen(replace(image, pixel_size=(0.4, 0.4))) == "classical"
    assert chosen(replace(image, pixel_size=None)) == "classical"
    assert chosen(replace(image, modality="haadf")) == "classical"


def test_a_stem_image_is_doubted(model, image):
    found = locate(replace(image, modality="haadf"), model=model)
    assert "HAADF" in found.provenance["network"]["doubt"]


def test_wrong_and_missing_pixel_sizes_are_told(model, image):
    with pytest.raises(AtomsegError, match=r"1 pm/px to 25 pm/px"):
        locate(replace(image, pixel_size=(0.5, 0.5)), model=model)
    with pytest.raises(MissingCalibrationError, match="pixel size"):
        locate(replace(image, pixel_size=None), model=model)


def test_its_maps_are_all_steps_from_the_image_to_the_segments(model, image):
    found = maps(image, model=model)
    assert list(found) == ["normalised", "structure 1", "structure 2", "background", "segments"]
    total = sum(found[name].data for name in ("structure 1", "structure 2", "background"))
    assert total == pytest.approx(1, abs=1e-3)
    place = tuple(PLACES[0].astype(int))
    assert found["structure 2"].data[place] > 0.9 > found["background"].data[place]
    assert abs(found["normalised"].data.mean()) < 0.3
    numbers = found["segments"].data[tuple(PLACES.astype(int).T)]
    assert (numbers > 0).all()
    assert len(set(numbers)) == len(PLACES)
    # Single steps can be asked for.
    assert list(maps(image, model=model, tasks=("segments",))) == ["segments"]


def test_it_needs_no_classifier_of_candidates(model):
    with pytest.raises(AtomsegError, match="structures"):
        train_classifier(model)


def test_the_command_line_takes_t_and_warns_of_stem_images(model, image, tmp_path, capsys):
    write_image(image, tmp_path / "haadf_sheet.tif")

    def call(*more):
        words = ["locate", tmp_path / "haadf_sheet.tif", "--model", *more, "-o", tmp_path / "atoms.csv", "--force"]
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        return end.value.code, capsys.readouterr()

    status, told = call(model, "--rejection", "0.4")
    assert status == 0
    assert "3 columns" in told.out
    assert "means nothing" in told.err
    assert call(model, "--rejection", "100")[1].out.startswith("haadf_sheet.tif: 0 columns")
    assert call("classical", "--rejection", "1")[0] == 2


def test_a_focal_series_is_looked_at_together(tmp_path, monkeypatch, model, image, rng):
    save_structures(tmp_path, monkeypatch, "of-three", images=3)
    frames = np.stack([spotted(rng).data for _ in range(3)])
    stack = replace(image, data=frames)
    found = locate(stack, model="of-three", series=True)
    order = np.argsort(found.positions[:, 1])
    assert found.positions[order] == pytest.approx(PLACES, abs=1.0)
    assert set(found.frame) == {0}
    with pytest.raises(AtomsegError, match="3 images of a place together, and 1 were"):
        locate(stack, model="of-three")
    with pytest.raises(AtomsegError, match="1 image of a place together, and 3 were"):
        locate(stack, model=model, series=True)
    with pytest.raises(AtomsegError, match="single images"):
        locate(stack, model="classical", series=True)
