import numpy as np
import pytest
import torch
from torch import nn

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.networks.candidate_classifier import FEATURES, CandidateClassifier, CandidateClassifierParams
from napari_atomseg.networks.card import ModelCard
from napari_atomseg.networks.zoo import Model
from napari_atomseg.synthesis.recipe import read_recipe
from napari_atomseg.training.classifier import samples
from napari_atomseg.training.classifier.fit import HELD_OUT, fit_classifier, learn, report
from napari_atomseg.training.classifier.params import ClassifierTrainParams
from napari_atomseg.training.classifier.samples import TrainingSamples

PARAMS = ClassifierTrainParams(images=20, updates=150, batch=256, width=8, learning_rate=0.01)
TELLING = FEATURES.index("seen_like"), FEATURES.index("height")


def toy_cases(seed, images=42, candidates=60):
    """Two numbers tell together what is a column; the map has only an inkling of it."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(images):
        features = rng.normal(size=(candidates, len(FEATURES))).astype(np.float32)
        truth = features[:, TELLING[0]] + features[:, TELLING[1]]
        right = rng.uniform(size=candidates) < 1 / (1 + np.exp(-4 * truth))
        confidence = np.clip(0.5 + 0.1 * truth + rng.normal(0, 0.3, candidates), 0, 1)
        made.append(TrainingSamples(features=features, is_column=right, confidence=confidence, missed=2))
    return made


@pytest.fixture(scope="module")
def toy():
    return toy_cases(1)


@pytest.fixture(scope="module")
def judge(toy):
    return run(learn(toy, PARAMS))


def same(first, second):
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@pytest.mark.slow
def test_the_judge_tells_better_than_the_map(judge):
    scores = report(judge, toy_cases(2))
    assert scores["f1_judged"] > scores["f1_of_map"] + 0.08
    assert scores["f1_judged"] > 0.8
    assert scores["calibration_error"] < 0.08


def test_a_judge_without_training_is_no_better(toy):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        scores = report(CandidateClassifier(CandidateClassifierParams(width=8)).eval(), toy)
    assert scores["f1_judged"] < 0.8


def test_the_same_seed_gives_the_same_judge_and_another_another(toy, judge):
    before = torch.random.get_rng_state()
    assert same(run(learn(toy, PARAMS)), judge)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not same(
        run(learn(toy, ClassifierTrainParams(images=20, updates=150, batch=256, width=8, learning_rate=0.01, seed=1))), judge
    )


def test_nothing_is_learnt_from_what_is_held_out(toy, judge):
    other = toy_cases(3)
    mixed = [other[row] if row % HELD_OUT == 0 else case for row, case in enumerate(toy)]
    assert same(run(learn(mixed, PARAMS)), judge)
    mixed[1] = other[1]
    assert not same(run(learn(mixed, PARAMS)), judge)


def test_evidence_that_never_varies_does_no_harm(toy):
    flat = []
    for case in toy:
        features = case.features.copy()
        features[:, 0] = 3.0
        flat.append(TrainingSamples(features=features, is_column=case.is_column, confidence=case.confidence, missed=0))
    scores = report(run(learn(flat, PARAMS)), flat[::HELD_OUT])
    assert scores["f1_judged"] > 0.8


def by_hand(is_column, said, missed):
    """The report on cases that are judged by their first number alone."""
    judge = CandidateClassifier(CandidateClassifierParams(width=2)).eval()
    only = nn.Linear(len(FEATURES), 1)
    judge.members = nn.ModuleList([only])
    with torch.no_grad():
        only.weight.zero_()
        only.weight[0, 0] = 1.0
        only.bias.zero_()
    features = np.zeros((len(is_column), len(FEATURES)), np.float32)
    features[:, 0] = np.log(np.array(said) / (1 - np.array(said)))
    sure = np.ones(len(is_column))
    return report(judge, [TrainingSamples(features=features, is_column=np.array(is_column), confidence=sure, missed=missed)])


def test_the_report_counts_as_one_counts_by_hand():
    scores = by_hand([True, True, True, False], [0.9, 0.8, 0.3, 0.6], missed=1)
    # Two hits of three found and of four there; the map finds all four.
    assert scores["f1_judged"] == pytest.approx(2 * 2 / (3 + 4))
    assert scores["f1_of_map"] == pytest.approx(2 * 3 / (4 + 4))
    assert scores["calibration_error"] == pytest.approx((0.1 + 0.2 + 0.7 + 0.6) / 4, abs=1e-3)


def test_probabilities_that_are_shares_are_calibrated():
    scores = by_hand([True] * 8 + [False] * 2 + [True] * 3 + [False] * 7, [0.8001] * 10 + [0.3001] * 10, missed=0)
    assert scores["calibration_error"] < 0.001


class Bright(nn.Module):
    """Takes a pixel for a column as far as it is bright."""

    def forward(self, image):
        belief = torch.logit(image.clamp(1e-4, 0.99) ** 3)
        return torch.cat([belief, belief, image, image, image], dim=1)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(samples, "SIDES", ((64, 6),))
    return [read_recipe("columns_stem")], Model(ModelCard(name="by hand"), Bright().eval())


def test_a_judge_is_taught_from_a_recipe_and_described_for_a_card(small):
    progress = []
    taught = run(fit_classifier(*small, PARAMS, workers=0), progress.append)
    assert taught.card["features"] == list(FEATURES)
    assert (taught.card["width"], taught.card["recipes"], taught.card["seed"]) == (8, ["columns_stem"], 777)
    assert taught.card["images"] >= PARAMS.images
    assert all(np.isfinite(value) for value in taught.scores.values())
    CandidateClassifier(CandidateClassifierParams(width=8)).load_state_dict(taught.weights)
    drawing, teaching = (
        [one for one in progress if one.message == words] for words in ("drawing images", "training the classifier")
    )
    assert [one.done for one in drawing] == sorted(one.done for one in drawing)
    assert drawing[-1].done == drawing[-1].total == PARAMS.images
    assert teaching[-1].total == PARAMS.updates


def test_too_little_time_is_said(small):
    with pytest.raises(AtomsegError, match="more minutes"):
        run(fit_classifier(*small, PARAMS, minutes=0.0, workers=0))


@pytest.mark.parametrize("wrong", [{"images": 3}, {"updates": 0}, {"width": 1}, {"learning_rate": 0.0}])
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(AtomsegError, match=next(iter(wrong))):
        ClassifierTrainParams(**wrong)
