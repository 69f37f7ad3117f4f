"""Parts that networks are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ROWS = 4
"""Rows above and below that are compared."""


def convolution(inputs: int, outputs: int, size: int = 3) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; the image keeps its size.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    size : int, px
        Odd side of the kernel.

    Returns
    -------
    nn.Sequential
        From (B, inputs, Y, X) to (B, outputs, Y, X).
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def given_planes(images: Tensor, conditions: int, periodic: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
    """What a network that restores is given, apart: the image, the planes of its kind, and what repeats over it if it hears that.

    Parameters
    ----------
    images : Tensor, shape (B, 1 + K, Y, X) or (B, 2 + K, Y, X)
        The image, K conditions, and what repeats over the image, if it is there.
    conditions : int
        K.
    periodic : bool
        Whether the network hears the last one.
    """
    first = 1 + conditions
    return images[:, :1], images[:, 1:first], [images[:, first : first + 1]] if periodic else []


class DoubleConvolution(nn.Sequential):
    """Two convolutions of 3 x 3, as at every level of a U-Net (Ronneberger et al., MICCAI 2015)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(convolution(inputs, outputs), convolution(outputs, outputs))


class RowContext(nn.Module):
    """What all pixels of a scan row near by say together, added to each of them.

    A scanned row is displaced as a whole, by an amount that one column hardly tells and twenty tell well: features are
    averaged along the row, compared with those of the rows above and below, and given back to every pixel.

    Parameters
    ----------
    channels : int
    reach : int, px
        Half the length of the piece of row that is averaged.
    rows : int
        Rows above and below that are compared.
    """

    def __init__(self, channels: int, reach: int, rows: int = ROWS) -> None:
        super().__init__()
        self.reach = reach
        self.rows = rows
        self.before = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.ReLU(inplace=True))
        self.mean = nn.AvgPool2d((1, 2 * reach + 1), stride=1, padding=(0, reach), count_include_pad=False)
        self.along = convolution_of_rows(channels, rows)
        self.after = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.after.weight)
        nn.init.zeros_(self.after.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, Y, X) with those of their rows added."""
        found: Tensor = features + self.after(self.along(self.mean(self.before(features))))
        return found


class RowRefinement(nn.Module):
    """What the rows say, and two convolutions that act on it: where a row is displaced, its pixels are put back.

    It starts as nothing, so that it can be added to a network that has learnt already.
    """

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.rows = RowContext(channels, reach)
        self.act = nn.Sequential(
            convolution(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        nn.init.zeros_(self.act[2].weight)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, Y, X), refined."""
        heard: Tensor = self.rows(features)
        refined: Tensor = heard + self.act(heard)
        return refined


def convolution_of_rows(channels: int, rows: int) -> nn.Sequential:
    """Convolution over so many rows above and below."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, (2 * rows + 1, 1), padding=(rows, 0), bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def shrink(inputs: int, outputs: int) -> nn.Module:
    """Half the pixels along each axis, learnt."""
    return nn.Conv2d(inputs, outputs, 2, stride=2)


class Grow(nn.Module):
    """Twice the pixels along each axis, joined with the features of the way down."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.thin = nn.Conv2d(inputs, outputs, 1)

    def forward(self, deep: Tensor, skipped: Tensor) -> Tensor:
        """Features (B, C, Y, X) of this level, from those of the next and those skipped over."""
        wide = nn.functional.interpolate(self.thin(deep), scale_factor=2, mode="bilinear", align_corners=False)
        return torch.cat([skipped, wide], dim=1)
