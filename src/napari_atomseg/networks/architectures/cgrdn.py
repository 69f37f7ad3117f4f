"""Concatenated grouped residual dense network of Lobato et al., npj Comput. Mater. 10, 10 (2024), Fig. 6 to 9.

Groups of residual dense blocks at half the resolution, joined again at each step of the way, and a skip from the image to the
restored one: what is learnt is what has to be taken off. There are no normalisation layers, so that intensities keep their
scale; mean and standard deviation are taken off before and put back after, for the image as a whole, by whoever calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.networks.architectures.blocks import given_planes
from napari_atomseg.networks.outputs import Output

Memory = list[Tensor]
"""Two stretches of numbers, in which the features of dense blocks lie by turns; none before the first block."""


@dataclass(frozen=True, kw_only=True)
class CgrdnParams:
    """Shape of a CGRDN; the paper's unless told otherwise.

    Attributes
    ----------
    features : int
        Channels between the blocks.
    growth : int
        Channels that each convolution of a block adds.
    layers : int
        Convolutions of a block that see all before them.
    blocks : int
        Residual dense blocks of a group.
    groups : int
        Groups.
    conditions : int
        Planes that come with the image and say of which kind it is.
    periodic : bool
        Whether it is given what repeats over the image too, as one more plane.
    """

    features: Annotated[int, Quantity(low=4, high=512)] = 64
    growth: Annotated[int, Quantity(low=2, high=256)] = 32
    layers: Annotated[int, Quantity(low=1, high=16)] = 8
    blocks: Annotated[int, Quantity(low=1, high=16)] = 4
    groups: Annotated[int, Quantity(low=1, high=16)] = 4
    conditions: Annotated[int, Quantity(low=0, high=64)] = 0
    periodic: bool = False

    def __post_init__(self) -> None:
        check(self)


class Cgrdn(nn.Module):
    """Restored images (B, C, Y, X) of images (B, 1 + K, Y, X) of zero mean and unit deviation; sides are multiples of 2.

    The K planes after the image are its conditions, a further one is what repeats over it.

    Parameters
    ----------
    params : CgrdnParams
    outputs : tuple of Output
        One for each image that is restored; all are the given one with something taken off.
    """

    multiple = 2

    def __init__(self, params: CgrdnParams, outputs: tuple[Output, ...]) -> None:
        super().__init__()
        self.params = params
        width = params.features
        self.enter = nn.Conv2d(1 + params.conditions + params.periodic, width, 3, padding=1)
        self.down = nn.Conv2d(width, width, 4, stride=2, padding=1)
        self.groups = nn.ModuleList(Group(params) for _ in range(params.groups))
        self.fuse = nn.Conv2d(params.groups * width, width, 1)
        self.up = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)
        self.leave = nn.Conv2d(width, len(outputs), 3, padding=1)

    @property
    def reach(self) -> int:
        """Pixels on each side that an output can depend on: half the receptive field."""
        params = self.params
        # A convolution of 3 x 3 adds a pixel, two at half the resolution; down and up reach over two pixels each.
        return int(2 * params.layers * params.blocks * params.groups + 1 + 2 + 2 + 1)

    def forward(self, images: Tensor) -> Tensor:
        """Restored images (B, C, Y, X)."""
        planes = given_planes(images, self.params.conditions, self.params.periodic)
        features = entered = self.down(self.enter(torch.cat([planes[0], planes[1], *planes[2]], dim=1)))
        found: list[Tensor] = []
        memory: Memory | None = None if torch.is_grad_enabled() else []
        for group in self.groups:
            features = group(features, memory)
            found.append(features)
        residual: Tensor = self.leave(self.up(entered + self.fuse(torch.cat(found, dim=1))))
        return images[:, :1] + residual


class Group(nn.Module):
    """Residual dense blocks one after the other, their results joined, and the group skipped over by addition."""

    def __init__(self, params: CgrdnParams) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualDense(params) for _ in range(params.blocks))
        self.fuse = nn.Conv2d(params.blocks * params.features, params.features, 1)

    def forward(self, features: Tensor, memory: Memory | None = None) -> Tensor:
        """Features (B, C, Y, X).

        Parameters
        ----------
        features : Tensor, shape (B, C, Y, X)
        memory : Memory, optional
            What the blocks work in, where no gradients are asked for.
        """
        entered, found = features, []
        for block in self.blocks:
            features = block(features, memory)
            found.append(features)
        joined: Tensor = entered + self.fuse(torch.cat(found, dim=1))
        return joined


class ResidualDense(nn.Module):
    """Convolutions of 3 x 3 each of which sees the results of all before it (Zhang et al., CVPR 2018)."""

    def __init__(self, params: CgrdnParams) -> None:
        super().__init__()
        widths = [params.features + number * params.growth for number in range(params.layers + 1)]
        self.layers = nn.ModuleList(nn.Conv2d(width, params.growth, 3, padding=1) for width in widths[:-1])
        self.fuse = nn.Conv2d(widths[-1], params.features, 1)

    def forward(self, features: Tensor, memory: Memory | None = None) -> Tensor:
        """Features (B, C, Y, X).

        Parameters
        ----------
        features : Tensor, shape (B, C, Y, X)
        memory : Memory, optional
            What the block works in, where no gradients are asked for.
        """
        seen = features
        for number, layer in enumerate(self.layers):
            new = torch.relu_(layer(seen))
            if memory is not None and not memory:
                widest = new[:, :1].numel() * self.fuse.in_channels
                memory += [new.new_empty(widest), new.new_empty(widest)]
            seen = _joined(seen, new, None if memory is None else memory[number % 2])
        found: Tensor = features + self.fuse(seen)
        return found


def _joined(seen: Tensor, new: Tensor, place: Tensor | None) -> Tensor:
    """Both, one after the other along the channels, written to a place.

    Fresh memory for each convolution of each block costs a third of the time of a large image: every block uses that of the
    block before.
    """
    if place is None:
        return torch.cat([seen, new], dim=1)
    images, added, rows, columns = new.shape
    width = seen.shape[1] + added
    place = place[: images * rows * columns * width]
    if new.is_contiguous(memory_format=torch.channels_last):
        out = place.view(images, rows, columns, width).permute(0, 3, 1, 2)
    else:
        out = place.view(images, width, rows, columns)
    return torch.cat([seen.to(new.dtype), new], dim=1, out=out)
