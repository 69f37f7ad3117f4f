"""Networks on the command line: maps, columns, training and the table of models."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ase.io import write
from spots import draw, square_lattice

from napari_atomseg.cli.train import shaped
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.networks import zoo
from napari_atomseg.networks.architectures.cgrdn import CgrdnParams
from napari_atomseg.networks.architectures.unet import Unet, UnetParams
from napari_atomseg.networks.card import ModelCard
from napari_atomseg.readers.registry import read
from napari_atomseg.specimens.library import crystal
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training import lessons
from napari_atomseg.workflows import train
from napari_atomseg.workflows.training import run_settings

SHAPE = (100, 110)
SMALL = {"width": 4, "depth": 2, "stem": 2, "row_context": 0}
SHORT = ("--steps", 4, "--batch", 1, "--patch", 32, "--width", 4, "--depth", 2, "--row-context", 0, "--workers", 0)


@pytest.fixture(autouse=True)
def models(tmp_path_factory, monkeypatch):
    """A user's folder of models that is nobody's."""
    folder = tmp_path_factory.mktemp("user") / "models"
    monkeypatch.setenv(zoo.ENVIRONMENT, str(folder))
    monkeypatch.setattr(zoo, "shipped_folder", lambda: folder.parent / "none")
    return folder


@pytest.fixture
def small(models):
    """A network that never learnt anything, but the centre of its map is the image's own."""
    torch.manual_seed(1)
    card = ModelCard(name="small", network=SMALL, sampling_range=(0.05, 0.3), licence="CC0-1.0", scores={"validation f1": 0.5})
    zoo.save_model(card, Unet(UnetParams(**SMALL)).state_dict(), models)
    return "small"


@pytest.fixture
def image(rng, tmp_path):
    def save(name, frames=0):
        data = (draw(square_lattice(SHAPE, 16, margin=10), 2.2, SHAPE) + rng.normal(0, 2, SHAPE)).astype(np.float32)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.stack([data] * frames) if frames else data)
        return path

    return save


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_locate_says_which_pixel_size_a_network_had_to_estimate(call, small, image, tmp_path):
    path, out = image("scan.npy"), tmp_path / "found.csv"
    options = ("--model", small, "--no-refine", "-o", out, "--force")
    _, _, said = call("locate", path, *options)
    assert "note: scan.npy: the network took" in said
    assert "estimated from columns that are" in said
    assert "; the file gives none, and --pixel-size gives the true one" in said
    described = json.loads(out.with_suffix(".json").read_text())
    assert (described["pixel_size_angstrom"], described["pixel_size_source"]) == (None, "")
    assert "estimated" not in call("locate", path, *options, "--pixel-size", "0.2A")[2]
    assert json.loads(out.with_suffix(".json").read_text())["pixel_size_source"] == "typed"


@pytest.mark.parametrize("task", ["columns", "mask", "denoise", "background", "deblur"])
def test_every_map_comes_back_with_the_image_s_pixels(call, image, small, tmp_path, task):
    status, said, complaints = call(
        "map", image("scan.npy"), "--task", task, "-o", tmp_path / "out.tif", "--pixel-size", "0.2A", "--model", small
    )
    (found,) = read(tmp_path / "out.tif")
    assert (status, complaints) == (0, "")
    assert "scan.npy" in said
    assert found.shape == SHAPE
    assert found.data.dtype == np.float32
    assert found.pixel_size == pytest.approx((0.2, 0.2), rel=1e-5)
    values = np.asarray(found.data)
    assert np.isfinite(values).all()
    if task in ("columns", "mask"):
        assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize("suffix", [".npy", ".hspy", ".zspy", ".tif", ""])
