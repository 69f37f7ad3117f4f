"""Patch discriminator of Lobato et al., npj Comput. Mater. 10, 10 (2024), Fig. 10, after Isola et al., CVPR 2017.

It looks at windows of 70 x 70 pixels of a distorted image together with the true or the restored one, and says of each how
real it looks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512)
STRIDES = (2, 2, 2, 1)
SLOPE = 0.2
"""Of the rectifier below zero."""


class PatchDiscriminator(nn.Module):
    """Verdicts (B, 1, Y / 8, X / 8), before a sigmoid, on images (B, 1, Y, X) given the distorted ones (B, 1, Y, X).

    Instance normalisation instead of the batch's, and borders padded so that an image of 256 pixels has 32 x 32 verdicts.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 2
        for width, stride in zip(WIDTHS, STRIDES, strict=True):
            layers += [*_convolution(before, width, stride)]
            if before > 2:
                layers.append(nn.InstanceNorm2d(width, affine=True))
            layers.append(nn.LeakyReLU(SLOPE))
            before = width
        self.layers = nn.Sequential(*layers, *_convolution(before, 1, 1))

    def forward(self, distorted: Tensor, image: Tensor) -> Tensor:
        """Verdicts (B, 1, Y / 8, X / 8).

        Parameters
        ----------
        distorted : Tensor, shape (B, 1, Y, X)
            What was to be restored.
        image : Tensor, shape (B, 1, Y, X)
            Restored, or true.
        """
        verdict: Tensor = self.layers(torch.cat([distorted, image], dim=1))
        return verdict


def _convolution(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, nn.Module]:
    """Convolution of 4 x 4 that leaves Y / stride x X / stride pixels."""
    padding = (1, 1, 1, 1) if stride == 2 else (1, 2, 1, 2)
    return nn.ZeroPad2d(padding), nn.Conv2d(inputs, outputs, 4, stride=stride)
