"""A small network that weighs what speaks for each candidate, and says how probable it is that a column stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity

WIDTHS = (0.3, 0.45, 0.7)
"""Standard deviations of the blobs that the raw image is compared with, Angstrom."""
CIRCLES = (3.0, 5.0, 8.0)
"""Radii in which columns are counted, Angstrom."""
FEATURES = (
    *("confidence", "log_confidence", "summit", "spread", "mask", "drawn"),
    *("height", "prominence", "denoised_prominence"),
    *(f"{name}_{width:g}" for width in WIDTHS for name in ("blob", "significance", "against_texture", "against_dark", "rank")),
    *(f"columns_in_{radius:g}" for radius in CIRCLES),
    *("near", "nearly_sure", "height_near", "height_share", "prominence_share", "first", "second", "third"),
    *("density", "mean_confidence", "all_density", "noise", "height_scatter", "mean_prominence", "bright_to_dark"),
    *("likeness", "fellows", "surroundings", "seen_like", "seen_broad", "scatter_like", "scatter_broad"),
    *("height_like", "height_broad", "above_like", "above_broad"),
)
"""What is told of each candidate, in order; gathered by :mod:`napari_atomseg.inference.detection.candidate_features`."""
FARTHEST = 5.0
"""Evidence farther from the usual than so many standard deviations says no more."""
DROPPED = 0.1
"""Share of the numbers that are left out at random in training, so that no single one decides."""


@dataclass(frozen=True, kw_only=True)
class CandidateClassifierParams:
    """Shape of a judge.

    Attributes
    ----------
    width : int
        Neurons of a layer.
    members : int
        Networks that learn side by side and answer together; where they have learnt nothing they disagree, and none is believed.
    """

    width: Annotated[int, Quantity(low=2, high=1024)] = 96
    members: Annotated[int, Quantity(low=1, high=100)] = 3

    def __post_init__(self) -> None:
        check(self)


class CandidateClassifier(nn.Module):
    """Probabilities (N,) that candidates with evidence (N, F) are columns.

    Parameters
    ----------
    params : CandidateClassifierParams
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, params: CandidateClassifierParams) -> None:
        super().__init__()
        self.params = params
        self.register_buffer("mean", torch.zeros(len(FEATURES)))
        self.register_buffer("deviation", torch.ones(len(FEATURES)))
        self.members = nn.ModuleList(_member(params.width) for _ in range(params.members))

    def each(self, evidence: Tensor) -> Tensor:
        """Logits (M, N) of every member."""
        usual = ((evidence - self.mean) / self.deviation).clamp(-FARTHEST, FARTHEST)
        return torch.stack([member(usual)[..., 0] for member in self.members])

    def forward(self, evidence: Tensor) -> Tensor:
        """Probabilities, the means over the members."""
        return self.each(evidence).sigmoid().mean(dim=0)


def _member(width: int) -> nn.Sequential:
    first, second = _layer(len(FEATURES), width), _layer(width, width)
    return nn.Sequential(*first, *second, nn.Linear(width, width // 2), nn.GELU(), nn.Linear(width // 2, 1))


def _layer(given: int, width: int) -> tuple[nn.Module, ...]:
    return nn.Linear(given, width), nn.GELU(), nn.Dropout(DROPPED)


PREFIX = "judge."
"""Of a judge's weights beside those of the network, in one file."""


def split(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of the network and of its judge."""
    network = {name: value for name, value in weights.items() if not name.startswith(PREFIX)}
    return network, {name.removeprefix(PREFIX): value for name, value in weights.items() if name.startswith(PREFIX)}


def joined(network: Mapping[str, Tensor], judge: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of both, as they are written.

    Parameters
    ----------
    network, judge : mapping of str to Tensor
        State dictionaries.
    """
    return {**network, **{PREFIX + name: value for name, value in judge.items()}}
