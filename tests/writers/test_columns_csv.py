import csv
import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.core.columns import FILE_NAMES, Columns
from napari_atomseg.core.errors import ColumnsFileError
from napari_atomseg.readers.columns_table import read_columns
from napari_atomseg.writers.columns_csv import checksum, plain, write_columns


@pytest.fixture
def columns():
    rng = np.random.default_rng(5)
    features = pd.DataFrame(
        {
            "intensity": rng.random(4),
            "confidence": [0.5, np.nan, 1.0, 0.25],
            "fit": ["ok", "border", "failed", "none"],
            "origin": ["model", "manual", "snapped", "classical"],
            "sublattice": ["A", "B, weak", 'C "x"', "Ω site"],
            "atom_count": [1, 2, 3, 4],
        }
    )
    return Columns(
        positions=rng.random((4, 2)) * 100,
        frame=[0, 0, 1, 2],
        features=features,
        pixel_size=(0.1, 0.2),
        image_shape=(3, 120, 130),
        provenance={"image": {"name": "größe.emd"}, "model": "classical", "parameters": {"sigma": np.float32(1.5)}},
    )


def test_header_and_empty_cells_are_those_of_the_contract(columns, tmp_path):
    table, _ = write_columns(columns, tmp_path / "c.csv")
    raw = table.read_bytes()
    assert b"\r" not in raw
    rows = list(csv.DictReader(raw.decode("utf-8").splitlines()))
    assert tuple(rows[0]) == (*FILE_NAMES, "sublattice", "atom_count")
    assert rows[0]["y_std_px"] == rows[1]["confidence"] == ""
    assert float(rows[2]["x_angstrom"]) == pytest.approx(columns.positions[2, 1] * 0.2)


def test_no_angstrom_without_a_pixel_size(tmp_path):
    table, _ = write_columns(Columns(positions=[[1, 2]]), tmp_path / "c.csv")
    row = next(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert (row["y_px"], row["y_angstrom"], row["x_angstrom"]) == ("1.0", "", "")


@pytest.mark.parametrize("name", ["plain.csv", "with spaces and ünïcode 原子.csv", "two.dots.csv"])
def test_round_trip(columns, tmp_path, name):
    table, description = write_columns(columns, tmp_path / name)
    assert (table.name, description.name) == (name, name[:-4] + ".json")
    back = read_columns(table)
    assert np.array_equal(back.positions, columns.positions)
    assert np.array_equal(back.frame, columns.frame)
    assert back.pixel_size == columns.pixel_size
    assert back.image_shape == columns.image_shape
    assert back.provenance["model"] == "classical"
    pd.testing.assert_frame_equal(back.features, columns.features, check_dtype=False)


def test_writing_again_what_was_read_changes_nothing(columns, tmp_path):
    table, description = write_columns(columns, tmp_path / "a.csv")
    again, described = write_columns(read_columns(table), tmp_path / "b.csv")
    assert again.read_bytes() == table.read_bytes()
    assert json.loads(described.read_text(encoding="utf-8")) == json.loads(description.read_text(encoding="utf-8"))


def test_no_columns_at_all(tmp_path):
    table, _ = write_columns(Columns(positions=np.empty((0, 2)), pixel_size=(0.1, 0.1)), tmp_path / "c.csv")
    back = read_columns(table)
    assert len(back) == 0
    assert back.pixel_size == (0.1, 0.1)


def test_description_says_where_the_columns_come_from(tmp_path):
    image = tmp_path / "image.tif"
    image.write_bytes(b"pixels")
    made = Columns(positions=[[1, 2]], provenance={"image": {"name": "image", "path": image}, "pixel_size_source": "typed"})
    _, description = write_columns(made, tmp_path / "c")
    told = json.loads(description.read_text(encoding="utf-8"))
    assert told["image"]["sha256"] == hashlib.sha256(b"pixels").hexdigest()
    assert (told["pixel_size_source"], told["pixel_size_angstrom"], told["columns"]) == ("typed", None, 1)
    assert {"numpy", "scipy"} <= set(told["versions"])
    assert told["time"].endswith("+00:00")


def test_neither_file_changes_if_one_cannot_be_written(columns, tmp_path, monkeypatch):
    table, description = write_columns(columns, tmp_path / "c.csv")
    before = table.read_bytes(), description.read_bytes()

    def fill_the_disk(frame, path, **kwargs):
        path.write_text("y_px,x", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fill_the_disk)
    with pytest.raises(ColumnsFileError, match="disk is full"):
        write_columns(columns.select(np.array([0])), tmp_path / "c.csv")
    assert (table.read_bytes(), description.read_bytes()) == before
    assert len(list(tmp_path.iterdir())) == 2


def test_plain_values_are_fit_for_json():
    assert plain({"a": (np.int64(1), np.nan), 2: {"b": np.array([True])}}) == {"a": [1, None], "2": {"b": [True]}}
    assert plain(Columns) == str(Columns)


def test_checksum_of_no_file(tmp_path):
    assert checksum(tmp_path / "none") is None
