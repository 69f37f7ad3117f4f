"""A discriminator that learns beside a network that restores (Lobato et al., npj Comput. Mater. 10, 10 (2024), Eq. 2-3, 12, 15).

It is shown recorded images with the true and with the restored ones, and learns to tell the two apart; the network that restores
is taught to look true to it. What looks true need not be: see ``docs/restoration.md`` for what it does to positions and
intensities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_atomseg.training.checkpoint import moments_of, restore_moments
from napari_atomseg.training.discriminator import PatchDiscriminator
from napari_atomseg.training.restoration_losses import adversarial_loss, discriminator_loss

PACE = 0.2
"""Learning rate of the discriminator in units of the network's: one that is far ahead of the network teaches it nothing."""
MOMENTUM = (0.5, 0.999)
"""Of Adam, as usual where two networks learn from each other (Radford et al., ICLR 2016)."""
WEIGHTS, MOMENTS = "weights.", "moments."


@dataclass(frozen=True, kw_only=True, eq=False)
class Adversary:
    """A discriminator on its way; what it holds changes.

    Attributes
    ----------
    network : PatchDiscriminator
    optimiser : Optimizer
    names : dict of Tensor to str
        Of the parameters.
    """

    network: PatchDiscriminator
    optimiser: torch.optim.Optimizer
    names: dict[Tensor, str]


def begin(seed: int, device: str) -> Adversary:
    """A discriminator that has learnt nothing.

    Parameters
    ----------
    seed : int
        Of its weights.
    device : str
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PatchDiscriminator().to(device)
    names: dict[Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
    return Adversary(network=network, optimiser=torch.optim.Adam(network.parameters(), betas=MOMENTUM), names=names)


def verdict_loss(adversary: Adversary, recorded: Tensor, found: Tensor, true: Tensor) -> Tensor:
    """How untrue restored images look to the discriminator (Eq. 12); a single number, with gradients for `found` only.

    Parameters
    ----------
    adversary : Adversary
    recorded, found, true : Tensor, shape (B, 1, Y, X)
    """
    adversary.network.requires_grad_(False)
    with torch.no_grad():
        of_true = adversary.network(recorded, true)
    loss = adversarial_loss(of_true, adversary.network(recorded, found))
    adversary.network.requires_grad_(True)
    return loss


def teach(adversary: Adversary, recorded: Tensor, found: Tensor, true: Tensor, rate: float) -> float:
    """One step of the discriminator towards telling true from restored images (Eq. 15); gives its loss before.

    Parameters
    ----------
    adversary : Adversary
    recorded, found, true : Tensor, shape (B, 1, Y, X)
    rate : float
        The network's learning rate.
    """
    for group in adversary.optimiser.param_groups:
        group["lr"] = PACE * rate
    loss = discriminator_loss(adversary.network(recorded, true), adversary.network(recorded, found.detach()))
    adversary.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    adversary.optimiser.step()
    return float(loss.detach())


def state_of(adversary: Adversary | None) -> dict[str, Tensor]:
    """All that it needs to go on, by name; nothing of none."""
    if adversary is None:
        return {}
    weights = {WEIGHTS + name: value for name, value in adversary.network.state_dict().items()}
    moments = moments_of(adversary.optimiser, adversary.names)
    return weights | {MOMENTS + name: value for name, value in moments.items()}


def restore_state(adversary: Adversary, state: Mapping[str, Tensor], step: int) -> None:
    """Go on from a state of :func:`state_of`; from an empty one it begins anew.

    Parameters
    ----------
    adversary : Adversary
        Changed.
    state : mapping of str to Tensor
    step : int
        Updates that were made.
    """
    weights = {name.removeprefix(WEIGHTS): value for name, value in state.items() if name.startswith(WEIGHTS)}
    if not weights:
        return
    adversary.network.load_state_dict(weights)
    moments = {name.removeprefix(MOMENTS): value for name, value in state.items() if name.startswith(MOMENTS)}
    restore_moments(adversary.optimiser, adversary.names, moments, step)
