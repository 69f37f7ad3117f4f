"""The state of a training run in one file, written atomically; tensors and JSON, no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_atomseg.core.errors import AtomsegError

NAME = "checkpoint.safetensors"
PARTS = ("weights", "averaged", "moments", "adversary")
"""Of a state that are tensors."""


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """All that a run needs to go on as if it had never stopped.

    Attributes
    ----------
    step : int
        Updates that were made.
    weights, averaged : mapping of str to Tensor
        State of the network, and of its running average.
    moments : mapping of str to Tensor
        Of the optimiser: ``exp_avg.NAME``, ``exp_avg_sq.NAME``.
    settings : mapping
        Network, recipe and parameters, as JSON.
    history : list of mapping
        What validation gave.
    adversary : mapping of str to Tensor
        Of the discriminator, where one learns beside the network (:func:`.adversary.state_of`).
    """

    step: int
    weights: Mapping[str, Tensor]
    averaged: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    history: list[Mapping[str, float]]
    adversary: Mapping[str, Tensor] = field(default_factory=dict)


def save(state: State, folder: Path) -> Path:
    """Write the state; a run that is stopped in the middle leaves the last one.

    Parameters
    ----------
    state : State
    folder : Path
        Made if it is not there.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{part}/{name}": value.detach().cpu().contiguous().clone()
        for part in PARTS
        for name, value in getattr(state, part).items()
    }
    about = {"state": json.dumps({"step": state.step, "settings": state.settings, "history": state.history})}
    partial = folder / f"{NAME}.part"
    save_file(tensors, partial, metadata=about)
    os.replace(partial, folder / NAME)
    return folder / NAME


def load(folder: Path) -> State:
    """Read the state of a run.

    Raises
    ------
    AtomsegError
        If there is none, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / NAME
    if not path.is_file():
        raise AtomsegError(f"{folder}: there is no {NAME} to go on from; start the run without --resume")
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["state"])
            for name in file.keys():  # noqa: SIM118  # no mapping
                part, _, rest = name.partition("/")
                parts[part][rest] = file.get_tensor(name)
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise AtomsegError(f"{path}: damaged ({error}); start the run anew without --resume") from error
    return State(step=int(about["step"]), settings=about["settings"], history=about["history"], **parts)


def moments_of(optimiser: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimiser's running means by the names of the parameters."""
    found = {}
    for parameter, values in optimiser.state.items():
        for kind in ("exp_avg", "exp_avg_sq"):
            found[f"{kind}.{names[parameter]}"] = values[kind]
    return found


def restore_moments(
    optimiser: torch.optim.Optimizer, names: Mapping[Tensor, str], moments: Mapping[str, Tensor], step: int
) -> None:
    """Give the optimiser its running means back; parameters whose means were not saved start anew.

    Parameters
    ----------
    optimiser : Optimizer
        Of the kind of Adam; its state is changed.
    names : mapping of Tensor to str
        Name of each parameter.
    moments : mapping of str to Tensor
        Of :class:`State`: ``exp_avg.NAME``, ``exp_avg_sq.NAME``.
    step : int
        Updates that were made.
    """
    for parameter, name in names.items():
        if f"exp_avg.{name}" not in moments:
            continue
        optimiser.state[parameter] = {
            "step": torch.tensor(float(step)),
            **{kind: moments[f"{kind}.{name}"].to(parameter.device) for kind in ("exp_avg", "exp_avg_sq")},
        }
