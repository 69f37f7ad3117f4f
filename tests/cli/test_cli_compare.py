"""``compare`` on the command line."""

import json

import numpy as np
import pandas as pd
import pytest
from commands import call
from spots import draw

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.workflows import read
from napari_atomseg.writers.columns_csv import write_columns
from napari_atomseg.writers.image import write_image

CELLS = np.stack(np.meshgrid(np.arange(1, 5), np.arange(1, 6), indexing="ij"), -1).reshape(-1, 2) * 3.9
HEIGHTS = np.random.default_rng(2).uniform(80, 120, len(CELLS))


@pytest.fixture
def files(tmp_path):
    """A simulation with its pixel size, an experiment without one, and its columns."""
    model = draw(CELLS / 0.2, 2.5, (90, 110), HEIGHTS).astype(np.float32)
    recorded = draw((CELLS + 0.5) / 0.2, 2.5, (95, 105), 2 * HEIGHTS).astype(np.float32)
    write_image(Micrograph(data=model, pixel_size=(0.2, 0.2)), tmp_path / "model.tif")
    write_image(Micrograph(data=recorded), tmp_path / "recorded.npy")
    write_columns(Columns(positions=(CELLS + 0.5) / 0.2), tmp_path / "columns.csv")
    return tmp_path


def test_a_folder_of_numbers_and_pictures(files, capsys):
    words = ["compare", files / "model.tif", files / "recorded.npy", "-o", files / "out", "--pixel-size", "20pm"]
    assert call(*words, "--columns", files / "columns.csv") == 0
    said = capsys.readouterr().out
    for word in ("1-R2", "FRMS", "SSIM", "shift 0.500, 0.500 Å", "rotation", "magnification 1.0000"):
        assert word in said
    told = json.loads((files / "out" / "comparison.json").read_text())
    assert told["gain"] == pytest.approx(2, rel=1e-3)
    assert len(told["simulated"]["sha256"]) == len(told["experimental"]["sha256"]) == 64
    assert told["experimental"]["pixel_size_source"] == "typed"
    assert pd.read_csv(files / "out" / "columns.csv")["dy_pm"].abs().max() < 0.5
    assert call(*words) == 1
    assert "--force" in capsys.readouterr().err
    assert call(*words, "--force", "--no-rotation", "--no-scale", "--quiet") == 0
    told = json.loads((files / "out" / "comparison.json").read_text())
    assert (told["rotation_deg"], told["magnification"]) == (0, 1)


def test_columns_in_another_unit_are_told_or_doubted(files, capsys):
    table = files / "theirs.csv"
    pd.DataFrame((CELLS[:, ::-1] + 0.5) * 100 + 20).to_csv(table)
    words = [
        "compare",
        files / "model.tif",
        files / "recorded.npy",
        "-o",
        files / "out",
        "--pixel-size",
        "20pm",
        "--columns",
        table,
    ]
    assert call(*words, "--unit", "pm", "--first-index", 1) == 0
    assert "the header only counts the columns" in capsys.readouterr().err
    assert pd.read_csv(files / "out" / "columns.csv")["dy_pm"].abs().max() < 0.5
    call(*words, "--force")
    assert "they would fill it if they are in pm; say with --unit" in capsys.readouterr().err
    assert call(*words, "--force", "--unit", "furlong") == 2


def test_a_stack_needs_a_frame(files, capsys):
    plane = np.load(files / "recorded.npy")
    write_image(Micrograph(data=np.stack([0 * plane, plane]), pixel_size=(0.2, 0.2), frame_time_s=1), files / "stack.tif")
    words = ["compare", files / "model.tif", files / "stack.tif", "-o", files / "out"]
    assert call(*words) == 1
    assert "choose one with --frame" in capsys.readouterr().err
    assert call(*words, "--frame", "1") == 0
    assert call(*words, "--frame", "2", "--force") == 1
    assert "not frame 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "pixel size is unknown"),
        (["--pixel-size", "8A"], "a factor of 40"),
        (["--pixel-size", "20pm", "--absolute"], "between 0 and 1"),
        (["--pixel-size", "20pm", "--columns", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_line(files, capsys, options, words):
    assert call("compare", files / "model.tif", files / "recorded.npy", "-o", files / "out", *options) == 1
    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert not (files / "out").exists()


def test_inputs_are_never_overwritten(files, capsys):
    (files / "model.tif").rename(files / "simulated.tif")
    words = ["compare", files / "simulated.tif", files / "recorded.npy", "-o", files, "--pixel-size", "20pm", "--force"]
    before = (files / "simulated.tif").read_bytes()
    assert call(*words) == 1
    assert "write to another folder" in capsys.readouterr().err
    assert (files / "simulated.tif").read_bytes() == before
    assert call(*words[:4], files / "recorded.npy", *words[5:]) == 1
    assert "is a file" in capsys.readouterr().err


def test_the_former_name_of_absolute_intensities_still_works(files, capsys):
    for name in ("model", "recorded"):
        shares = read(next(files.glob(f"{name}.*")))[0].data / 1000
        write_image(Micrograph(data=shares, pixel_size=(0.2, 0.2)), files / f"{name}_shares.tif")
    words = ["compare", files / "model_shares.tif", files / "recorded_shares.tif", "--quiet"]
    for number, option in enumerate((["--absolute"], ["--intensities", "absolute"])):
        assert call(*words, "-o", files / str(number), *option) == 0
    former, now = (json.loads((files / str(number) / "comparison.json").read_text()) for number in (0, 1))
    assert former["gain"] == now["gain"] == 1
    assert former["parameters"] == now["parameters"]


def test_a_limit_of_what_is_not_fitted_is_refused(files, capsys):
    words = ["compare", files / "model.tif", files / "recorded.npy", "-o", files / "out", "--pixel-size", "20pm"]
    assert call(*words, "--no-rotation", "--largest-rotation", 2) == 2
    assert "no effect beside --no-rotation" in " ".join(capsys.readouterr().err.split())
