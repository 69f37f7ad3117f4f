"""What a network gives is written in its card, and nowhere else."""

from dataclasses import asdict, replace

import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.core.tasks import TASKS
from napari_atomseg.inference.predict import predict
from napari_atomseg.networks import zoo
from napari_atomseg.networks.activate import activate
from napari_atomseg.networks.architectures import ARCHITECTURES, architecture_of, build_network, params_of
from napari_atomseg.networks.card import ModelCard, ModelError, read_card, write_card
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, Output, outputs_from

CLASSES = (
    Output(name="hexagon", activation="softmax", unit="probability", loss="cross_entropy"),
    Output(name="other", activation="softmax", unit="probability", loss="cross_entropy"),
    Output(name="clean", activation="linear", unit="intensity", loss="log_mean_square"),
)
SHAPE = {"width": 4, "depth": 2, "stem": 1, "row_context": 0}


def test_column_networks_give_the_maps_that_users_ask_for():
    assert tuple(output.name for output in COLUMN_OUTPUTS) == TASKS


def test_maps_are_activated_as_the_card_says():
    logits = torch.tensor([0.3, -1.2, 5.0])[:, None, None]
    maps = activate(logits, CLASSES)
    assert float(maps[:2].sum()) == pytest.approx(1)
    assert float(maps[0] / maps[1]) == pytest.approx(float(torch.exp(logits[0] - logits[1])))
    assert float(maps[2]) == 5.0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_takes_any_outputs(architecture):
    params = params_of(architecture)()
    assert architecture_of(params) == architecture
    network = build_network(params, CLASSES).eval()
    side = 2 * int(network.multiple)
    assert network.reach > 0
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, side, side)).shape == (1, len(CLASSES), side, side)


def test_a_network_with_other_outputs_is_saved_loaded_and_used(tmp_path, rng):
    card = ModelCard(name="classes", network=SHAPE, outputs=CLASSES, sampling_range=(0.05, 0.5))
    network = zoo.build(card)
    zoo.save_model(card, network.state_dict(), tmp_path)
    model = zoo.load_model(str(tmp_path / "classes"))
    assert model.card.outputs == CLASSES
    image = 100 + 50 * rng.random((64, 72))
    found = run(predict(model, image, (0.2, 0.2)))
    assert set(found.maps) == {"hexagon", "other", "clean"}
    assert found.maps["hexagon"] + found.maps["other"] == pytest.approx(1, abs=1e-5)
    with pytest.raises(AtomsegError, match="there is no map"):
        run(predict(model, image, (0.2, 0.2), ("columns",)))


def test_cards_without_outputs_are_of_networks_for_columns(tmp_path):
    (tmp_path / "card.yaml").write_text("name: old\n")
    assert read_card(tmp_path).outputs == COLUMN_OUTPUTS


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ([], "one entry for each channel"),
        (["columns"], "mapping with a name"),
        ([{**asdict(CLASSES[0]), "activation": "tanh"}], "activation of an output"),
        ([{**asdict(CLASSES[0]), "colour": "red"}], "cannot be read"),
        ([asdict(CLASSES[0]), asdict(CLASSES[0])], "same name"),
    ],
)
def test_outputs_that_make_no_sense_are_refused(tmp_path, values, seen):
    with pytest.raises(AtomsegError, match=seen):
        outputs_from(values)
    write_card(ModelCard(name="odd"), tmp_path)
    text = (tmp_path / "card.yaml").read_text()
    import yaml

    (tmp_path / "card.yaml").write_text(yaml.safe_dump({**yaml.safe_load(text), "outputs": values}))
    with pytest.raises(ModelError, match=seen):
        read_card(tmp_path)


def test_an_unknown_architecture_is_refused(tmp_path):
    write_card(replace(ModelCard(name="new"), architecture="transformer"), tmp_path)
    with pytest.raises(ModelError, match="knows no architecture"):
        read_card(tmp_path)
