"""What a network gives, channel by channel: part of its card, so that a network of any kind can be described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from napari_atomseg.core.errors import AtomsegError

Activation = Literal["sigmoid", "softmax", "linear"]
Unit = Literal["probability", "intensity", "intensity above background"]
Loss = Literal["cross_entropy", "log_mean_square", "restoration"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """One channel of a network.

    Attributes
    ----------
    name : str
        Of the map, as users ask for it.
    activation : {'sigmoid', 'softmax', 'linear'}
        From the network's numbers to the map; all softmax channels of a network share one softmax.
    unit : {'probability', 'intensity', 'intensity above background'}
        Of the map; intensities are in units of the network's normalised input.
    loss : {'cross_entropy', 'log_mean_square', 'restoration'}
        How far the map is from its target in training.
    weight : float
        Of that loss among those of the other outputs.
    """

    name: str
    activation: Activation
    unit: Unit
    loss: Loss
    weight: float = 1.0


COLUMN_OUTPUTS = (
    Output(name="columns", activation="sigmoid", unit="probability", loss="cross_entropy", weight=10.0),
    Output(name="mask", activation="sigmoid", unit="probability", loss="cross_entropy", weight=1.0),
    Output(name="denoise", activation="linear", unit="intensity", loss="log_mean_square", weight=0.15),
    Output(name="background", activation="linear", unit="intensity above background", loss="log_mean_square", weight=0.15),
    Output(name="deblur", activation="linear", unit="intensity above background", loss="log_mean_square", weight=0.15),
)
"""Maps of the networks for columns: Gaussians on the columns, discs on the columns, the image without noise, also without
background, and with the columns made narrow."""


RESTORED = Output(name="restored", activation="linear", unit="intensity", loss="restoration")
"""The image as it would be without noise and distortions of the recording."""
BACKGROUND = "background"
"""Class of what is no structure; the last output of networks that recognise structures."""


def structure_outputs(classes: int) -> tuple[Output, ...]:
    """Maps of the networks for local structure: one for each class and one for the background, which sum to 1.

    References
    ----------
    Madsen et al., Adv. Theory Simul. 1, 1800037 (2018), Eq. 1 and 4.
    """
    names = ["structure"] if classes == 1 else [f"structure {number + 1}" for number in range(classes)]
    return tuple(
        Output(name=name, activation="softmax", unit="probability", loss="cross_entropy") for name in (*names, BACKGROUND)
    )


def count_outputs(highest: int) -> tuple[Output, ...]:
    """Maps of the networks that count the atoms of columns: one for each number up to the highest, and one for the background.

    Parameters
    ----------
    highest : int
        Columns of more atoms count as such.
    """
    names = ["1 atom", *(f"{number} atoms" for number in range(2, highest + 1))]
    return tuple(
        Output(name=name, activation="softmax", unit="probability", loss="cross_entropy") for name in (*names, BACKGROUND)
    )


def counts_atoms(outputs: Sequence[Output]) -> bool:
    """Whether the classes of a network are numbers of atoms: class n is that of n atoms."""
    return len(outputs) > 1 and tuple(outputs) == count_outputs(len(outputs) - 1)


def outputs_from(values: Any) -> tuple[Output, ...]:
    """Outputs as a card lists them.

    Parameters
    ----------
    values : sequence of mapping
        One for each channel, with the attributes of :class:`Output`.

    Raises
    ------
    AtomsegError
        If there is none, two have one name, or an attribute is unknown or missing.
    """
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise AtomsegError("outputs have to be a list with one entry for each channel")
    found = tuple(_output_from(value) for value in values)
    if len({output.name for output in found}) < len(found):
        raise AtomsegError("two outputs have the same name")
    return found


def _output_from(values: Any) -> Output:
    if not isinstance(values, Mapping):
        raise AtomsegError(f"an output has to be a mapping with a name, got {values!r}")
    for name, choices in (("activation", Activation), ("unit", Unit), ("loss", Loss)):
        if values.get(name) not in get_args(choices):
            raise AtomsegError(f"{name} of an output has to be one of {', '.join(get_args(choices))}, got {values.get(name)!r}")
    try:
        return Output(**values)
    except TypeError as error:
        raise AtomsegError(f"an output cannot be read: {error}") from error
