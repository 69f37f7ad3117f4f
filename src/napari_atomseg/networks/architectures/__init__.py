"""Shapes of networks, one module each, and the table of all: a new one is a module and a line here.

A network is a :class:`torch.nn.Module` made from its parameters and the outputs of its card. It maps images (B, 1, Y, X), or
as many of one place as its parameter ``images`` says, to (B, C, Y, X), one channel for each output and before its activation;
``multiple`` is the number of pixels of which sides have to be a multiple, ``reach`` the number of pixels on each side that an
output can depend on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_atomseg.networks.outputs import Output

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Architecture:
    """Where a network and its parameters are defined; imported when needed, since torch is heavy."""

    module: str
    network: str
    params: str


ARCHITECTURES = {
    "unet": Architecture("unet", "Unet", "UnetParams"),
    "fusionnet": Architecture("fusionnet", "FusionNet", "FusionNetParams"),
    "multiscale": Architecture("multiscale", "Multiscale", "MultiscaleParams"),
    "gated": Architecture("gated", "Gated", "GatedParams"),
    "cgrdn": Architecture("cgrdn", "Cgrdn", "CgrdnParams"),
}


def params_of(architecture: str) -> Any:
    """The parameter class of an architecture."""
    entry = ARCHITECTURES[architecture]
    return getattr(import_module(f"{__name__}.{entry.module}"), entry.params)


def architecture_of(params: Any) -> str:
    """Name of the architecture that parameters describe.

    Raises
    ------
    KeyError
        If they are none of an architecture.
    """
    names = {entry.params: name for name, entry in ARCHITECTURES.items()}
    return names[type(params).__name__]


def build_network(params: Any, outputs: Sequence[Output]) -> nn.Module:
    """A network with weights yet to be learnt.

    Parameters
    ----------
    params : dataclass
        Of one of the architectures.
    outputs : sequence of Output
    """
    entry = ARCHITECTURES[architecture_of(params)]
    network: nn.Module = getattr(import_module(f"{__name__}.{entry.module}"), entry.network)(params, tuple(outputs))
    return network
