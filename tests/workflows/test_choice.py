"""Which finder is chosen for an image, that it is said, and that it can be overruled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.cli.app import main
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.localise.detection.map_columns import otsu_columns
from napari_atomseg.networks.catalogue import default_network
from napari_atomseg.workflows import ClassicalParams, NetworkParams, finder_choice, locate
from napari_atomseg.workflows.choice import choose_finder
from napari_atomseg.writers.image import write_image

SHAPE = (128, 144)
TRUE = square_lattice(SHAPE, 20)


def call(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


@pytest.fixture
def crystal(rng):
    data = rng.poisson(draw(TRUE, 4.5, SHAPE, height=60) + 5).astype(np.float32)
    return Micrograph(data=data, pixel_size=(0.1, 0.1), pixel_size_source="typed", name="crystal", modality="haadf")


def chosen(micrograph, params=None, network=None):
    return choose_finder(micrograph, 0, params or ClassicalParams(), network or NetworkParams())


def test_the_network_is_chosen_for_what_it_knows(crystal):
    assert chosen(crystal).model == default_network()
    assert chosen(replace(crystal, modality="")).model == default_network()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"modality": "abf"}, "ABF"),
        ({"pixel_size": None}, "pixel size is unknown"),
        ({"pixel_size": (0.5, 0.5)}, "0.01 to 0.3"),
        ({"pixel_size": (0.02, 0.02)}, "too small"),
        ({"pixel_size": (0.3, 0.3)}, "wide"),
    ],
)
def test_the_classical_finder_is_chosen_otherwise(crystal, change, reason):
    choice = chosen(replace(crystal, **change))
    assert choice.model == "classical"
    assert reason in choice.reason


def test_dark_columns_and_set_parameters_are_for_the_classical_finder(crystal):
    assert "dark" in chosen(crystal, ClassicalParams(polarity="dark")).reason
    assert "dark" in chosen(replace(crystal, data=-crystal.data)).reason
    assert "parameters" in chosen(crystal, ClassicalParams(contrast=0.3)).reason
    assert chosen(crystal, network=NetworkParams(pixel_size=0.6)).model == "classical"
    assert chosen(crystal, network=NetworkParams(segmentation="otsu")).model == default_network()


def test_the_choice_is_kept_and_can_be_overruled(crystal):
    auto = locate(crystal, refined=False)
    assert auto.provenance["model"] == default_network()
    assert default_network() in finder_choice(auto)
    named = locate(crystal, model="classical", refined=False)
    assert named.provenance["model"] == "classical"
    assert finder_choice(named) == ""


def test_a_network_that_contradicts_the_image_is_not_believed_unless_it_was_named(crystal, monkeypatch):
    from napari_atomseg.inference import find_columns as by_network

    real = by_network.find_by_network

    def between(*arguments):
        found, told = yield from real(*arguments)
        return replace(found, positions=found.positions + 10), told

    monkeypatch.setattr(by_network, "find_by_network", between)
    found = locate(crystal, refined=False)
    assert set(found.features["origin"]) == {"classical"}
    assert "the classical finder sees" in finder_choice(found)
    named = locate(crystal, model=default_network(), refined=False)
    assert set(named.features["origin"]) == {"model"}
    assert "cross_check" not in named.provenance


def test_otsu_gives_the_centre_of_each_area():
    values = np.zeros((40, 50))
    values[5:9, 10:15] = 0.9
    values[20:23, 30:33] = 0.6
    values[20, 33] = 1.0
    found = otsu_columns(values, 1.0)
    assert found.positions == pytest.approx(np.array([[6.5, 12.0], [20.9, 31.2]]))
    assert len(otsu_columns(np.zeros((20, 20)), 1.0).positions) == 0


def test_the_command_line_says_the_choice_and_takes_width_contrast_and_segmentation(crystal, tmp_path, capsys):
    image = tmp_path / "crystal.tif"
    write_image(crystal, image)
    out = tmp_path / "columns.csv"
    words = ["locate", str(image), "-o", str(out), "--no-refine", "--force"]
    assert call(*words) == 0
    assert f"network {default_network()} (chosen: " in capsys.readouterr().out
    assert call(*words, "--column-width", "4.5", "--contrast", "0.4") == 0
    assert "classical finder (chosen: parameters" in capsys.readouterr().out
    assert call(*words, "--model", "auto", "--segmentation", "otsu") == 0
    assert call(*words, "--model", "classical", "--segmentation", "otsu") == 2
    assert call(*words, "--segmentation", "neither") == 2
    for option in (("--as-scanned",), ("--alone",)):
        assert call(*words, "--model", "classical", *option) == 2
    for option in (("--column-width", "3"), ("--contrast", "0.4")):
        assert call(*words, "--model", "adf-columns", *option) == 2
    capsys.readouterr()
    assert call(*words, "--alone", "--contrast", "0.4") == 1
    assert "--alone have no effect with the classical finder, which was chosen" in capsys.readouterr().err


def test_a_frame_is_left_out_and_said(crystal, tmp_path, capsys):
    image = tmp_path / "framed.tif"
    write_image(replace(crystal, data=np.pad(crystal.data, 20, constant_values=250.0)), image)
    for model in ("classical", "auto"):
        assert call("locate", image, "-o", tmp_path / f"{model}.csv", "--no-refine", "--model", model) == 0
        assert "not searched: a frame" in capsys.readouterr().err


def test_a_file_without_a_modality_is_said_to_be_taken_for_one(crystal):
    assert "taken for an ADF-STEM image, since the file names none" in chosen(replace(crystal, modality="")).reason
    assert "taken for" not in chosen(crystal).reason
