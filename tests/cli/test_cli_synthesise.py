"""``synthesise`` and ``train`` refuse what would change nothing."""

import pytest
from commands import call


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
