"""FusionNet with additive skips (Quan et al., arXiv 1612.05360), as Madsen et al., Adv. Theory Simul. 1 (2018) 1800037, shape it.

Their 5,191,393 parameters come out of the order of their published code, convolution with bias, PReLU with a slope for each
channel, batch normalisation; the ReLU of their text (section 2.2) fits no count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.networks.outputs import Output

SLOPE = 0.01
"""Of PReLU below zero at first, as in the published code."""
CONVOLUTIONS = 5
"""Of 3 x 3 at every level of either path: one, a residual block of three, one."""


@dataclass(frozen=True, kw_only=True)
class FusionNetParams:
    """Shape of a FusionNet; the paper's unless told otherwise.

    Attributes
    ----------
    images : int
        Images of one place that are given together: 1, or the number of foci of a series.
    width : int
        Channels of the first level; they double from level to level.
    levels : int
        Halvings of the resolution; 3 leave an eighth.
    stem : int
        Pixels along each axis that are packed into channels before the first level; 1 is the paper's network, 2 a quarter of
        its work.
    """

    images: Annotated[int, Quantity(low=1, high=64)] = 1
    width: Annotated[int, Quantity(low=4, high=512)] = 32
    levels: Annotated[int, Quantity(low=1, high=6)] = 3
    stem: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        check(self)


class FusionNet(nn.Module):
    """Outputs (B, C, Y, X) of images (B, F, Y, X), before their activation; sides are multiples of :attr:`multiple`.

    Parameters
    ----------
    params : FusionNetParams
    outputs : tuple of Output
    """

    encoder = ("down",)
    """Parts on the way down."""

    def __init__(self, params: FusionNetParams, outputs: tuple[Output, ...]) -> None:
        super().__init__()
        self.params = params
        widths = [params.width * 2**level for level in range(params.levels + 1)]
        given = [params.images * params.stem**2, *widths[:-1]]
        self.down = nn.ModuleList(Level(before, width) for before, width in zip(given, widths, strict=True))
        self.grow = nn.ModuleList(Grow(2 * width, width) for width in widths[:-1])
        self.up = nn.ModuleList(Level(width, width) for width in widths[:-1])
        self.score = nn.Conv2d(params.width, len(outputs) * params.stem**2, 1)

    @property
    def multiple(self) -> int:
        """Number of pixels of which sides have to be a multiple."""
        return int(self.params.stem * 2**self.params.levels)

    @property
    def reach(self) -> int:
        """Pixels on each side that an output can depend on: half the receptive field."""
        return receptive_reach(self.params)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (B, C, Y, X)."""
        features = nn.functional.pixel_unshuffle(images, self.params.stem) if self.params.stem > 1 else images
        skipped: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(features if level == 0 else nn.functional.max_pool2d(features, 2))
            skipped.append(features)
        features = skipped.pop()
        for grow, block, beside in zip(reversed(self.grow), reversed(self.up), reversed(skipped), strict=True):
            features = block(grow(features) + beside)
        scores: Tensor = self.score(features)
        return nn.functional.pixel_shuffle(scores, self.params.stem) if self.params.stem > 1 else scores


class Level(nn.Module):
    """Five convolutions of 3 x 3 at one resolution, the middle three of them skipped over by addition."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = rectified(inputs, outputs)
        self.block = nn.Sequential(*(rectified(outputs, outputs) for _ in range(CONVOLUTIONS - 2)))
        self.last = rectified(outputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, Y, X)."""
        entered = self.first(features)
        found: Tensor = self.last(entered + self.block(entered))
        return found


class Grow(nn.Sequential):
    """Twice the pixels along each axis by a transposed convolution of 4 x 4, bilinear interpolation at first."""

    def __init__(self, inputs: int, outputs: int) -> None:
        wide = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
        super().__init__(wide, nn.PReLU(outputs, SLOPE), nn.BatchNorm2d(outputs))
        with torch.no_grad():
            wide.weight.copy_(bilinear(inputs, outputs))


def rectified(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution of 3 x 3 with bias, PReLU, batch normalisation; the image keeps its size."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.PReLU(outputs, SLOPE), nn.BatchNorm2d(outputs))


def bilinear(inputs: int, outputs: int) -> Tensor:
    """Weights (inputs, outputs, 4, 4) of a transposed convolution that interpolates means of as many inputs for each output."""
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    share = torch.zeros(inputs, outputs)
    share[torch.arange(inputs), torch.arange(inputs) % outputs] = outputs / inputs
    return share[:, :, None, None] * ramp[:, None] * ramp


def receptive_reach(params: FusionNetParams) -> int:
    """Pixels on each side of an output pixel that the network of this shape can see.

    A convolution of 3 x 3 at a level whose pixels are s wide adds s; pooling and interpolation to a level add up to one of its
    pixels each; packing adds one of a packed pixel.
    """
    reach = 0
    for level in range(params.levels + 1):
        side = params.stem * 2**level
        paths = 1 if level == params.levels else 2
        reach += side * CONVOLUTIONS * paths + (side if level else 0)
    return reach + params.stem
