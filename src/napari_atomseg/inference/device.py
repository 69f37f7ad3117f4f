"""The device that a network runs on."""

from __future__ import annotations

import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.inference.params import NetworkParams


def best_device() -> str:
    """The fastest device at hand."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def device_of(params: NetworkParams) -> str:
    """The device that `auto` stands for, or the one that was asked for.

    Raises
    ------
    AtomsegError
        If it is not there.
    """
    if params.device == "auto":
        return best_device()
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[params.device]
    if not there:
        raise AtomsegError(f"this computer offers no {params.device} to torch; choose auto or cpu")
    return params.device
