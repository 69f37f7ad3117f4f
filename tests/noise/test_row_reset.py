import pytest
import torch

from napari_atomseg.noise.row_reset import RowResetParams, row_reset


def test_constant_along_rows_normal_across():
    noise = row_reset(torch.zeros(1, 1, 20_000, 7), [RowResetParams(sigma=0.4)], [1])[0, 0]
    assert (noise == noise[:, :1]).all()
    assert float(noise[:, 0].std()) == pytest.approx(0.4, rel=0.03)
    assert abs(float(noise[:, 0].mean())) < 0.02
    assert abs(float((noise[1:, 0] * noise[:-1, 0]).mean())) < 0.01
