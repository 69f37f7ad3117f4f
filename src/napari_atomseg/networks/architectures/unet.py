"""U-Net with one trunk and a head for every map (Ronneberger et al., MICCAI 2015; Lin et al., Sci. Rep. 11, 5386 (2021))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.networks.architectures.blocks import (
    ROWS,
    DoubleConvolution,
    Grow,
    RowContext,
    RowRefinement,
    convolution,
    given_planes,
    shrink,
)
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS, Output

WIDEST = 4
"""Channels double from level to level up to this multiple of those of the first."""


@dataclass(frozen=True, kw_only=True)
class UnetParams:
    """Shape of a U-Net.

    Attributes
    ----------
    width : int
        Channels of the first level.
    depth : int
        Levels, each of half the pixels of the one before.
    stem : int
        Pixels along each axis that are packed into channels before the first level; 1 is the paper's network.
    row_context : int
        Half the length, in packed pixels, of the pieces of scan rows whose features are averaged; 0 without.
    refinements : int
        Blocks after the way up in which rows are compared and put back; with `row_context` only.
    conditions : int
        Planes that come with the image and say of which kind it is.
    periodic : bool
        Whether it is given what repeats over the image too, as one more plane.
    """

    width: Annotated[int, Quantity(low=4, high=512)] = 32
    depth: Annotated[int, Quantity(low=1, high=6)] = 4
    stem: Literal[1, 2] = 2
    row_context: Annotated[int, Quantity(low=0, high=64)] = 24
    refinements: Annotated[int, Quantity(low=0, high=4)] = 2
    conditions: Annotated[int, Quantity(low=0, high=64)] = 0
    periodic: bool = False

    def __post_init__(self) -> None:
        check(self)


class Unet(nn.Module):
    """Outputs (B, C, Y, X) of images (B, 1 + K, Y, X), before their activation; sides are multiples of :attr:`multiple`.

    The K planes after the image are its conditions, the same at all pixels; a further one is what repeats over the image.
    Linear outputs are images in units of the input's, each the sum of what the network draws and of a share of the input, and of
    what repeats in it, pixel by pixel: what is known well already need not be drawn anew.

    Parameters
    ----------
    params : UnetParams
    outputs : tuple of Output
    """

    encoder = ("stem", "down", "shrink", "rows")
    """Parts on the way down."""

    def __init__(self, params: UnetParams, outputs: tuple[Output, ...] = COLUMN_OUTPUTS) -> None:
        super().__init__()
        self.params = params
        self.images = [number for number, output in enumerate(outputs) if output.activation == "linear"]
        self.channels = len(outputs)
        widths = [params.width * min(2**level, WIDEST) for level in range(params.depth)]
        above, below = widths[:-1], widths[1:]
        self.stem = convolution(params.stem**2 * (1 + params.periodic) + params.conditions, widths[0])
        self.down = nn.ModuleList(DoubleConvolution(width, width) for width in widths)
        self.shrink = nn.ModuleList(shrink(wide, deep) for wide, deep in zip(above, below, strict=True))
        self.grow = nn.ModuleList(Grow(deep, wide) for wide, deep in zip(above, below, strict=True))
        self.up = nn.ModuleList(DoubleConvolution(2 * width, width) for width in above)
        self.rows = nn.ModuleList(RowContext(widths[0], params.row_context) for _ in range(1 if params.row_context else 0))
        self.refine = nn.ModuleList(RowRefinement(widths[0], params.row_context) for _ in range(refinements_of(params)))
        self.heads = nn.Conv2d(widths[0], (len(outputs) + len(self.images)) * params.stem**2, 1)
        shares = [nn.Conv2d(widths[0], len(self.images) * params.stem**2, 1) for _ in range(params.periodic)]
        for share in shares:
            # A network that goes on from one that was not given it begins with what that one knew.
            nn.init.zeros_(share.weight)
            nn.init.zeros_(share.bias)  # type: ignore[arg-type]  # it has one
        self.periodic_share = nn.ModuleList(shares)

    @property
    def multiple(self) -> int:
        """Number of pixels of which sides have to be a multiple."""
        return int(self.params.stem * 2 ** (self.params.depth - 1))

    @property
    def reach(self) -> int:
        """Pixels on each side that an output can depend on: half the receptive field."""
        return receptive_reach(self.params)

    def forward(self, image: Tensor) -> Tensor:
        """Outputs (B, C, Y, X)."""
        side = self.params.stem
        image, conditions, repeated = given_planes(image, self.params.conditions, self.params.periodic)
        packed = [nn.functional.pixel_unshuffle(plane, side) for plane in (image, *repeated)]
        features = self.stem(torch.cat([packed[0], conditions[:, :, ::side, ::side], *packed[1:]], dim=1))
        skipped: list[Tensor] = []
        for level, block in enumerate(self.down):
            features = block(features)
            if level == 0 and len(self.rows):
                features = self.rows[0](features)
            if level < len(self.shrink):
                skipped.append(features)
                features = self.shrink[level](features)
        for level in reversed(range(len(self.grow))):
            features = self.up[level](self.grow[level](features, skipped[level]))
        for block in self.refine:
            features = block(features)
        drawn = nn.functional.pixel_shuffle(self.heads(features), side)
        found, share = drawn[:, : self.channels], drawn[:, self.channels :]
        known = share * image
        for part, plane in zip(self.periodic_share, repeated, strict=True):
            known = known + nn.functional.pixel_shuffle(part(features), side) * plane
        parts = [found[:, number : number + 1] for number in range(self.channels)]
        for place, number in enumerate(self.images):
            parts[number] = parts[number] + known[:, place : place + 1]
        return torch.cat(parts, dim=1)


def refinements_of(params: UnetParams) -> int:
    """Number of blocks that compare rows after the way up."""
    return params.refinements if params.row_context else 0


def receptive_reach(params: UnetParams) -> int:
    """Pixels on each side of an output pixel that the network of this shape can see.

    Counted over all convolutions: one of 3 x 3 at a level whose pixels are s wide adds s; bilinear interpolation from a level
    adds one of its pixels; packing and halving add up to a pixel of the coarser grid.
    """
    reach = 0
    for level in range(params.depth):
        side = params.stem * 2**level
        blocks = 1 if level == params.depth - 1 else 2
        reach += side * 2 * blocks + (side if level == 0 else 2 * side)
    blocks = refinements_of(params)
    rows = max(params.row_context, ROWS) * (1 + blocks) if params.row_context else 0
    return int(reach + params.stem * (rows + 2 * blocks + 1))
