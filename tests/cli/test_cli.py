"""The command line as scripts see it: exit status, files, and what is said where."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from spots import draw, square_lattice

from napari_atomseg.cli.files import dataset_lines
from napari_atomseg.cli.output_paths import names_of, targets_of
from napari_atomseg.cli.window import with_sample_named
from napari_atomseg.workflows import RefineParams

SHAPE = (100, 110)
TRUE = square_lattice(SHAPE, 16, margin=10)


@pytest.fixture
def image(rng, tmp_path):
    def write(name, frames=0):
        data = (draw(TRUE, 2.2, SHAPE) + rng.normal(0, 2, SHAPE)).astype(np.float32)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.stack([data] * frames) if frames else data)
        return path

    return write


def leftovers(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_locate_writes_a_table_and_its_description(call, image, tmp_path):
    status, said, complaints = call("locate", image("scan.npy"), "-o", tmp_path / "out.csv", "--pixel-size", "10pm")
    table = pd.read_csv(tmp_path / "out.csv")
    described = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert status == 0
    assert "scan.npy" in said
    assert complaints == ""
    assert len(table) >= len(TRUE)
    assert np.allclose(table["y_angstrom"], 0.1 * table["y_px"])
    assert table["x_std_px"].notna().any()
    assert described["pixel_size_source"] == "typed"
    assert len(described["image"]["sha256"]) == 64


def test_without_a_pixel_size_angstrom_stay_empty_and_that_is_said(call, image, tmp_path):
    status, _, complaints = call("locate", image("scan.npy"), "-o", tmp_path / "out", "--no-refine")
    table = pd.read_csv(tmp_path / "out.csv")
    assert status == 0
    assert "--pixel-size" in complaints
    assert table["y_angstrom"].isna().all()
    assert table["x_std_px"].isna().all()


def test_a_structure_needs_a_pixel_size(call, image, tmp_path):
    path = image("scan.npy")
    assert call("locate", path, "-o", tmp_path / "out.xyz")[0] == 1
    assert call("locate", path, "-o", tmp_path / "out.xyz", "--pixel-size", "0.1A")[0] == 0
    assert leftovers(tmp_path) == ["out.xyz", "scan.npy"]


def test_nothing_is_overwritten_unless_forced(call, image, tmp_path):
    path, other = image("scan.npy"), tmp_path / "out.json"
    other.write_text("precious")
    status, _, complaints = call("locate", path, "-o", tmp_path / "out.csv")
    assert status == 1
    assert "--force" in complaints
    assert other.read_text() == "precious"
    assert call("locate", path, "-o", tmp_path / "out.csv", "--force")[0] == 0


def test_bad_inputs_keep_nobody_from_being_done(call, image, tmp_path):
    good, best = image("good.npy"), image("söhne & töchter.npy")
    broken = tmp_path / "broken.ser"
    broken.write_bytes(b"nothing of a microscope")
    out = tmp_path / "Größe 1"
    status, said, complaints = call("locate", good, broken, tmp_path / "missing.tif", best, "-o", f"{out}/", "--no-refine")
    lines = [line for line in complaints.splitlines() if not line.startswith("note:")]
    assert status == 1
    assert len(lines) == 2
    assert lines[0].startswith(str(broken))
    assert lines[1] == f"{tmp_path / 'missing.tif'}: there is no such file; check its name and folder"
    assert "Traceback" not in complaints
    assert leftovers(out) == ["good.csv", "good.json", "söhne & töchter.csv", "söhne & töchter.json"]
    assert len(said.splitlines()) == 2


def test_names_that_clash_get_their_folder(call, image, tmp_path):
    first, second = image("monday/scan.npy"), image("tuesday/scan.npy")
    assert call("locate", first, second, "-o", f"{tmp_path / 'out'}/", "--no-refine", "-q")[0] == 0
    assert leftovers(tmp_path / "out") == ["monday_scan.csv", "monday_scan.json", "tuesday_scan.csv", "tuesday_scan.json"]


@pytest.mark.parametrize(
    "paths",
    [
        ["a/x.tif", "b/x.tif", "b/y.tif"],
        ["a/x.tif", "a/x.ser", "b/X.tif"],
        ["r/1/x.tif", "r/2/x.tif", "s/1/x.tif"],
        ["a/x.tif", "b/x.tif", "c/a_x.tif"],
        ["a/x.tif", "a/x.ser", "a/x_tif.png"],
    ],
)
def test_names_are_always_different(paths, tmp_path):
    names = names_of([tmp_path / path for path in paths])
    assert len({name.lower() for name in names}) == len(paths)


def test_an_input_given_twice_is_done_once(tmp_path):
    assert len(targets_of([tmp_path / "x.tif", tmp_path / "." / "x.tif"], str(tmp_path))) == 1


def test_a_stack_is_searched_frame_by_frame(call, image, tmp_path):
    stack = image("film.npy", frames=3)
    assert call("locate", stack, "-o", tmp_path / "all.csv", "--no-refine", "-q") == (0, "", "")
    assert set(pd.read_csv(tmp_path / "all.csv")["frame"]) == {0, 1, 2}
    assert call("locate", stack, "-o", tmp_path / "one.csv", "--frame", "1", "--no-refine", "-q")[0] == 0
    assert set(pd.read_csv(tmp_path / "one.csv")["frame"]) == {1}
    status, _, complaints = call("locate", stack, "-o", tmp_path / "none.csv", "--frame", "3")
    assert status == 1
    assert "frames 0 to 2" in complaints


@pytest.mark.parametrize(
    "words",
    [
        ["locate", "a.tif"],
        ["locate", "a.tif", "b.tif", "-o", "c.csv"],
        ["locate", "a.tif", "-o", "a.png"],
        ["locate", "a.tif", "-o", "a.csv", "--model", "oracle"],
        ["locate", "a.tif", "-o", "a.csv", "--pixel-size", "5kg"],
        ["locate", "a.tif", "-o", "a.csv", "--pixel-size", "0"],
        ["locate", "a.tif", "-o", "a.csv", "--frame", "first"],
        ["locate", "a.tif", "-o", "a.csv", "--polarity", "grey"],
        ["refine", "a.csv", "a.tif", "-o", "b.csv", "--width", "half"],
        ["refine", "a.csv", "a.tif", "-o", "b.csv", "--likelihood", "half"],
        ["open", "--sample", "unobtainium"],
        ["conjure"],
        ["info"],
    ],
)
def test_wrong_use_is_told_from_failure(call, words):
    status, said, complaints = call(*words)
    assert status == 2
    assert said == ""
    assert "Usage:" in complaints


def test_refine_fits_a_table_again(call, image, tmp_path):
    path, table = image("scan.npy"), tmp_path / "hand.csv"
    pd.DataFrame({"X": np.round(TRUE[:, 1]), "Y": np.round(TRUE[:, 0])}).to_csv(table, index=False)
    status, said, _ = call("refine", table, path, "-o", tmp_path / "fit.csv", "--width", "shared")
    fitted = pd.read_csv(tmp_path / "fit.csv")
    assert status == 0
    assert "hand.csv" in said
    assert np.abs(fitted[["y_px", "x_px"]].to_numpy() - TRUE).max() < 0.4
    assert call("refine", tmp_path / "none.csv", path, "-o", tmp_path / "x.csv")[0] == 1


PIXEL = 0.2  # Angstrom
OF_UNIT = {"A": 1.0, "nm": 0.1, "pm": 100.0, "px": 1 / PIXEL}


@pytest.mark.parametrize("unit", OF_UNIT)
@pytest.mark.parametrize("first", [0, 1])
def test_refine_is_told_unit_and_first_index(call, image, tmp_path, unit, first):
    path, table, out = image("scan.npy"), tmp_path / "hand.txt", tmp_path / "fit.csv"
    np.savetxt(table, (np.round(TRUE[:, ::-1]) + first) * PIXEL * OF_UNIT[unit])
    options = ("--unit", unit, "--first-index", first, "--pixel-size", f"{PIXEL}A", "-o", out)
    status, _, said = call("refine", table, path, *options)
    assert status == 0, said
    assert np.abs(pd.read_csv(out)[["y_px", "x_px"]].to_numpy() - TRUE).max() < 0.4


def test_refine_notes_what_the_header_says(call, image, tmp_path):
    path, table = image("scan.npy"), tmp_path / "hand.csv"
    x, y = np.round(TRUE[:, ::-1]).T * PIXEL * 100
    pd.DataFrame({"frame": 1, "x (pm)": x, "y (pm)": y}).to_csv(table, index=False)
    status, _, said = call("refine", table, path, "--pixel-size", f"{PIXEL}A", "-o", tmp_path / "fit.csv")
    assert status == 0
    assert 'note: hand.csv: positions were taken to be in pm, as the table says ("x (pm)")' in said
    assert 'note: hand.csv: the lowest "frame" is 1, so that frames were taken to be counted from 1' in said
    described = json.loads((tmp_path / "fit.json").read_text())
    assert len(described["table_notes"]) == 2
    assert described["pixel_size_source"] == "typed"


@pytest.mark.parametrize(("unit", "where"), [("nm", "in the corner of"), ("pm", "outside")])
def test_where_every_fit_fails_the_reason_is_told_and_the_table_kept(call, image, tmp_path, unit, where):
    path, table, out = image("scan.npy"), tmp_path / "hand.csv", tmp_path / "fit.csv"
    x, y = TRUE[:, ::-1].T * PIXEL * OF_UNIT[unit]
    pd.DataFrame({"x": x, "y": y}).to_csv(table, index=False)
    status, _, said = call("refine", table, path, "--pixel-size", f"{PIXEL}A", "-o", out)
    assert status == 1
    # In a corner without columns noise may look like one or two.
    assert re.search(r"(all 26|2[45] of 26) fits failed, so that (no|hardly any) position in fit.csv is confirmed", said)
    assert f"most positions are {where} the image of 100 x 110 px, the largest being y {y.max():.6g}, x {x.max():.6g} px" in said
    assert f"they would fill it if they are in {unit}; say with --unit" in said
    assert len(pd.read_csv(out)) == len(TRUE)


def test_positions_outside_are_doubted_even_where_some_fit(call, image, tmp_path):
    path, table = image("scan.npy"), tmp_path / "hand.csv"
    places = np.concatenate([TRUE[:3], TRUE[3:] + 500])
    pd.DataFrame({"x": places[:, 1], "y": places[:, 0]}).to_csv(table, index=False)
    status, _, said = call("refine", table, path, "-o", tmp_path / "fit.csv")
    assert status == 0
    assert "note: hand.csv: most positions are outside the image of 100 x 110 px" in said
    assert "would fill it" not in said


def test_columns_of_a_corner_are_not_doubted(call, image, tmp_path):
    path, table = image("scan.npy"), tmp_path / "hand.csv"
    corner = TRUE[(TRUE < 28).all(axis=1)]
    pd.DataFrame({"x": corner[:, 1], "y": corner[:, 0]}).to_csv(table, index=False)
    status, _, said = call("refine", table, path, "--pixel-size", f"{PIXEL}A", "-o", tmp_path / "fit.csv")
    assert (status, said) == (0, "")


def test_locate_fails_where_every_fit_fails(call, image, tmp_path, monkeypatch):
    from napari_atomseg import workflows

    def without_a_fit(*arguments, **options):
        found = yield from real(*arguments, **options)
        return found.with_features(fit="failed")

    real = workflows.locate.steps
    monkeypatch.setattr(workflows.locate, "steps", without_a_fit)
    status, said, complaints = call("locate", image("scan.npy"), "-o", tmp_path / "fit.csv", "--model", "classical")
    assert status == 1
    assert "fits failed, so that no position in fit.csv is confirmed; check --polarity" in complaints
    assert str(len(pd.read_csv(tmp_path / "fit.csv"))) in said


@pytest.mark.parametrize(("option", "value"), [("--unit", "furlong"), ("--first-index", 2)])
def test_no_unit_and_no_first_index(call, image, tmp_path, option, value):
    (tmp_path / "hand.csv").write_text("x,y\n1,2\n")
    status, _, said = call("refine", tmp_path / "hand.csv", image("scan.npy"), "-o", tmp_path / "fit.csv", option, value)
    assert status == 2
    assert option in said


def test_refine_weighs_pixels_as_told(call, rng, tmp_path):
    """In an image in counts the two likelihoods differ; left out, it is that of the parameters themselves."""
    path, table = tmp_path / "counts.npy", tmp_path / "hand.csv"
    np.save(path, rng.poisson(draw(TRUE, 2.2, SHAPE, height=50, level=1)).astype(np.float32))
    pd.DataFrame({"y_px": TRUE[:, 0], "x_px": TRUE[:, 1]}).to_csv(table, index=False)
    fits = {}
    for name in ("poisson", "least-squares", None):
        out = tmp_path / f"{name}.csv"
        assert call("refine", table, path, "-o", out, "-q", *(["--likelihood", name] if name else []))[0] == 0
        fits[name] = pd.read_csv(out)[["y_px", "x_px"]].to_numpy()
    assert RefineParams().likelihood == "poisson", "the help says so"
    assert np.array_equal(fits[None], fits["poisson"])
    assert not np.array_equal(fits["poisson"], fits["least-squares"])
    assert np.std(fits["poisson"] - TRUE) < np.std(fits["least-squares"] - TRUE)


def test_info_for_people_and_for_programs(call, image, tmp_path):
    path = image("scan.npy", frames=2)
    status, said, _ = call("info", path)
    assert status == 0
    assert "2 x 100 x 110" in said
    status, said, complaints = call("info", path, tmp_path / "missing.tif", "--json")
    (found,) = json.loads(said)
    assert status == 1
    assert "no such file" in complaints
    assert {"index", "title", "shape", "dtype", "pixel_size_angstrom", "unit_in_file", "modality", "notes"} <= set(found)
    assert found["pixel_size_angstrom"] is None


def test_every_note_stands_below_its_dataset():
    dataset = {"title": "a", "shape": [2, 3], "dtype": "f4", "pixel_size_angstrom": [1, 1], "unit_in_file": "", "modality": ""}
    lines = dataset_lines([{**dataset, "index": 0, "notes": ["first", "second"]}, {**dataset, "index": 1, "notes": ["third"]}])
    assert [line.split()[0] for line in lines] == ["index", "0", "first", "second", "1", "third"]


def test_models_are_listed(call):
    assert "classical" in call("models")[1]
    models = json.loads(call("models", "--json")[1])
    assert {"classical", "adf-columns"} <= {model["name"] for model in models}
    for model in models:
        assert {"name", "task", "licence", "weights", "score"} <= set(model)


@pytest.mark.slow
def test_the_demo_agrees_with_its_known_truth(call, tmp_path):
    status, said, _ = call("demo", "-o", tmp_path / "demo")
    assert status == 0
    assert "0 missed, 0 false" in said
    assert leftovers(tmp_path / "demo") == ["columns.csv", "columns.json", "overlay.png"]
    assert call("demo", "-o", tmp_path / "demo")[0] == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
def test_without_a_display_open_says_so(call, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    status, _, complaints = call("open")
    assert status == 1
    assert len(complaints.splitlines()) == 1
    assert "display" in complaints


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["--sample"], ["--sample=perovskite"]),
        (["--sample", "dumbbells"], ["--sample", "dumbbells"]),
        (["--sample", "a.tif"], ["--sample=perovskite", "a.tif"]),
        (["a.tif", "--sample", "--debug"], ["a.tif", "--sample=perovskite", "--debug"]),
    ],
)
def test_a_sample_may_stand_without_a_name(typed, meant):
    assert with_sample_named(typed) == meant


def test_the_unforeseen_is_one_sentence_unless_debugging(call, image, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_atomseg.workflows.read", lambda *_: 1 / 0)
    status, _, complaints = call("locate", image("a.npy"), "-o", tmp_path / "a.csv")
    assert status == 1
    assert len(complaints.splitlines()) == 1
    assert "Traceback" in call("locate", image("a.npy"), "-o", tmp_path / "a.csv", "--debug")[2]


def test_help_loads_no_more_than_it_needs():
    code = "import sys; from napari_atomseg.cli import main\ntry: main(['--help'])\nfinally: print('LOADED', *sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = said.partition("LOADED")[2].split()
    assert "typer" in loaded
    assert not {"numpy", "pandas", "torch", "napari", "skimage", "abtem"} & set(loaded)


def test_the_version_is_shown(call):
    assert call("--version")[1].startswith("napari-atomseg 0.")


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_stops_soon_and_leaves_whole_files_only(image, tmp_path, rng):
    big = tmp_path / "big.npy"
    np.save(big, np.tile(rng.poisson(5, (1, 1024, 1024)).astype(np.uint8), (60, 1, 1)))
    first = image("first.npy")
    words = ["locate", str(first), str(big), "-o", f"{tmp_path / 'out'}/"]
    # A shell's background jobs inherit an ignored Ctrl-C, which nobody at a keyboard has.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heard}\nfrom napari_atomseg.cli import main; main({words!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert "first.npy" in process.stdout.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    # A guard against hanging; that it stopped in the middle is told by what it left.
    _, complaints = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Traceback" not in complaints
    assert leftovers(tmp_path / "out") == ["first.csv", "first.json"]
