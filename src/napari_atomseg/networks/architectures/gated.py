"""U-shaped network of gated blocks without activation functions, after NAFNet (Chen et al., ECCV 2022).

Against the published one it lacks the attention over channels, which averages over the whole image: what a tile gives would
depend on where it ends. As there, normalisation is over the channels of each pixel, so that no pixel's scale depends on others,
and every block begins as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.networks.architectures.blocks import given_planes
from napari_atomseg.networks.outputs import Output

SMALLEST = 1e-6
"""Added to the variance of a pixel's channels."""


@dataclass(frozen=True, kw_only=True)
class GatedParams:
    """Shape of a network of gated blocks.

    Attributes
    ----------
    width : int
        Channels of the first level; they double from level to level.
    levels : int
        Levels, each of half the pixels of the one before.
    blocks : int
        Blocks of a level, on either way.
    stem : int
        Pixels along each axis that are packed into channels before the first level.
    conditions : int
        Planes that come with the image and say of which kind it is.
    periodic : bool
        Whether it is given what repeats over the image too, as one more plane.
    """

    width: Annotated[int, Quantity(low=4, high=512)] = 32
    levels: Annotated[int, Quantity(low=1, high=6)] = 3
    blocks: Annotated[int, Quantity(low=1, high=16)] = 2
    stem: Literal[1, 2] = 2
    conditions: Annotated[int, Quantity(low=0, high=64)] = 0
    periodic: bool = False

    def __post_init__(self) -> None:
        check(self)


class Gated(nn.Module):
    """Restored images (B, C, Y, X) of images (B, 1 + K, Y, X) of zero mean and unit deviation.

    The K planes after the image are its conditions, a further one is what repeats over it; sides are multiples of
    :attr:`multiple`.

    Parameters
    ----------
    params : GatedParams
    outputs : tuple of Output
        One for each image that is restored; all are the given one with something taken off.
    """

    def __init__(self, params: GatedParams, outputs: tuple[Output, ...]) -> None:
        super().__init__()
        self.params = params
        widths = [params.width * 2**level for level in range(params.levels)]
        self.enter = nn.Conv2d(params.stem**2 * (1 + params.periodic) + params.conditions, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(width, params.blocks) for width in widths)
        self.shrink = nn.ModuleList(nn.Conv2d(wide, 2 * wide, 2, stride=2) for wide in widths[:-1])
        self.grow = nn.ModuleList(nn.Conv2d(2 * wide, 4 * wide, 1, bias=False) for wide in widths[:-1])
        self.up = nn.ModuleList(_blocks(width, params.blocks) for width in widths[:-1])
        self.leave = nn.Conv2d(widths[0], len(outputs) * params.stem**2, 3, padding=1)

    @property
    def multiple(self) -> int:
        """Number of pixels of which sides have to be a multiple."""
        return int(self.params.stem * 2 ** (self.params.levels - 1))

    @property
    def reach(self) -> int:
        """Pixels on each side that an output can depend on: half the receptive field."""
        params = self.params
        # Each block adds a pixel of its level; halving and packing add less than one of the coarser grid each.
        sides = [params.stem * 2**level for level in range(params.levels)]
        ways = [2] * (params.levels - 1) + [1]
        return int(sum(side * (params.blocks * way + 1) for side, way in zip(sides, ways, strict=True)) + 2 * params.stem)

    def forward(self, images: Tensor) -> Tensor:
        """Restored images (B, C, Y, X)."""
        side = self.params.stem
        image, conditions, repeated = given_planes(images, self.params.conditions, self.params.periodic)
        packed = [nn.functional.pixel_unshuffle(plane, side) for plane in (image, *repeated)]
        features = self.enter(torch.cat([packed[0], conditions[:, :, ::side, ::side], *packed[1:]], dim=1))
        skipped: list[Tensor] = []
        for level, blocks in enumerate(self.down):
            features = blocks(features)
            if level < len(self.shrink):
                skipped.append(features)
                features = self.shrink[level](features)
        for level in reversed(range(len(self.grow))):
            wide = nn.functional.pixel_shuffle(self.grow[level](features), 2)
            features = self.up[level](skipped[level] + wide)
        residual = nn.functional.pixel_shuffle(self.leave(features), side)
        return image + residual


class GatedBlock(nn.Module):
    """Two gates: one after a convolution within each channel, one pixel by pixel; each added to what came in.

    Parameters
    ----------
    channels : int
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Sequential(
            PixelNormalisation(channels),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels),
            Gate(),
            nn.Conv2d(channels, channels, 1),
        )
        self.pixelwise = nn.Sequential(
            PixelNormalisation(channels), nn.Conv2d(channels, 2 * channels, 1), Gate(), nn.Conv2d(channels, channels, 1)
        )
        self.scales = nn.Parameter(torch.zeros(2, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, Y, X)."""
        features = features + self.scales[0] * self.spatial(features)
        found: Tensor = features + self.scales[1] * self.pixelwise(features)
        return found


class Gate(nn.Module):
    """One half of the channels multiplied by the other."""

    def forward(self, features: Tensor) -> Tensor:
        """From (B, 2 C, Y, X) to (B, C, Y, X)."""
        first, second = features.chunk(2, dim=1)
        return first * second


class PixelNormalisation(nn.Module):
    """Channels of each pixel taken to zero mean and unit variance (Ba et al., 2016), then scaled and shifted."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, Y, X)."""
        variance, mean = torch.var_mean(features, dim=1, keepdim=True, correction=0)
        return (features - mean) * torch.rsqrt(variance + SMALLEST) * self.scale + self.shift


def _blocks(channels: int, number: int) -> nn.Sequential:
    return nn.Sequential(*(GatedBlock(channels) for _ in range(number)))
