"""Fine-tuning that keeps what a network has learnt on its way down, and says what it has cost elsewhere."""

from dataclasses import replace

import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.networks.architectures import build_network
from napari_atomseg.networks.architectures.unet import UnetParams
from napari_atomseg.networks.card import ModelCard
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training import forgetting
from napari_atomseg.training.fit import fit
from napari_atomseg.training.lessons import lesson_of
from napari_atomseg.training.params import TrainParams

PARAMS = TrainParams(steps=3, batch=2, patch=32, warm_up=1, validate_every=3, frozen=True)
SMALL = UnetParams(width=4, depth=2, row_context=4, refinements=1)
RECIPE = read_recipe("columns_stem")


@pytest.fixture
def learnt(monkeypatch):
    """Weights of a small network; validation scenes are left out."""
    monkeypatch.setattr("napari_atomseg.training.fit.scenes", lambda *_: iter(()))
    nothing = lambda *_: {"loss": 0.0, "f1": 0.0, "rms_pm": 0.0}  # noqa: E731
    taught = replace(lesson_of(RECIPE), validate=nothing)
    monkeypatch.setattr("napari_atomseg.training.fit.lesson_of", lambda *_: taught)
    torch.manual_seed(0)
    return build_network(SMALL, taught.outputs).state_dict()


def test_the_way_down_stays_and_the_way_up_learns(learnt, tmp_path):
    found = run(fit(RECIPE, SMALL, PARAMS, tmp_path, start_from=dict(learnt), workers=0))
    changed = {name.split(".")[0] for name, before in learnt.items() if not torch.equal(before, found[name])}
    assert changed
    assert not changed & {"stem", "down", "shrink", "rows"}
    assert "heads" in changed


def test_without_a_model_it_is_refused(learnt, tmp_path):
    with pytest.raises(AtomsegError, match="--start-from"):
        run(fit(RECIPE, SMALL, PARAMS, tmp_path, workers=0))


def test_what_was_forgotten_is_told(monkeypatch):
    outputs = lesson_of(RECIPE).outputs
    torch.manual_seed(0)
    before = build_network(SMALL, outputs)
    other = build_network(SMALL, outputs).state_dict()
    reached = iter([{"f1": 0.9, "rms_pm": 9.0, "loss": 1.0}, {"f1": 0.7, "rms_pm": 12.0, "loss": 2.0}])
    monkeypatch.setattr(forgetting, "scenes", lambda *_: iter(()))
    monkeypatch.setattr(forgetting, "lesson_of", lambda *_: replace(lesson_of(RECIPE), validate=lambda *_: next(reached)))
    card = ModelCard(
        name="mine", task="columns", network={"width": 4, "depth": 2, "row_context": 4, "refinements": 1}, outputs=outputs,
        recipe="columns_stem",
    )  # fmt: skip
    found = run(forgetting.general_scores(card, before, other, PARAMS))
    assert found == {
        "general f1 before": 0.9, "general rms_pm before": 9.0, "general f1 after": 0.7, "general rms_pm after": 12.0,
    }  # fmt: skip
    assert run(forgetting.general_scores(replace(card, recipe="theirs"), before, other, PARAMS)) == {}
