"""The models at hand: those that come with the plugin, and the user's own."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import napari_atomseg
from napari_atomseg.networks.card import NAME, WEIGHTS, ModelCard, ModelError, read_card, write_card

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_atomseg.networks.candidate_classifier import CandidateClassifier

ENVIRONMENT = "NAPARI_ATOMSEG_MODELS"
"""Names another folder for the user's models."""
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".bin")


@dataclass(frozen=True, eq=False)
class Model:
    """A network ready for use, its card, and the judge of its candidates if it has one."""

    card: ModelCard
    network: nn.Module
    classifier: CandidateClassifier | None = None


def shipped_folder() -> Path:
    """Folder of the models that come with the plugin."""
    package = Path(napari_atomseg.__file__).parent
    inside = package / "models"
    return inside if inside.is_dir() else package.parents[1] / "models"


def user_folder() -> Path:
    """Folder of the user's models; it need not exist."""
    from platformdirs import user_data_path

    given = os.environ.get(ENVIRONMENT)
    return Path(given).expanduser() if given else user_data_path("napari-atomseg", appauthor=False) / "models"


def list_models() -> dict[str, Path]:
    """Folder of every model by its name: the user's first, newest first, then those that come with the plugin, by name."""
    found: dict[str, Path] = {}
    for folder in (user_folder(), shipped_folder()):
        inside = [path.parent for path in folder.glob(f"*/{NAME}")] if folder.is_dir() else []
        inside = sorted(inside, key=lambda one: one.name)
        if folder == user_folder():
            inside = sorted(inside, key=lambda one: -(one / NAME).stat().st_mtime)
        for path in inside:
            found.setdefault(path.name, path)
    return found


def load_model(name: str, device: str = "cpu") -> Model:
    """A model by its name, or by its folder.

    Parameters
    ----------
    name : str
        Of a model at hand, or its folder.
    device : str
        As torch names it.

    Raises
    ------
    ModelError
        If there is none, or its card or weights are not what they should be; nothing is loaded then.
    """
    models = list_models()
    folder = models.get(name) or Path(name)
    if not folder.is_dir():
        raise ModelError(f'there is no model "{name}"; models at hand: {", ".join(models) or "none"}')
    card = read_card(folder)
    import torch

    from napari_atomseg.networks.candidate_classifier import split

    weights, judgement = split(_checked_weights(folder, card))
    network, judge = build(card), build_classifier(card)
    _fill(network, weights, folder)
    network.eval()
    if judge is not None or judgement:
        judge = judge or _no_classifier(folder)
        _fill(judge, judgement, folder)
        judge.eval()
    return Model(card, network.to(device, memory_format=torch.channels_last), judge)  # type: ignore[call-overload]


def build(card: ModelCard) -> nn.Module:
    """The network of a card, with weights yet to come.

    Raises
    ------
    ModelError
        If the card's parameters make no sense.
    """
    from napari_atomseg.core.errors import AtomsegError
    from napari_atomseg.core.params import from_dict
    from napari_atomseg.networks.architectures import build_network, params_of

    try:
        return build_network(from_dict(params_of(card.architecture), card.network), card.outputs)
    except AtomsegError as error:
        raise ModelError(f"{card.name}: the card does not describe a network ({error}); get the model again") from error


def build_classifier(card: ModelCard) -> CandidateClassifier | None:
    """The judge of a card, with weights yet to come; None if it has none.

    Raises
    ------
    ModelError
        If it was taught on other evidence than this version gathers.
    """
    from napari_atomseg.core.errors import AtomsegError
    from napari_atomseg.core.params import from_dict
    from napari_atomseg.networks.candidate_classifier import FEATURES, CandidateClassifier, CandidateClassifierParams

    if not card.judge:
        return None
    if tuple(card.judge.get("features", ())) != FEATURES:
        raise ModelError(
            f"{card.name}: its classifier of candidates knows other evidence than this version gathers; update the plugin, or "
            "get the model again"
        )
    try:
        return CandidateClassifier(
            from_dict(CandidateClassifierParams, {name: card.judge.get(name) for name in ("width", "members")})
        )
    except AtomsegError as error:
        raise ModelError(f"{card.name}: the card does not describe a classifier ({error}); get the model again") from error


def _no_classifier(folder: Path) -> CandidateClassifier:
    raise ModelError(f"{folder}: there are weights of a classifier that the card does not mention; get the model again")


def save_model(card: ModelCard, weights: Mapping[str, Tensor], folder: Path) -> ModelCard:
    """Write a model into ``folder/NAME``; gives the card with the checksum.

    Parameters
    ----------
    card : ModelCard
        Whose name becomes that of the folder.
    weights : mapping of str to Tensor
        State dictionary of the network, with that of its classifier if it has one.
    folder : Path
        Of the models.

    Raises
    ------
    ModelError
        If a model of that name is there already.
    """
    from safetensors.torch import save_file

    target = folder / card.name
    if target.exists():
        raise ModelError(f"{target}: there is a model of that name already; choose another name")
    partial = folder / f".{card.name}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, partial / WEIGHTS)
    complete = replace(card, sha256=checksum(partial / WEIGHTS))
    write_card(complete, partial)
    os.replace(partial, target)
    return complete


def import_model(given: Path) -> str:
    """Copy a model's folder to the user's models, after it was loaded once; gives its name.

    Raises
    ------
    ModelError
        If it is no model, or one of that name is there.
    """
    if given.is_file() and given.name in (NAME, WEIGHTS):
        given = given.parent
    if given.suffix.lower() in PICKLES:
        raise ModelError(
            f"{given.name}: pickled weights can run any program and are never opened; convert them to {WEIGHTS} and add {NAME}"
        )
    if not given.is_dir():
        raise ModelError(f"{given}: a model is a folder with {NAME} and {WEIGHTS}")
    load_model(str(given.resolve()))
    target = user_folder() / given.name
    if target.exists():
        raise ModelError(f"{target}: there is a model of that name already; rename the folder that you import")
    partial = user_folder() / f".{given.name}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in (NAME, WEIGHTS):
        shutil.copyfile(given / name, partial / name)
    os.replace(partial, target)
    return given.name


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked_weights(folder: Path, card: ModelCard) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    if not path.is_file():
        others = sorted(other.name for other in folder.iterdir() if other.suffix.lower() in PICKLES)
        seen = f", only {', '.join(others)}, which is pickled and never opened" if others else ""
        raise ModelError(f"{folder}: there is no {WEIGHTS}{seen}; get the model again")
    if card.sha256 and checksum(path) != card.sha256:
        raise ModelError(f"{path}: its checksum is not the one of the card, so it was damaged or changed; get the model again")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as safetensors ({error}); get the model again") from error


def _fill(network: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    import torch

    expected = network.state_dict()
    wrong = [name for name, value in expected.items() if name not in weights or weights[name].shape != value.shape]
    more = sorted(set(weights) - set(expected))
    if wrong or more:
        raise ModelError(
            f"{folder}: the weights do not belong to the card's network ({(wrong + more)[0]} and {len(wrong + more) - 1} more "
            "do not fit); get the model again"
        )
    if not all(bool(torch.isfinite(value).all()) for value in weights.values() if value.is_floating_point()):
        raise ModelError(f"{folder}: some weights are not finite, so training went astray; use another model")
    network.load_state_dict(dict(weights))


def free_name(wanted: str, taken: list[str]) -> str:
    """The name, with a number if it is taken.

    Parameters
    ----------
    wanted : str
    taken : list of str
    """
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"
