"""Where networks calculate with sixteen bits: good enough for images and gradients, and much faster on processors made for it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def half_is_fast(device: str) -> bool:
    """Whether sixteen-bit arithmetic (bfloat16) is worth its while on a device.

    Parameters
    ----------
    device : str
        As torch names it, such as ``cpu`` or ``cuda``.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    # Torch has no public name for it; without it all is calculated with 32 bits.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return kind == "cpu" and supported is not None and bool(supported())


def half_where_fast(device: str) -> AbstractContextManager[object]:
    """Context in which convolutions are calculated with sixteen bits where that is fast, and as ever elsewhere.

    Parameters
    ----------
    device : str
        As torch names it.
    """
    return torch.autocast(torch.device(device).type, torch.bfloat16) if half_is_fast(device) else nullcontext()
