import csv
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.networks.architectures.unet import UnetParams
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training import checkpoint, lessons
from napari_atomseg.training.fit import TrainingProgress, _average, _begin, fit, learning_rate
from napari_atomseg.training.params import TrainParams

SMALL = UnetParams(width=4, depth=2, stem=2, row_context=4)
SHORT = TrainParams(steps=8, batch=2, patch=32, validate_every=4, warm_up=2)


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch):
    monkeypatch.setattr(lessons, "BATCHES", 1)
    monkeypatch.setattr(lessons, "BATCH", 2)


@pytest.fixture(scope="module")
def recipe():
    return read_recipe("columns_stem")


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(recipe, tmp_path):
    whole = run(fit(recipe, SMALL, SHORT, tmp_path / "whole", workers=0))
    steps = fit(recipe, SMALL, SHORT, tmp_path / "broken", workers=0)
    while next(steps).done < 5:
        pass
    steps.close()
    assert checkpoint.load(tmp_path / "broken").step == 5
    resumed = run(fit(recipe, SMALL, SHORT, tmp_path / "broken", workers=0, resume=True))
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    first, second = (checkpoint.load(tmp_path / name) for name in ("whole", "broken"))
    assert [entry["loss"] for entry in first.history] == [entry["loss"] for entry in second.history]


def test_a_run_that_is_over_goes_on_if_more_is_asked_for(recipe, tmp_path):
    run(fit(recipe, SMALL, SHORT, tmp_path, workers=0))
    more = replace(SHORT, steps=12)
    last = list(fit(recipe, SMALL, more, tmp_path, workers=0, resume=True))[-1]
    assert (last.done, last.total) == (12, 12)
    assert checkpoint.load(tmp_path).step == 12


def test_statistics_settle(recipe, tmp_path):
    def statistics(step):
        state = checkpoint.load(tmp_path)
        assert state.step == step
        return [value for name, value in state.weights.items() if name.endswith("running_mean")]

    for _ in fit(recipe, SMALL, replace(SHORT, settled=0.5), tmp_path, workers=0, minutes=1e-9):
        pass
    before = statistics(1)
    steps = fit(recipe, SMALL, replace(SHORT, settled=0.5), tmp_path, workers=0, resume=True)
    while next(steps).done < 4:
        pass
    steps.close()
    middle = statistics(4)
    run(fit(recipe, SMALL, replace(SHORT, settled=0.5), tmp_path, workers=0, resume=True))
    assert not all(torch.equal(one, other) for one, other in zip(before, middle, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(middle, statistics(8), strict=True))


def test_worker_processes_give_the_same_run(recipe, tmp_path):
    """Its images agree to the last digits, in which a process with another number of threads may differ."""
    losses = []
    for name, workers in (("alone", 0), ("helped", 1)):
        run(fit(recipe, SMALL, SHORT, tmp_path / name, workers=workers))
        losses.append([entry["loss"] for entry in checkpoint.load(tmp_path / name).history])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3, abs=1e-3)


def test_what_was_reached_is_written_down(recipe, tmp_path):
    run(fit(recipe, SMALL, SHORT, tmp_path, workers=0))
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(float(row["step"])) for row in rows] == [4, 8]
    assert {"f1", "rms_pm", "psnr_background", "training_loss"} <= set(rows[0])
    assert (tmp_path / "history.png").stat().st_size > 1000
    assert not list(tmp_path.glob("*.part*"))


def test_one_scene_can_be_learnt_by_heart(recipe, tmp_path, monkeypatch):
    one = lessons.draw_examples(recipe, 3, 0, 4, 32)
    monkeypatch.setattr(lessons, "draw_examples", lambda *_: one)
    params = TrainParams(steps=60, batch=4, patch=32, validate_every=1000, warm_up=5, learning_rate=5e-3)
    losses = [one.loss for one in fit(recipe, SMALL, params, tmp_path, workers=0) if isinstance(one, TrainingProgress)]
    assert losses[-1] < losses[0] - 1.0


def test_minutes_without_steps_make_the_rate_fall_to_zero_in_time(recipe, tmp_path, monkeypatch):
    """On a clock of our own, which every look moves on by a twentieth of a second."""
    looks = count()
    monkeypatch.setattr("napari_atomseg.training.fit.time", SimpleNamespace(monotonic=lambda: next(looks) / 20))
    params = TrainParams(steps=0, batch=1, patch=32, validate_every=1000)
    seen = list(fit(recipe, SMALL, params, tmp_path, workers=0, minutes=0.05))
    assert seen[-1].total > 1
    assert learning_rate(seen[-1].total, seen[-1].total, params) == pytest.approx(0, abs=1e-9)


