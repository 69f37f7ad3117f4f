import pickle

import pytest
import torch
import yaml

from napari_atomseg.networks import zoo
from napari_atomseg.networks.architectures.unet import Unet, UnetParams
from napari_atomseg.networks.card import NAME, WEIGHTS, ModelCard, ModelError, read_card

SMALL = {"width": 4, "depth": 2, "stem": 2, "row_context": 0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder with one small model."""
    monkeypatch.setenv(zoo.ENVIRONMENT, str(tmp_path / "models"))
    zoo.save_model(ModelCard(name="small", network=SMALL), Unet(UnetParams(**SMALL)).state_dict(), tmp_path / "models")
    return tmp_path / "models" / "small"


def rewritten(folder, **values):
    path = folder / NAME
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))


def test_a_saved_model_comes_back_bit_for_bit(folder):
    network = zoo.load_model("small").network
    assert not network.training
    again = zoo.load_model(str(folder)).network
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert "small" in zoo.list_models()


def test_the_users_models_stand_before_those_of_the_plugin(folder):
    assert next(iter(zoo.list_models())) == "small"


def test_a_name_is_never_taken_twice(folder):
    with pytest.raises(ModelError, match="already"):
        zoo.save_model(ModelCard(name="small", network=SMALL), {}, folder.parent)


def truncate(folder):
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:1000])
    rewritten(folder, sha256=zoo.checksum(path))


def flip(folder):
    path = folder / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)


def pickled(folder):
    (folder / WEIGHTS).unlink()
    (folder / "weights.pt").write_bytes(pickle.dumps({"w": 1}))


def disguised(folder):
    path = folder / WEIGHTS
    path.write_bytes(pickle.dumps({"w": 1}))
    rewritten(folder, sha256=zoo.checksum(path))


def poisoned(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    weights["heads.bias"][0] = float("nan")
    save_file(weights, folder / WEIGHTS)
    rewritten(folder, sha256=zoo.checksum(folder / WEIGHTS))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncate, "not readable as safetensors"),
        (flip, "checksum"),
        (pickled, "never opened"),
        (disguised, "not readable as safetensors"),
        (poisoned, "not finite"),
        (lambda folder: (folder / NAME).unlink(), "no card.yaml"),
        (lambda folder: (folder / WEIGHTS).unlink(), "no weights.safetensors"),
        (lambda folder: (folder / NAME).write_text("{unclosed"), "YAML"),
        (lambda folder: (folder / NAME).write_text("just words"), "a card is a mapping"),
        (lambda folder: rewritten(folder, architecture="transformer"), "architecture"),
        (lambda folder: rewritten(folder, normalisation="whitening"), "normalisation"),
        (lambda folder: rewritten(folder, native_sampling="coarse"), "native_sampling"),
        (lambda folder: rewritten(folder, sampling_range=[1]), "sampling_range"),
        (lambda folder: rewritten(folder, network={**SMALL, "width": 8}), "do not belong"),
        (lambda folder: rewritten(folder, network={"breadth": 8}), "does not describe"),
        (lambda folder: rewritten(folder, scores={"F1": "good"}), "scores have to be numbers"),
        (lambda folder: rewritten(folder, colour="blue"), "does not know colour"),
    ],
)
def test_a_model_that_is_not_what_it_should_be_is_refused_with_what_to_do(folder, spoil, words):
    spoil(folder)
    with pytest.raises(ModelError, match=words) as seen:
        zoo.load_model(str(folder))
    assert ";" in str(seen.value) or "a model is a folder" in str(seen.value)
    assert "\n" not in str(seen.value)


def test_a_model_that_is_not_there(folder):
    with pytest.raises(ModelError, match="models at hand: small"):
        zoo.load_model("large")


def test_import_copies_a_model_that_can_be_loaded(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(zoo.ENVIRONMENT, str(tmp_path / "others"))
    assert zoo.import_model(folder / NAME) == "small"
    assert read_card(tmp_path / "others" / "small").name == "small"
    with pytest.raises(ModelError, match="already"):
        zoo.import_model(folder)


def test_import_refuses_pickles_and_what_cannot_be_loaded(folder, tmp_path, monkeypatch):
    flip(folder)
    monkeypatch.setenv(zoo.ENVIRONMENT, str(tmp_path / "others"))
    with pytest.raises(ModelError, match="checksum"):
        zoo.import_model(folder)
    (tmp_path / "net.pth").write_bytes(b"")
    with pytest.raises(ModelError, match="never opened"):
        zoo.import_model(tmp_path / "net.pth")
    assert not (tmp_path / "others" / "small").exists()
