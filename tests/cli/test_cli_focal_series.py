"""Focal series on the command line: one stack, or one file for each image."""

from dataclasses import replace

import pandas as pd
import pytest
from commands import call

from napari_atomseg.workflows import draw_sample
from napari_atomseg.writers.image import write_image

MODEL = ("--model", "hrtem-particles")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The images of the sample's series, each in a file of its own, and a smaller one."""
    folder = tmp_path_factory.mktemp("series")
    image, _ = draw_sample("gold-series")
    names = ("over", "middle", "under")
    for name, plane in zip(names, image.data, strict=True):
        write_image(replace(image, data=plane, name=name), folder / f"{name}.tif")
    write_image(replace(image, data=image.data[0, :200], name="small"), folder / "small.tif")
    return [folder / f"{name}.tif" for name in (*names, "small")]


def test_three_files_with_one_table_are_one_series(files, tmp_path, capsys):
    assert call("locate", *files[:3], "-o", tmp_path / "counted.csv", *MODEL, "--series", "--foci=-170,-40,90") == 0
    said = capsys.readouterr()
    assert "ordered by the foci" in said.err
    table = pd.read_csv(tmp_path / "counted.csv")
    assert len(table) > 40
    assert {"atom_count", "atom_count_probability", "atom_count_probability_3", "atom_count_std"} <= set(table)


def test_images_that_are_no_series_are_refused_in_one_line(files, tmp_path, capsys):
    assert call("locate", *files[:2], files[3], "-o", tmp_path / "no.csv", *MODEL, "--series") == 1
    assert "small has 200 x 250 px where over has 250 x 250" in capsys.readouterr().err
    assert call("locate", files[0], "-o", tmp_path / "no.csv", *MODEL, "--series") == 1
    assert "is one image, and a focal series is a stack of frames" in capsys.readouterr().err
    assert not (tmp_path / "no.csv").exists()


def test_foci_without_a_series_are_refused(files, tmp_path, capsys):
    assert call("locate", files[0], "-o", tmp_path / "no.csv", *MODEL, "--foci=-170,-40,90") == 2
    assert "give --series" in " ".join(capsys.readouterr().err.split())
