"""Sixteen-bit arithmetic where it is fast, and 32 bits elsewhere."""

import pytest
import torch

from napari_atomseg.networks import half_precision
from napari_atomseg.networks.half_precision import half_is_fast, half_where_fast


@pytest.mark.parametrize(("fast", "kind"), [(True, torch.bfloat16), (False, torch.float32)])
def test_convolutions_are_calculated_with_sixteen_bits_where_that_is_fast(monkeypatch, fast, kind):
    monkeypatch.setattr(half_precision, "half_is_fast", lambda device: fast)
    with half_where_fast("cpu"):
        assert torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 1, 8, 8)).dtype == kind


def test_a_torch_that_does_not_say_calculates_with_32_bits(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert not half_is_fast("cpu")
    assert not half_is_fast("mps")
