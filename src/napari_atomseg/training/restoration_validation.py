"""How well a network restores, on fixed synthetic scenes that it never learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from napari_atomseg.training.losses import LOSSES
from napari_atomseg.training.restoration_examples import RestorationExamples


def validate_restoration(
    network: nn.Module, examples: Sequence[RestorationExamples], native: float, device: torch.device | str
) -> dict[str, float]:
    """Loss; peak signal-to-noise ratio, its gain over the recorded image, and that of each kind (dB); errors of intensity.

    The latter are medians of the errors of mean and deviation, in parts of the true deviation.

    Parameters
    ----------
    network : nn.Module
        Left in evaluation mode.
    examples : sequence of RestorationExamples
        Batches, the same every time.
    native : float, Å
        Not used; all validations take it.
    device : torch.device or str
        Where the network is.

    Returns
    -------
    dict of str to float
        ``loss``, ``psnr``, ``psnr gain``, ``gain KIND``, ``mean error`` and ``deviation error``.
    """
    losses: list[float] = []
    rows: list[tuple[float, ...]] = []
    network.eval()
    with torch.no_grad():
        for batch in examples:
            found = network(batch.image.to(device)).float().cpu()
            losses.append(float(LOSSES["restoration"](found, batch.targets, batch.asked)))
            after = psnr(found, batch.targets)
            spread = batch.targets.std(dim=(1, 2, 3)).clamp_min(1e-6)
            mean = (found - batch.targets).mean(dim=(1, 2, 3)).abs() / spread
            deviation = (found.std(dim=(1, 2, 3)) / spread - 1).abs()
            columns = (after, after - psnr(batch.image[:, :1], batch.targets), mean, deviation)
            rows += zip(batch.kinds.tolist(), *(column.tolist() for column in columns), strict=True)
    kinds, reached, gain, mean_error, deviation_error = np.array(rows).T
    return {
        "loss": float(np.mean(losses)),
        "psnr": float(reached.mean()),
        "psnr gain": float(gain.mean()),
        **{f"gain {kind:.0f}": float(gain[kinds == kind].mean()) for kind in np.unique(kinds)},
        "mean error": float(np.median(mean_error)),
        "deviation error": float(np.median(deviation_error)),
    }


def psnr(found: Tensor, true: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of images (B, 1, Y, X) in dB, shape (B,); the peak is the range of the true image.

    Parameters
    ----------
    found, true : Tensor, shape (B, 1, Y, X)
        What the network gives, and what it should.
    """
    square = (found - true).square().mean(dim=(1, 2, 3)).clamp_min(1e-20)
    span = true.amax(dim=(1, 2, 3)) - true.amin(dim=(1, 2, 3))
    return 20 * torch.log10(span.clamp_min(1e-10)) - 10 * torch.log10(square)
