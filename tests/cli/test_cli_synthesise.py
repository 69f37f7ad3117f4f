"""``synthesise`` and ``train`` refuse what would change nothing."""

import numpy as np
import pytest
from agreement import assert_agree
from commands import call

from napari_atomseg.workflows import read


@pytest.mark.parametrize("option", ["--number", "--seed", "--size"])
def test_records_are_made_again_as_they_are(tmp_path, capsys, option):
    first = tmp_path / "first"
    assert call("synthesise", "temimagenet", "-n", 1, "--size", 32, "--labels", "none", "-o", first) == 0
    assert call("synthesise", first / "records.jsonl", "--labels", "none", "-o", tmp_path / "again", option, 3) == 2
    assert "changes nothing of records" in " ".join(capsys.readouterr().err.split())
    assert call("synthesise", first / "records.jsonl", "--labels", "none", "-o", tmp_path / "again") == 0


def test_the_zone_axis_of_a_recipe_is_its_own(capsys):
    assert call("train", "columns_stem", "--zone", "1,1,0") == 2
    assert "belongs to --crystal" in " ".join(capsys.readouterr().err.split())


def test_workers_draw_the_same_images(tmp_path):
    words = ["synthesise", "temimagenet", "-n", 3, "--size", 64, "--labels", "gaussian", "-q"]
    assert call(*words, "-o", tmp_path / "here") == 0
    assert call(*words, "-o", tmp_path / "there", "--workers", 1) == 0
    one, other = (read(tmp_path / folder / "000002_image.tif")[0].data for folder in ("here", "there"))
    assert_agree(np.asarray(one), np.asarray(other))
    assert (tmp_path / "here" / "records.jsonl").read_text() == (tmp_path / "there" / "records.jsonl").read_text()
