"""Rings and bonds through the door of the library and that of the command line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.cli.app import main
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.workflows import measure
from napari_atomseg.writers.columns_csv import write_columns
from napari_atomseg.writers.image import write_image

SIZE, SHAPE = 0.15, (240, 260)


@pytest.fixture
def image():
    return Micrograph(data=np.zeros(SHAPE, np.float32), pixel_size=(SIZE, SIZE), pixel_size_source="typed", name="sheet")


@pytest.fixture
def columns():
    field = (SHAPE[0] * SIZE, SHAPE[1] * SIZE)
    atoms = defected_graphene(field, DefectedGrapheneParams(vacancies=1), np.random.default_rng(6)).positions / SIZE
    atoms = atoms[np.all((atoms > 0) & (atoms < SHAPE), axis=1)]
    told = pd.DataFrame({"y_std_px": 0.2, "x_std_px": 0.2}, index=range(len(atoms)))
    return Columns(positions=atoms, features=told, pixel_size=(SIZE, SIZE), image_shape=SHAPE)


def test_rings_and_bonds_have_tables_and_numbers(image, columns):
    found = measure(image, columns)
    rings, bonds = found.tables["rings"], found.tables["bonds"]
    assert found.numbers["missing_atoms"] == 1
    assert sorted(rings["size"].unique()) == [6, 12]
    corners = [int(one) for one in rings.loc[rings["size"] == 12, "atoms"].item().split()]
    assert len(corners) == 12
    place = columns.positions[corners].mean(axis=0)
    assert rings.loc[rings["size"] == 12, ["y_px", "x_px"]].to_numpy()[0] == pytest.approx(place)
    assert bonds["length_angstrom"].mean() == pytest.approx(1.42, abs=0.01)
    assert bonds["length_angstrom_std"].to_numpy() == pytest.approx(np.sqrt(2) * 0.2 * SIZE)
    assert set(found.columns.features["neighbours"]) <= {0, 1, 2, 3}


def test_frames_are_measured_each_by_itself(image, columns):
    stack = columns.joined(Columns(positions=columns.positions, frame=np.ones(len(columns), int)))
    found = measure(image, stack)
    assert [one["missing_atoms"] for one in found.numbers["frames"]] == [1, 1]
    assert found.tables["rings"]["frame"].tolist() == sorted(found.tables["rings"]["frame"])


def test_what_cannot_be_measured_is_told(image, columns):
    with pytest.raises(AtomsegError, match="beauty"):
        measure(image, columns, what=("beauty",))
    bare = Micrograph(data=image.data)
    with pytest.raises(MissingCalibrationError, match="pixel size"):
        measure(bare, Columns(positions=columns.positions))


def test_the_command_line_writes_all_of_it(image, columns, tmp_path, capsys):
    write_image(image, tmp_path / "sheet.tif")
    write_columns(columns, tmp_path / "atoms.csv")
    words = ["measure", tmp_path / "atoms.csv", tmp_path / "sheet.tif", "--what", "rings", "-o", tmp_path / "out.csv"]

    def call(*more):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in (*words, *more)])
        return end.value.code

    assert call() == 0
    assert "1 atoms missing" in capsys.readouterr().out
    rings = pd.read_csv(tmp_path / "out_rings.csv")
    assert list(rings.columns[:5]) == ["ring", "size", "y_px", "x_px", "atoms"]
    assert (tmp_path / "out_bonds.csv").is_file()
    assert "neighbours" in pd.read_csv(tmp_path / "out.csv")
    assert json.loads((tmp_path / "out.json").read_text())["measured"]["rings_of_6"] > 100
    assert call() == 1
    assert call("--force") == 0
    assert call("--what", "beauty") == 2