def test_maps_are_written_as_the_suffix_says(call, image, small, tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    assert call("map", image("film.npy", frames=2), "-o", out, "--pixel-size", "20pm", "-q") == (0, "", "")
    (found,) = read(out if suffix else tmp_path / "out.tif")
    assert found.shape == (2, *SHAPE)
    if suffix != ".npy":
        assert found.pixel_size == pytest.approx((0.2, 0.2), rel=1e-5)


def test_one_frame_and_many_images(call, image, small, tmp_path):
    film, scan = image("film.npy", frames=3), image("scan.npy")
    assert call("map", film, "-o", tmp_path / "one.npy", "--frame", 2, "--pixel-size", 0.2, "-q")[0] == 0
    assert np.load(tmp_path / "one.npy").shape == SHAPE
    broken = tmp_path / "broken.ser"
    broken.write_bytes(b"nothing of a microscope")
    status, said, complaints = call("map", film, broken, scan, "-o", f"{tmp_path / 'all'}/", "--pixel-size", 0.2)
    assert status == 1
    assert len(said.splitlines()) == 2
    assert complaints.startswith(str(broken))
    assert len(complaints.splitlines()) == 1
    assert names_in(tmp_path / "all") == ["film.tif", "scan.tif"]


def test_maps_overwrite_nothing_unless_forced_and_no_image_ever(call, image, small, tmp_path):
    path = image("scan.npy")
    before = path.read_bytes()
    (tmp_path / "out.npy").write_text("precious")
    assert "--force" in call("map", path, "-o", tmp_path / "out.npy", "--pixel-size", 0.2)[2]
    assert call("map", path, "-o", tmp_path / "out.npy", "--pixel-size", 0.2, "--force", "-q")[0] == 0
    status, _, complaints = call("map", path, "-o", path, "--pixel-size", 0.2, "--force")
    assert status == 1
    assert "one of the images" in complaints
    assert path.read_bytes() == before


def test_a_pixel_size_out_of_the_model_s_range_is_told(call, image, small, tmp_path):
    status, _, complaints = call("map", image("scan.npy"), "-o", tmp_path / "out.tif", "--pixel-size", "5A")
    assert status == 1
    assert "5 pm/px to 30 pm/px" in complaints
    assert len(complaints.splitlines()) == 1
    assert not (tmp_path / "out.tif").exists()


def test_an_estimated_pixel_size_is_said(call, image, small, tmp_path):
    status, _, complaints = call("map", image("scan.npy"), "-o", tmp_path / "out.tif")
    assert status == 0
    assert "estimated" in complaints
    assert read(tmp_path / "out.tif")[0].pixel_size is None


def test_without_a_network_that_is_said(call, image, tmp_path):
    status, _, complaints = call("map", image("scan.npy"), "-o", tmp_path / "out.tif", "--pixel-size", 0.2)
    assert status == 1
    assert "no network" in complaints


@pytest.mark.parametrize(
    "words",
    [
        ["map", "a.tif"],
        ["map", "a.tif", "-o", "a.csv"],
        ["map", "a.tif", "b.tif", "-o", "c.tif"],
        ["map", "a.tif", "-o", "b.tif", "--task", "tea"],
        ["map", "a.tif", "-o", "b.tif", "--model", "classical"],
        ["map", "a.tif", "-o", "b.tif", "--device", "abacus"],
        ["map", "a.tif", "-o", "b.tif", "--frame", "first"],
        ["train"],
        ["train", "columns_stem", "--crystal", "a.cif"],
        ["train", "columns_stem", "--metal", "Ag"],
        ["train", "--crystal", "a.cif", "--metal", "Ag"],
        ["train", "columns_stem", "--lattice-constant", "4A"],
        ["train", "--metal", "Ag", "--lattice-constant", "40A"],
        ["train", "--crystal", "a.cif", "--zone", "up"],
        ["train", "--crystal", "a.cif", "--zone", "0,0,0"],
        ["train", "columns_stem", "--steps", "-1"],
        ["train", "columns_stem", "--loss", "grief"],
        ["train", "columns_stem", "--minutes", "0"],
        ["train", "columns_stem", "--device", "abacus"],
        ["train", "columns_stem", "--start-from", "nothing"],
    ],
)
def test_wrong_use_is_told_from_failure(call, words):
    status, said, complaints = call(*words)
    assert status == 2
    assert said == ""
    assert "Usage:" in complaints


def test_columns_are_located_by_a_network_by_name_and_by_folder(call, image, small, models, tmp_path):
    for number, model in enumerate((small, models / small)):
        out = tmp_path / f"out{number}.csv"
        words = ("locate", image("scan.npy"), "-o", out, "--model", model, "--pixel-size", "0.2A", "--no-refine")
        assert call(*words)[0] == 0
        assert {"y_px", "x_px", "confidence", "network_y_px", "network_x_px", "network_std_px"} <= set(pd.read_csv(out))
        described = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
        assert described["model"] == str(model)


def test_a_damaged_network_locates_nothing(call, image, small, models, tmp_path):
    weights = models / small / "weights.safetensors"
    # Once in use, it is still looked at again.
    assert call("map", image("scan.npy"), "-o", tmp_path / "out.tif", "--pixel-size", 0.2, "-q")[0] == 0
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 0xFF]))
    status, _, complaints = call("locate", image("scan.npy"), "-o", tmp_path / "out.csv", "--model", small, "--pixel-size", 0.2)
    assert status == 1
    assert "checksum" in complaints
    assert "does not fit" in call("models")[1]


