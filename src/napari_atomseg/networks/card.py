"""What a model is and where it is valid: its card, ``card.yaml`` beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.plain_yaml import parse_yaml
from napari_atomseg.networks.architectures import ARCHITECTURES
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, Output, counts_atoms, outputs_from

NAME = "card.yaml"
WEIGHTS = "weights.safetensors"
COLUMNS, STRUCTURES, RESTORATION = "columns", "structures", "restoration"
DENOISED = "denoise"
"""Map of a network for columns that is the image without noise."""
"""Tasks of networks: columns of STEM images, classes of local structure of TEM images, images without noise and distortions."""
BEFORE = "before training"
"""Begins the names of the scores that the model a run started from has on the same scenes."""
NORMALISATION = "quantiles 0.02 and 0.995 of 3 x 3 means"
"""For columns; see :mod:`napari_atomseg.inference.normalise`."""
LOCAL = "local mean and deviation, Gaussian of 12 A"
"""For structures; see :mod:`napari_atomseg.inference.local_normalisation`."""
BEAM = "parts of the local mean, Gaussian of 12 A, less one"
"""For numbers of atoms; see :mod:`napari_atomseg.inference.beam_normalisation`."""
WHOLE = "mean and deviation of the image"
"""For restoration; see :mod:`napari_atomseg.inference.whole_normalisation`."""


class ModelError(AtomsegError):
    """A model cannot be used: its card, its weights or the image do not fit."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A model in words and numbers.

    Attributes
    ----------
    name : str
        That of its folder.
    about : str
        One sentence for people who choose.
    task : str
        ``columns``, ``structures`` for classes of local structure, or ``restoration``.
    architecture : str
        One of :data:`~napari_atomseg.networks.architectures.ARCHITECTURES`.
    network : mapping
        Parameters of the architecture.
    outputs : tuple of Output
        Channels of the network; cards without them are of networks for columns.
    native_sampling : float, Angstrom
        Pixel size at which the network works.
    sampling_range : tuple of float, Angstrom
        Pixel sizes of images between which it was trained, after resampling to the native one from these.
    column_width : float, Angstrom
        Standard deviation of a sure column's Gaussian in the map of columns, or of a sure structure's in that of its class.
    normalisation : str
    reach_px : int
        Pixels on each side that an output can depend on.
    modality : str
        Of the images that it was trained on.
    recipe : str
    judge : mapping
        Shape of the judge of its candidates and how it was taught; empty if it has none.
    training : mapping
        Settings, updates, seconds, machine, command.
    scores : mapping
        Number by name; each name says on what.
    licence : str
    sha256 : str
        Of the weights' file.
    """

    name: str
    about: str = ""
    task: str = COLUMNS
    architecture: str = "unet"
    network: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Output, ...] = COLUMN_OUTPUTS
    native_sampling: float = 0.2
    sampling_range: tuple[float, float] = (0.02, 0.3)
    column_width: float = 0.2
    normalisation: str = NORMALISATION
    reach_px: int = 0
    modality: str = "ADF-STEM"
    recipe: str = ""
    judge: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    foci: tuple[float, ...] = ()
    calibration: Mapping[str, float] = field(default_factory=dict)
    licence: str = ""
    sha256: str = ""

    @property
    def images(self) -> int:
        """How many images of a place the network looks at together."""
        return int(self.network.get("images", 1))

    @property
    def counts(self) -> bool:
        """Whether its classes are numbers of atoms."""
        return counts_atoms(self.outputs)

    @property
    def restores(self) -> bool:
        """Whether it gives images without noise: because it was taught to restore, or as one of its maps of columns."""
        return self.task == RESTORATION or any(output.name == DENOISED for output in self.outputs)

    @property
    def takes_one_of_a_series(self) -> bool:
        """Whether a single image will do, in the middle of the places of a series whose other images are missing."""
        return self.images > 1 and self.normalisation == BEAM


def read_card(folder: Path) -> ModelCard:
    """The card of a model's folder.

    Raises
    ------
    ModelError
        If there is none, or it cannot be understood.
    """
    import yaml

    path = folder / NAME
    if not path.is_file():
        raise ModelError(f"{folder}: a model is a folder with {NAME} and {WEIGHTS}, and there is no {NAME}")
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not readable as YAML ({str(error).splitlines()[0]}); get the model again") from error
    return _card_from(values, path)


def _card_from(values: Any, path: Path) -> ModelCard:
    known = {entry.name for entry in fields(ModelCard)}
    if not isinstance(values, Mapping) or "name" not in values:
        raise ModelError(f"{path}: a card is a mapping with a name, a network and a checksum; get the model again")
    unknown = sorted(set(values) - known)
    if unknown:
        raise ModelError(f"{path}: this version does not know {', '.join(unknown)}; update the plugin, or get an older model")
    try:
        outputs = outputs_from(values["outputs"]) if "outputs" in values else COLUMN_OUTPUTS
    except AtomsegError as error:
        raise ModelError(f"{path}: {error}; mend the card, or update the plugin") from error
    size = _pair(values.get("sampling_range", (0.02, 0.3)), path)
    card = ModelCard(**{**values, "sampling_range": size, "outputs": outputs, "foci": _lengths(values.get("foci") or (), path)})
    for name, value, choices in (
        ("architecture", card.architecture, ARCHITECTURES),
        ("normalisation", card.normalisation, (NORMALISATION, LOCAL, BEAM, WHOLE)),
    ):
        if value not in choices:
            raise ModelError(f"{path}: this version knows no {name} {value!r}, only {', '.join(choices)}; update the plugin")
    if not isinstance(card.scores, Mapping) or not all(isinstance(value, (int, float)) for value in card.scores.values()):
        raise ModelError(f"{path}: scores have to be numbers by name, got {card.scores!r}; mend the card")
    if not isinstance(card.native_sampling, (int, float)) or not 0.001 < card.native_sampling < 10:
        raise ModelError(
            f"{path}: native_sampling has to be a length in Å between 0.001 and 10, got {card.native_sampling!r}; mend the card"
        )
    return card


def _pair(given: Any, path: Path) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in given)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: sampling_range has to be two lengths in Å, got {given!r}; mend the card") from error
    return low, high


def _lengths(given: Any, path: Path) -> tuple[float, ...]:
    try:
        return tuple(float(value) for value in given)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: foci have to be lengths in Å, got {given!r}; mend the card") from error


def write_card(card: ModelCard, folder: Path) -> None:
    """Write the card into the model's folder.

    Parameters
    ----------
    card : ModelCard
    folder : Path
        Whose ``card.yaml`` is overwritten if it is there.
    """
    import yaml

    lists = {"sampling_range": list(card.sampling_range), "foci": list(card.foci)}
    values = {**asdict(card), **lists, "outputs": [asdict(output) for output in card.outputs]}
    (folder / NAME).write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
