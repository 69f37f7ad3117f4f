"""The command ``fit-correction``."""

from __future__ import annotations

import json

import pytest
from drawn_pairs import draw_pairs, save_pairs
from typer.testing import CliRunner

from napari_atomseg.cli import app
from napari_atomseg.workflows import read_correction

QUICK = ["--form", "paper", "--side", "3", "--repeats", "1"]


@pytest.fixture
def folder(tmp_path):
    return save_pairs(tmp_path / "pairs", draw_pairs(2, pixel_size=0.1))


def call(*words):
    return CliRunner().invoke(app, ["fit-correction", *map(str, words)])


def test_terms_and_scores_are_printed_and_the_file_is_written(folder, tmp_path):
    out = tmp_path / "one.json"
    result = call(folder, "-o", out, *QUICK, "--elements", "Pt,Mo")
    assert result.exit_code == 0, result.output
    assert "66 terms, 1-R2 0.0" in result.stdout
    assert "FRMS" in result.stdout
    assert "double precision" in result.stderr
    correction = read_correction(out)
    assert correction.fitted_on.elements == ("Pt", "Mo")
    assert correction.fitted_on.pixel_size == 0.1


def test_options_reach_the_file(folder, tmp_path):
    out = tmp_path / "one.json"
    words = ["--no-log", "--no-interactions", "--split", "block", "--folds", "3", "--seed", "4", "--degree", "3"]
    result = call(folder, "-o", out, *QUICK, *words, "--quiet")
    assert result.exit_code == 0, result.output
    assert result.output == ""
    tree = json.loads(out.read_text())
    assert (tree["side"], tree["degree"], tree["log"], tree["interactions"], tree["terms"]) == (3, 3, False, False, 28)
    assert (tree["cross_validation"]["split"], tree["cross_validation"]["folds"]) == ("block", 3)


def test_figures_are_drawn_on_request(folder, tmp_path):
    result = call(folder, "-o", tmp_path / "one.json", *QUICK, "--figures", tmp_path / "figures", "--leave-out", "0.5")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "figures" / "parity.png").exists()
    assert "50 % left out" in result.stdout


def test_robust_is_the_default_and_tells_of_an_offset(tmp_path):
    folder = save_pairs(tmp_path / "pairs", draw_pairs(2, offset=(0.7, -0.4)))
    result = call(folder, "-o", tmp_path / "one.json", "--repeats", "1")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("robust: ")
    assert "px (y, x) from the convolution images" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--side", "4", "--form", "paper"], "odd"),
        (["--side", "5"], "--form paper"),
        (["--no-log"], "--no-log"),
        (["--form", "best"], "one of"),
        (["--split", "row"], "one of"),
        (["--folds", "1"], "folds"),
        (["--leave-out", "1"], "left_out"),
    ],
)
def test_wrong_use_is_refused(folder, tmp_path, words, said):
    result = call(folder, "-o", tmp_path / "one.json", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "one.json").exists()


def test_what_is_there_is_not_overwritten(folder, tmp_path):
    out = tmp_path / "one.json"
    out.write_text("mine")
    result = call(folder, "-o", out, *QUICK)
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert out.read_text() == "mine"
    assert call(folder, "-o", out, *QUICK, "--force").exit_code == 0


def test_pairs_that_cannot_be_read_end_in_one_sentence(tmp_path):
    result = call(tmp_path, "-o", tmp_path / "one.json")
    assert result.exit_code == 1
    assert "no pairs" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_folds_beside_what_takes_their_place_are_refused(folder, tmp_path):
    result = call(folder, "-o", tmp_path / "one.json", "--folds", "3", "--leave-out", "0.5")
    assert result.exit_code == 2
    assert "--leave-out" in result.output