def test_preparation_is_shown_and_counts_into_the_minutes(recipe, tmp_path, monkeypatch):
    """On a clock of our own, which goes on only while a scene is drawn."""
    now = [0.0]
    monkeypatch.setattr("napari_atomseg.training.fit.time", SimpleNamespace(monotonic=lambda: now[0]))
    given = []
    monkeypatch.setattr("napari_atomseg.training.fit._planned", lambda run, spent, minutes, every: given.append(minutes) or 1)
    steps = fit(recipe, SMALL, replace(SHORT, steps=0), tmp_path, workers=0, minutes=10.0)
    seen = [next(steps)]
    while not isinstance(seen[-1], TrainingProgress):
        now[0] += 60
        seen.append(next(steps))
    steps.close()
    assert [(one.done, one.total) for one in seen[:-1]] == [(number, 1) for number in (0, 1)]
    assert given == [pytest.approx(10.0 - 2)]


def test_a_run_that_starts_from_weights_begins_with_what_they_reach(recipe, tmp_path):
    weights = run(fit(recipe, SMALL, SHORT, tmp_path / "first", workers=0))
    last = checkpoint.load(tmp_path / "first").history[-1]
    run(fit(recipe, SMALL, SHORT, tmp_path / "second", workers=0, start_from=weights))
    history = checkpoint.load(tmp_path / "second").history
    assert history[0]["step"] == 0
    assert history[0]["f1"] == pytest.approx(last["f1"])
    assert history[0]["loss"] == pytest.approx(last["loss"], rel=1e-4)


def test_the_rate_rises_and_falls():
    params = TrainParams(steps=100, warm_up=10, learning_rate=1e-3)
    rates = [learning_rate(step, 100, params) for step in range(101)]
    assert rates[9] == pytest.approx(1e-3)
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ["hrtem", "nanoparticle_hrtem", "hrsem"])
def test_recipes_of_other_images_are_refused(name, tmp_path):
    with pytest.raises(AtomsegError, match="STEM"):
        run(fit(read_recipe(name), SMALL, SHORT, tmp_path))


def test_a_network_for_one_image_is_refused_a_series(tmp_path):
    with pytest.raises(AtomsegError, match="gives 3 images of a place together, and this unet takes 1"):
        run(fit(read_recipe("hrtem-particles"), SMALL, SHORT, tmp_path))


def test_structures_are_learnt_from_sheets(tmp_path):
    flat = UnetParams(width=4, depth=2, row_context=0)
    run(fit(read_recipe("hrtem-graphene"), flat, SHORT, tmp_path, workers=0))
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"loss", "recall", "precision", "defect recall", "rms_pm"} <= set(rows[-1])
    assert (tmp_path / "history.png").stat().st_size > 1000


def test_another_network_is_not_mistaken_for_the_checkpoint_s(recipe, tmp_path):
    run(fit(recipe, SMALL, SHORT, tmp_path, workers=0))
    with pytest.raises(AtomsegError, match="another run"):
        run(fit(recipe, UnetParams(width=8, depth=2), SHORT, tmp_path, workers=0, resume=True))


def test_nothing_to_go_on_from(recipe, tmp_path):
    with pytest.raises(AtomsegError, match="no checkpoint"):
        run(fit(recipe, SMALL, SHORT, tmp_path / "empty", workers=0, resume=True))


def test_a_damaged_checkpoint_is_told(recipe, tmp_path):
    (tmp_path / checkpoint.NAME).write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00 no json here")
    with pytest.raises(AtomsegError, match="damaged"):
        run(fit(recipe, SMALL, SHORT, tmp_path, workers=0, resume=True))


def test_one_odd_batch_leaves_the_averaged_statistics_soon():
    run_ = _begin(SMALL, SHORT, "cpu", None, COLUMN_OUTPUTS)
    run_.step = 100_000
    name = "stem.1.running_var"
    run_.averaged.state_dict()[name].fill_(1e6)
    weight = run_.averaged.state_dict()["stem.0.weight"].clone()
    for _ in range(2000):
        _average(run_, SHORT)
    assert float(run_.averaged.state_dict()[name].max()) < 2.0
    assert torch.allclose(run_.averaged.state_dict()["stem.0.weight"], weight)