def test_models_are_listed_for_people_and_for_programs(call, small, models):
    status, said, _ = call("models")
    assert status == 0
    assert "classical" in said
    assert all(word in said for word in (small, "0.2 Å", "0.500", "ok", "CC0-1.0", str(models / small)))
    classical, network = json.loads(call("models", "--json")[1])
    assert set(classical) <= set(network)
    assert network["score"] == 0.5
    assert Path(network["weights"]).is_file()


def test_a_model_that_cannot_be_read_is_listed_with_its_problem(call, small, models):
    (models / small / "card.yaml").write_text("{unclosed")
    status, said, _ = call("models")
    assert status == 0
    assert "YAML" in said


@pytest.fixture
def few_scenes(monkeypatch):
    monkeypatch.setattr(lessons, "BATCHES", 1)
    monkeypatch.setattr(lessons, "BATCH", 2)


def test_a_trained_model_is_named_listed_and_used(call, image, few_scenes, models, tmp_path):
    status, said, complaints = call("train", "columns_stem", *SHORT, "--name", "mine", "-o", tmp_path / "run")
    assert (status, complaints) == (0, "")
    assert "--model mine" in said
    assert "4 updates" in said
    assert {"checkpoint.safetensors", "history.csv", "history.png"} <= set(names_in(tmp_path / "run"))
    assert "mine" in call("models")[1]
    words = ("map", image("scan.npy"), "-o", tmp_path / "out.tif", "--model", "mine", "--pixel-size", 0.2, "-q")
    assert call(*words)[0] == 0
    # A second run does not overwrite the first by mistake, and none takes a name twice.
    status, _, complaints = call("train", "columns_stem", *SHORT, "--name", "mine", "-o", tmp_path / "run")
    assert status == 1
    assert "--resume goes on" in complaints
    assert call("train", "columns_stem", *SHORT, "--name", "mine", "-o", tmp_path / "run", "--force", "-q")[0] == 0
    assert names_in(models) == ["mine", "mine-2"]


def test_a_resumed_run_keeps_the_settings_that_it_began_with(call, few_scenes, models, tmp_path):
    run = tmp_path / "run"
    assert call("train", "columns_stem", *SHORT, "--seed", 5, "-o", run, "-q")[0] == 0
    network, params = run_settings(read_recipe("columns_stem"), run)
    assert (network.width, network.depth, params.seed, params.patch) == (4, 2, 5, 32)
    assert call("train", "columns_stem", "--resume", "-o", run, "--workers", 0, "-q")[0] == 0
    status, _, complaints = call("train", "columns_stem", "--resume", "-o", tmp_path / "none")
    assert status == 1
    assert "no checkpoint" in complaints


def test_a_model_is_taught_a_crystal(call, few_scenes, small, models, tmp_path):
    structure = tmp_path / "perovskite.cif"
    write(structure, crystal("SrTiO3"))
    words = ("train", "--crystal", structure, "--zone", "1,1,0", "--start-from", small, "--steps", 2, "--batch", 1)
    status, said, complaints = call(*words, "--patch", 32, "--workers", 0, "-o", tmp_path / "run")
    assert (status, complaints) == (0, "")
    assert "columns_perovskite_110" in said
    card = zoo.load_model("columns_perovskite_110").card
    assert SMALL.items() <= dict(card.network).items()
    assert card.training["started_from"] == small
    assert card.training["learning_rate"] == pytest.approx(5e-4)
    assert call("train", "--crystal", tmp_path / "none.cif")[0] == 1
    status, _, complaints = call("train", "--metal", "Fe")
    assert status == 1
    assert "give the lattice constant" in complaints


def test_minutes_alone_say_when_a_run_is_over(few_scenes, small, models, tmp_path):
    card = train(read_recipe("columns_stem"), start_from=small, folder=tmp_path, minutes=0.03, workers=0)
    assert card.training["steps"] == 0
    assert card.training["updates"] > 0
    assert card.name == "columns_stem"


def test_a_recipe_that_will_not_do_is_one_line(call, tmp_path):
    for recipe in ("unobtainium", "nanoparticle_focal_series"):
        status, _, complaints = call("train", recipe, *SHORT, "-o", tmp_path / recipe)
        assert status == 1
        assert len(complaints.splitlines()) == 1
        assert complaints.startswith(recipe)


