"""Settings of a run that trains a classifier of candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class ClassifierTrainParams:
    """How a classifier of candidates is trained.

    Attributes
    ----------
    images : int
        Number of synthetic training images.
    updates : int
        Number of weight updates.
    batch : int
        Candidates of one update.
    learning_rate : float
        Highest learning rate.
    width : int
        Neurons of a layer.
    members : int
        Networks that learn side by side.
    seed : int
        Random seed of weights and images.
    """

    images: Annotated[int, Quantity(low=20, high=10**7)] = 6000
    updates: Annotated[int, Quantity(low=1, high=10**7)] = 3000
    batch: Annotated[int, Quantity(low=1, high=10**6)] = 2048
    learning_rate: Annotated[float, Quantity(low=1e-7, high=1.0, decimals=6)] = 3e-3
    width: Annotated[int, Quantity(low=2, high=1024)] = 96
    members: Annotated[int, Quantity(low=1, high=100)] = 3
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 777

    def __post_init__(self) -> None:
        check(self)
