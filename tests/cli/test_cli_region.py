"""A part of the image on the command line: the columns there are those that the whole image shows there."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from commands import call

from napari_atomseg.workflows import draw_sample, read
from napari_atomseg.writers.image import write_image

BOX = (15, 20, 140, 120)
TYPED = ",".join(map(str, BOX))
FINDERS = {
    "classical": ("perovskite", ("--no-refine",)),
    "adf-columns": ("perovskite", ("--no-refine",)),
    "hrtem-graphene": ("graphene-bright", ()),
    "hrtem-particles": ("gold-series", ("--series",)),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A part of each sample in a file."""
    folder = tmp_path_factory.mktemp("images")
    for name in {sample for sample, _ in FINDERS.values()}:
        image, _ = draw_sample(name)
        write_image(replace(image, data=image.data[..., :256, :256]), folder / f"{name}.tif")
    return folder


@pytest.mark.parametrize("model", FINDERS)
def test_a_part_holds_what_the_whole_image_shows_there(images, model, tmp_path, capsys):
    sample, more = FINDERS[model]
    words = ("locate", images / f"{sample}.tif", "--model", model, *more)
    assert call(*words, "-o", tmp_path / "whole.csv") == 0
    assert call(*words, "-o", tmp_path / "part.csv", "--region", TYPED) == 0, capsys.readouterr().err
    whole, part = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("whole", "part"))
    y, x = np.rint(whole[["y_px", "x_px"]].to_numpy()).T
    there = whole[(y >= BOX[0]) & (y <= BOX[2]) & (x >= BOX[1]) & (x <= BOX[3])]
    assert 5 < len(part) == len(there) < len(whole)
    assert np.allclose(part[["y_px", "x_px"]], there[["y_px", "x_px"]], atol=0.05)
    if "atom_count" in whole:
        assert part["atom_count"].tolist() == there["atom_count"].tolist()
    (step,) = json.loads((tmp_path / "part.json").read_text(encoding="utf-8"))["steps"]
    assert step["region"] == TYPED


def test_a_recorded_part_is_repeated(images, tmp_path):
    image = images / "perovskite.tif"
    assert call("locate", image, "-o", tmp_path / "part.csv", "--model", "classical", "--region", TYPED) == 0
    assert call("run", tmp_path / "part.json", image, "-o", tmp_path / "again.csv") == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "part.csv").read_bytes()


def test_maps_and_restored_images_of_a_part(images, tmp_path):
    image = images / "graphene-bright.tif"
    words = ("map", image, "--model", "hrtem-graphene", "--task", "structure")
    assert call(*words, "-o", tmp_path / "whole.tif") == 0
    assert call(*words, "-o", tmp_path / "part.tif", "--region", TYPED) == 0
    assert call("restore", image, "-o", tmp_path / "restored.tif", "--region", TYPED) == 0
    whole, part, restored = (read(tmp_path / f"{name}.tif")[0].frame(0) for name in ("whole", "part", "restored"))
    inside = np.zeros(whole.shape, bool)
    inside[BOX[0] : BOX[2] + 1, BOX[1] : BOX[3] + 1] = True
    assert part[inside] == pytest.approx(whole[inside], abs=0.02)
    for one in (part, restored):
        assert np.isfinite(one[inside]).all()
        assert not one[~inside].any() or np.isnan(one[~inside]).all()


@pytest.mark.parametrize("text", ["5,5,2,9", "1,2,3", "here"])
def test_what_is_no_region_is_wrong_use(images, text, tmp_path, capsys):
    assert call("locate", images / "perovskite.tif", "-o", tmp_path / "no.csv", "--region", text) == 2
    assert "--region" in capsys.readouterr().err


def test_what_lies_outside_is_said_with_the_image(images, tmp_path, capsys):
    assert call("locate", images / "perovskite.tif", "-o", tmp_path / "no.csv", "--region", "5000,0,6000,50") == 1
    said = capsys.readouterr().err
    assert "perovskite.tif: the region 5000,0,6000,50 holds no pixel of the image of" in " ".join(said.split())
    assert not (tmp_path / "no.csv").exists()
    words = ("restore", images / "perovskite.tif", "-o", tmp_path / "no.tif", "--region", TYPED, "--spread")
    assert call(*words) == 2