def test_the_run_s_folder_is_beside_the_models_if_none_is_named(call, few_scenes, models):
    assert call("train", "columns_stem", *SHORT, "-q")[0] == 0
    assert names_in(models.parent / "training") == [read_recipe("columns_stem").name]
    shutil.rmtree(models.parent / "training")


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(models, tmp_path):
    run = tmp_path / "my run"
    words = ["train", "columns_stem", *map(str, SHORT[2:]), "--steps", "100000", "-o", str(run)]
    # A shell's background jobs inherit an ignored Ctrl-C, which nobody at a keyboard has.
    lines = (
        "import signal, sys",
        "signal.signal(signal.SIGINT, signal.default_int_handler)",
        "from napari_atomseg.cli import main",
        "from napari_atomseg.training import fit, lessons",
        "lessons.BATCHES, lessons.BATCH = 1, 2",
        "update = fit._update",
        "fit._update = lambda *given: (print('updating', flush=True), update(*given))[1]",
        f"main({words!r})",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    for _ in range(3):
        assert "updating" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=600)
    assert process.returncode == 130
    assert "Traceback" not in complaints
    assert "--resume" in complaints
    assert f"'{run}'" in complaints
    assert (run / "checkpoint.safetensors").is_file()
    assert not list(run.glob("*.part"))
    assert not models.exists()


@pytest.mark.slow
def test_a_judge_is_taught_and_kept_by_what_starts_from_it(call, few_scenes, small, models, image, tmp_path):
    few = ("--images", 20, "--updates", 5, "--workers", 0)
    status, said, complaints = call("train-classifier", small, *few, "--name", "judged")
    assert (status, complaints) == (0, "")
    assert "judged" in said
    judged = zoo.load_model("judged")
    assert judged.classifier is not None
    assert judged.card.judge["images"] >= 20
    assert {"judge f1_of_map", "judge f1_judged", "judge calibration_error"} <= set(judged.card.scores)
    assert all(
        torch.equal(one, other)
        for one, other in zip(
            judged.network.state_dict().values(), zoo.load_model(small).network.state_dict().values(), strict=True
        )
    )
    out = tmp_path / "columns.csv"
    assert call("locate", image("scan.npy"), "-o", out, "--model", "judged", "--pixel-size", 0.2, "-q")[0] == 0
    assert {"confidence", "map_confidence"} <= set(pd.read_csv(out, comment="#").columns)
    tuned = ("--start-from", "judged", "--steps", 1, "--batch", 1, "--patch", 32, "--workers", 0, "--name", "tuned", "-q")
    assert call("train", "columns_stem", *tuned)[0] == 0
    weights = zoo.load_model("tuned").classifier.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in judged.classifier.state_dict().items())


@pytest.mark.parametrize(
    "words", [["nothing"], ["small", "--minutes", "0"], ["small", "--images", "1"], ["small", "--recipe", "unobtainium"]]
)
def test_a_judge_of_nothing_is_refused(call, small, words):
    status, _, complaints = call("train-classifier", *words)
    assert status in (1, 2)
    assert "Traceback" not in complaints
    assert complaints


def test_places_that_look_alike_are_left_to_themselves_if_asked(call, image, small, tmp_path):
    scan = image("scan.npy")
    words = ("map", scan, "--task", "denoise", "--pixel-size", 0.2, "-q", "--as-scanned")
    assert call(*words, "-o", tmp_path / "together.npy")[0] == 0
    assert call(*words, "-o", tmp_path / "alone.npy", "--alone")[0] == 0
    together, alone = (np.load(tmp_path / f"{name}.npy") for name in ("together", "alone"))
    assert not np.array_equal(together, alone)
    assert call(*words, "-o", tmp_path / "averaged.npy", "--alone", "--averaged")[0] == 0
    assert not np.array_equal(alone, np.load(tmp_path / "averaged.npy"))


def test_the_shape_of_a_network_is_as_typed():
    drawn, _ = run_settings(read_recipe("restore"))
    typed = {"width": 64, "growth": 32, "layers": 8, "blocks": 4, "groups": 4}
    assert shaped(drawn, None, typed) == CgrdnParams(conditions=drawn.conditions, periodic=True)
    assert shaped(drawn, "unet", {"depth": 3}) == UnetParams(depth=3, conditions=drawn.conditions, periodic=True)
    with pytest.raises(AtomsegError, match="has no --stem"):
        shaped(drawn, None, {"stem": 1})
