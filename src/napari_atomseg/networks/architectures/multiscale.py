"""Multi-scale dense network: every layer sees all before it, through holes of another width; Pelt & Sethian, PNAS 115 (2018) 254.

Larsen et al., Comput. Mater. Sci. 226 (2023) 112228 (arXiv 2302.12629), found such a network to keep finding atoms at doses below
those of its training where a U-Net did not. Theirs has layers of one channel; here each has a few, which suits processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.networks.outputs import Output


@dataclass(frozen=True, kw_only=True)
class MultiscaleParams:
    """Shape of a multi-scale dense network.

    Attributes
    ----------
    images : int
        Images of one place that are given together.
    growth : int
        Channels of a layer.
    layers : int
    widest : int
        Holes of the dilated convolutions are 1, 2, ... up to this wide, and again from 1.
    stem : int
        Pixels along each axis that are packed into channels before the first layer.
    """

    images: Annotated[int, Quantity(low=1, high=64)] = 1
    growth: Annotated[int, Quantity(low=1, high=64)] = 8
    layers: Annotated[int, Quantity(low=1, high=200)] = 24
    widest: Annotated[int, Quantity(low=1, high=32)] = 8
    stem: Literal[1, 2] = 2

    def __post_init__(self) -> None:
        check(self)


class Multiscale(nn.Module):
    """Outputs (B, C, Y, X) of images (B, F, Y, X), before their activation; sides are multiples of :attr:`multiple`.

    Parameters
    ----------
    params : MultiscaleParams
    outputs : tuple of Output
    """

    def __init__(self, params: MultiscaleParams, outputs: tuple[Output, ...]) -> None:
        super().__init__()
        self.params = params
        given = params.images * params.stem**2
        self.layers = nn.ModuleList(
            dilated(given + params.growth * layer, params.growth, holes) for layer, holes in enumerate(dilations(params))
        )
        self.score = nn.Conv2d(given + params.growth * params.layers, len(outputs) * params.stem**2, 1)

    @property
    def multiple(self) -> int:
        """Number of pixels of which sides have to be a multiple."""
        return int(self.params.stem)

    @property
    def reach(self) -> int:
        """Pixels on each side that an output can depend on: half the receptive field."""
        return receptive_reach(self.params)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (B, C, Y, X)."""
        # In sixteen bits the gradients of wide holes are no numbers on a processor (torch 2.13 with oneDNN).
        with torch.autocast(images.device.type, enabled=False):
            features = [nn.functional.pixel_unshuffle(images, self.params.stem)]
            for layer in self.layers:
                features.append(layer(torch.cat(features, dim=1)))
            return nn.functional.pixel_shuffle(self.score(torch.cat(features, dim=1)), self.params.stem)


def dilated(inputs: int, outputs: int, holes: int) -> nn.Sequential:
    """Convolution of 3 x 3 pixels that lie apart, batch normalisation, ReLU; the image keeps its size.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    holes : int, px
        Distance of neighbouring pixels of the kernel; 1 is an ordinary convolution.

    Returns
    -------
    nn.Sequential
        From (B, inputs, Y, X) to (B, outputs, Y, X).
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=holes, dilation=holes, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def dilations(params: MultiscaleParams) -> list[int]:
    """Distance of the pixels that each layer's convolution compares, in packed pixels."""
    return [1 + layer % params.widest for layer in range(params.layers)]


def receptive_reach(params: MultiscaleParams) -> int:
    """Pixels on each side of an output pixel that the network of this shape can see: the sum of all holes, and of packing."""
    return params.stem * (sum(dilations(params)) + 1)
