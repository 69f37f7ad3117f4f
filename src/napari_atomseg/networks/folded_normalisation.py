"""Batch normalisation folded into the convolutions before it: the same numbers in fewer passes over the image."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_normalisation(network: nn.Module) -> None:
    """Let convolutions do what the normalisation behind them does, in place; for networks that no longer learn.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode. Convolutions that stand right before their normalisation in an ``nn.Sequential`` are changed, others
        are left as they are.
    """
    for part in list(network.modules()):
        if isinstance(part, nn.Sequential):
            _fold_chain(part)


def _fold_chain(chain: nn.Sequential) -> None:
    for place in range(len(chain) - 1):
        before, after = chain[place], chain[place + 1]
        if isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d) and after.track_running_stats:
            folded: Any = fuse_conv_bn_eval(before, after)
            chain[place], chain[place + 1] = folded, nn.Identity()
