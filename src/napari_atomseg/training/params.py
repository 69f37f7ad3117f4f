"""What a training run is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Fraction, Quantity

_Count = Annotated[int, Quantity(low=1, high=10**9)]


@dataclass(frozen=True, kw_only=True)
class TrainParams:
    """Settings of a training run.

    Attributes
    ----------
    steps : int
        Updates of the weights in the whole run, at the end of which the learning rate has fallen to zero; 0 for as many as the
        given minutes allow.
    batch : int
        Images of one update.
    patch : int, px
        Side of the training images.
    native_sampling : float, A
        Pixel size at which the network works.
    learning_rate : float
        Highest learning rate.
    warm_up : int
        Updates over which the learning rate rises.
    weight_decay : float
        Weight decay of AdamW (Loshchilov & Hutter, ICLR 2019).
    averaging : float
        Weights that are kept are a running average, with this share of the old average at each update.
    settled : float
        Share of the updates after which batch normalisation keeps its statistics, so that the rest is learnt as it will be used:
        with few images an update, those of a batch are not those of any image.
    loss : {'likelihood', 'chi_square', 'printed_chi_square', 'restoration'}
        What is minimised. `likelihood`: cross entropy for maps, log mean square for images; `chi_square`: that of Lin et al.,
        with images taken from their lowest value; `printed_chi_square`: as it is printed there; `restoration`: that of Lobato et
        al., for networks that restore.
    adversarial : float
        Weight of what a discriminator says that learns beside a network that restores (Lobato et al., Eq. 12); 0 for none. What
        it makes look sharper need not be truer.
    task : str
        Map that a network for columns learns, for a network of its own as in Lin et al.; all for one network that gives them all.
    frozen : bool
        Keep what a network that is started from has learnt on its way down (its encoder), and teach it only the way up: with few
        images, less is forgotten.
    seed : int
        Random seed of weights and images.
    validate_every : int
        Updates between two validations.
    """

    steps: Annotated[int, Quantity(low=0, high=10**9)] = 20_000
    batch: _Count = 16
    patch: Annotated[int, Quantity(unit="px", low=32, high=1024)] = 128
    native_sampling: Angstrom = 0.2
    learning_rate: Annotated[float, Quantity(low=1e-7, high=1.0, decimals=6)] = 2e-3
    warm_up: Annotated[int, Quantity(low=0, high=10**6)] = 300
    weight_decay: Annotated[float, Quantity(low=0, high=1.0, decimals=6)] = 1e-3
    averaging: Annotated[float, Quantity(low=0, high=0.99999, decimals=5)] = 0.999
    settled: Fraction = 1.0
    loss: Literal["likelihood", "chi_square", "printed_chi_square", "restoration"] = "likelihood"
    adversarial: Annotated[float, Quantity(low=0, high=1e3, decimals=4)] = 0.0
    task: Literal["all", "columns", "mask", "denoise", "background", "deblur"] = "all"
    frozen: bool = False
    seed: Annotated[int, Quantity(low=0, high=2**31 - 1)] = 0
    validate_every: _Count = 500

    def __post_init__(self) -> None:
        check(self)
