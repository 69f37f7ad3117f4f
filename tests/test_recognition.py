"""Structures in TEM images, found through the same door as columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.networks import zoo
from napari_atomseg.networks.architectures import architecture_of, build_network
from napari_atomseg.networks.architectures.fusionnet import FusionNetParams
from napari_atomseg.networks.card import LOCAL, ModelCard
from napari_atomseg.networks.outputs import structure_outputs
from napari_atomseg.workflows import NetworkParams, locate, maps
from napari_atomseg.workflows.choice import choose_finder

SHAPE, SIZE = (90, 110), 0.1
PLACES = np.array([[30.0, 40.0], [30.0, 70.0], [60.0, 55.0]])


class Bright(torch.nn.Module):
    """Takes what is bright for a structure of the second class."""

    multiple, reach = 1, 0

    def forward(self, image):
        nothing = torch.full_like(image, -20.0)
        return torch.cat([nothing, (2 * (image - 1)).clamp(max=4), torch.zeros_like(image)], dim=1)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A network that recognises structures, in the list of the plugin's own."""
    params, outputs = FusionNetParams(width=4, levels=1), structure_outputs(2)
    card = ModelCard(
        name="structures",
        task="structures",
        architecture=architecture_of(params),
        network={"width": 4, "levels": 1},
        outputs=outputs,
        native_sampling=0.2,
        sampling_range=(0.01, 0.25),
        column_width=0.35,
        normalisation=LOCAL,
        modality="HRTEM",
    )
    zoo.save_model(card, build_network(params, outputs).state_dict(), tmp_path)
    monkeypatch.setenv(zoo.ENVIRONMENT, str(tmp_path / "mine"))
    monkeypatch.setattr(zoo, "shipped_folder", lambda: tmp_path)
    monkeypatch.setattr(zoo, "build", lambda _: Bright())
    monkeypatch.setattr(zoo, "_fill", lambda *_: None)
    return card.name


@pytest.fixture
def image(rng):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    spots = sum(np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * 3.5**2)) for p in PLACES)
    data = (100 + 50 * spots + rng.normal(0, 1, SHAPE)).astype(np.float32)
    return Micrograph(data=data, pixel_size=(SIZE, SIZE), pixel_size_source="typed", name="sheet", modality="hrtem")


def test_structures_have_places_classes_and_no_fit(model, image):
    found = locate(image, model=model)
    order = np.argsort(found.positions[:, 1])
    assert found.positions[order] == pytest.approx(PLACES[[0, 2, 1]], abs=1.0)
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
    assert locate(image, model=model, region=region).positions == pytest.approx(PLACES[2:], abs=1.0)


def test_auto_takes_it_for_tem_images_of_such_pixels(model, image):
    from napari_atomseg.workflows import ClassicalParams

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
    with pytest.raises(AtomsegError, match=r"0\.01 to 0\.25"):
        locate(replace(image, pixel_size=(0.5, 0.5)), model=model)
    with pytest.raises(MissingCalibrationError, match="pixel size"):
        locate(replace(image, pixel_size=None), model=model)


def test_its_maps_are_classes_and_background(model, image):
    found = maps(image, model=model)
    assert list(found) == ["structure 1", "structure 2", "background"]
    total = sum(one.data for one in found.values())
    assert total == pytest.approx(1, abs=1e-3)
    place = tuple(PLACES[0].astype(int))
    assert found["structure 2"].data[place] > 0.9 > found["background"].data[place]
