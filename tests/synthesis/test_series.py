"""Series of synthetic images in a folder, made again from their records."""

from __future__ import annotations

import pytest
from agreement import AFTER_MANY, assert_agree

from napari_atomseg.cli import main
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.workflows import LABELS, read, read_columns, synthesise


def test_images_labels_and_columns_of_a_batch_belong_together():
    (batch,) = synthesise("temimagenet", number=3, seed=2, size=64)
    assert batch.image.shape == (3, 1, 64, 64)
    assert set(batch.labels) == set(LABELS)
    assert len(batch.columns) == len(batch.records) == 3


def test_a_folder_holds_all_and_records_make_it_again(tmp_path, capsys):
    first, again = tmp_path / "first", tmp_path / "again"
    with pytest.raises(SystemExit, match="0"):
        main(["synthesise", "temimagenet", "-n", "2", "--size", "64", "-o", str(first)])
    assert "2 images" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["synthesise", str(first / "records.jsonl"), "-o", str(again), "--labels", "gaussian"])
    (one,), (other,) = read(first / "000001_image.tif"), read(again / "000001_image.tif")
    assert_agree(one.data, other.data, AFTER_MANY)
    assert one.pixel_size == pytest.approx(other.pixel_size)
    assert not (again / "000001_deblurred.tif").exists()
    columns = read_columns(first / "000001_columns.csv")
    assert "atom_count" in columns.features
    assert ((columns.positions > -0.5) & (columns.positions < 63.5)).all()
    with pytest.raises(SystemExit, match="1"):
        main(["synthesise", "temimagenet", "-o", str(first)])
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "message"), [({"number": 0}, "one or more"), ({"size": 3}, "16 to 8192")])
def test_absurd_numbers_are_refused(given, message):
    with pytest.raises(AtomsegError, match=message):
        synthesise("temimagenet", **given)


def test_wrong_names_end_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["synthesise", "nothing", "-o", str(tmp_path / "x")])
    assert "presets" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["synthesise", "temimagenet", "--labels", "beauty", "-o", str(tmp_path / "x")])
    with pytest.raises(SystemExit, match="0"):
        main(["synthesise", "list"])
    assert "temimagenet" in capsys.readouterr().out
