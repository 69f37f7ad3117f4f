import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.networks import zoo
from napari_atomseg.networks.architectures.unet import Unet, UnetParams
from napari_atomseg.networks.candidate_classifier import (
    FARTHEST,
    FEATURES,
    PREFIX,
    CandidateClassifier,
    CandidateClassifierParams,
    joined,
    split,
)
from napari_atomseg.networks.card import NAME, WEIGHTS, ModelCard, ModelError

SMALL = {"width": 4, "depth": 2, "stem": 2, "row_context": 0}
WIDTH = 6
MEMBERS = 2
SHAPE_ON_CARD = {"width": WIDTH, "members": MEMBERS, "features": list(FEATURES)}


def a_judge():
    torch.manual_seed(8)
    judge = CandidateClassifier(CandidateClassifierParams(width=WIDTH, members=MEMBERS))
    judge.mean.copy_(torch.linspace(-1, 1, len(FEATURES)))
    judge.deviation.copy_(torch.linspace(0.5, 2, len(FEATURES)))
    return judge.eval()


def some_evidence(rows=30):
    return torch.from_numpy(np.random.default_rng(3).normal(size=(rows, len(FEATURES))).astype(np.float32))


def saved(folder, name, on_card, judge):
    torch.manual_seed(9)
    weights = joined(Unet(UnetParams(**SMALL)).state_dict(), judge.state_dict() if judge else {})
    zoo.save_model(ModelCard(name=name, network=SMALL, judge=on_card), weights, folder)
    return folder / name


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path, "judged", SHAPE_ON_CARD, a_judge())


def test_a_model_comes_back_with_its_judge(folder):
    model = zoo.load_model(str(folder))
    assert not model.classifier.training
    assert model.classifier.params == CandidateClassifierParams(width=WIDTH, members=MEMBERS)
    with torch.inference_mode():
        assert torch.equal(model.classifier(some_evidence()), a_judge()(some_evidence()))
    assert tuple(model.card.judge["features"]) == FEATURES


def test_the_network_is_the_same_with_and_without_a_judge(folder, tmp_path):
    plain = zoo.load_model(str(saved(tmp_path, "plain", {}, None)))
    assert plain.classifier is None
    for name, value in zoo.load_model(str(folder)).network.state_dict().items():
        assert torch.equal(value, plain.network.state_dict()[name]), name


def on_card(folder, **values):
    path = folder / NAME
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))


def change_weights(folder, change):
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)
    on_card(folder, sha256=zoo.checksum(folder / WEIGHTS))


def without_judge(folder):
    change_weights(folder, lambda weights: [weights.pop(name) for name in list(weights) if name.startswith(PREFIX)])


def of_another_shape(folder):
    change_weights(folder, lambda weights: weights.update({PREFIX + "mean": torch.zeros(len(FEATURES) + 1)}))


def with_more(folder):
    change_weights(folder, lambda weights: weights.update({PREFIX + "verdict": torch.zeros(2)}))


def gone_astray(folder):
    change_weights(folder, lambda weights: weights[PREFIX + "mean"].fill_(float("inf")))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: on_card(folder, judge={**SHAPE_ON_CARD, "features": [*FEATURES[:-1], "colour"]}), "other evidence"),
        (
            lambda folder: on_card(folder, judge={**SHAPE_ON_CARD, "features": list(FEATURES[1:] + FEATURES[:1])}),
            "other evidence",
        ),
        (lambda folder: on_card(folder, judge={"width": WIDTH}), "other evidence"),
        (lambda folder: on_card(folder, judge={"features": list(FEATURES)}), "does not describe a classifier"),
        (lambda folder: on_card(folder, judge={**SHAPE_ON_CARD, "width": "wide"}), "does not describe a classifier"),
        (lambda folder: on_card(folder, judge={**SHAPE_ON_CARD, "width": 1}), "does not describe a classifier"),
        (lambda folder: on_card(folder, judge={**SHAPE_ON_CARD, "width": WIDTH + 2}), "do not belong"),
        (lambda folder: on_card(folder, judge={**SHAPE_ON_CARD, "members": MEMBERS + 1}), "do not belong"),
        (lambda folder: on_card(folder, judge={}), "weights of a classifier that the card does not mention"),
        (without_judge, "do not belong"),
        (of_another_shape, "do not belong"),
        (with_more, "do not belong"),
        (gone_astray, "not finite"),
    ],
)
def test_a_judge_that_is_not_what_it_should_be_is_refused_with_what_to_do(folder, spoil, words):
    spoil(folder)
    with pytest.raises(ModelError, match=words) as seen:
        zoo.load_model(str(folder))
    assert ";" in str(seen.value)
    assert "\n" not in str(seen.value)


def test_weights_are_split_as_they_were_joined():
    network, judge = {"a": torch.ones(1), "judged": torch.ones(3)}, {"mean": torch.zeros(2)}
    assert split(joined(network, judge)) == (network, judge)
    assert split(network) == (network, {})


@pytest.mark.parametrize("width", [0, 1, 2000])
def test_a_judge_has_a_sensible_width(width):
    with pytest.raises(AtomsegError, match="width"):
        CandidateClassifierParams(width=width)


def test_the_answer_is_the_mean_over_its_members():
    judge = a_judge()
    with torch.inference_mode():
        each = judge.each(some_evidence())
        assert each.shape == (MEMBERS, 30)
        assert not torch.allclose(each[0], each[1])
        assert torch.allclose(judge(some_evidence()), each.sigmoid().mean(0))


def test_evidence_far_beyond_the_usual_says_no_more():
    judge = a_judge()
    far = judge.mean + 1.01 * FARTHEST * judge.deviation
    with torch.inference_mode():
        assert torch.equal(judge(far[None]), judge(1e6 * judge.deviation[None]))
        assert torch.isfinite(judge(torch.full((1, len(FEATURES)), 1e30)))


def test_each_candidate_is_judged_by_itself():
    judge, told = a_judge(), some_evidence()
    with torch.inference_mode():
        whole = judge(told)
        assert whole.shape == (len(told),)
        assert judge(told[7:8]) == pytest.approx(whole[7:8], abs=1e-5)
        assert float(whole.std()) > 0


def test_every_feature_has_a_name_of_its_own():
    assert len(set(FEATURES)) == len(FEATURES)
