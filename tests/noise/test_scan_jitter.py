import pytest
import torch

from napari_atomseg.noise.scan_jitter import ScanJitterParams, autoregression, jitter_offsets, scan_jitter


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.7])
def test_offsets_remember_as_powers_of_phi(phi):
    params = ScanJitterParams(sigma_x=0.8, phi_x=phi)
    y, x = jitter_offsets(200_000, [params], [2])[0]
    assert not y.any()
    variance = 0.8**2 / (1 - phi**2)
    assert float(x.var()) == pytest.approx(variance, rel=0.03)
    for lag in (1, 2, 5):
        assert float((x[lag:] * x[:-lag]).mean()) / variance == pytest.approx(phi**lag, abs=0.015)


@pytest.mark.parametrize("line", [0, 1, 255])
def test_the_first_line_is_spread_as_all_others(line):
    params = ScanJitterParams(sigma_y=0.5, phi_y=0.6)
    offsets = jitter_offsets(256, [params] * 5000, range(5000))[:, 0, line]
    assert float(offsets.std()) == pytest.approx(0.5 / (1 - 0.6**2) ** 0.5, rel=0.04)
    assert abs(float(offsets.mean())) < 0.04


def test_series_is_the_recursion():
    kicks, phi = torch.randn(2, 2, 37, dtype=torch.float64), torch.full((2, 2, 1), 0.9, dtype=torch.float64)
    expected = kicks.clone()
    for k in range(1, 37):
        expected[..., k] += 0.9 * expected[..., k - 1]
    assert torch.allclose(autoregression(kicks, phi), expected)


def test_jitter_moves_rows_not_columns():
    stripes = torch.sin(torch.arange(64.0))[:, None].expand(64, 64)[None, None].contiguous()
    along, across = stripes, stripes.mT.contiguous()
    sideways, upright = ScanJitterParams(sigma_x=0.7), ScanJitterParams(sigma_y=0.7)
    assert torch.allclose(scan_jitter(along, [sideways], [1]), along, atol=1e-6)
    assert torch.allclose(scan_jitter(across, [upright], [1]), across, atol=1e-6)
    # Every row moves as a whole: the rows of vertical stripes differ, the columns of horizontal ones do not.
    moved = scan_jitter(across, [sideways], [1])[0, 0]
    assert float((moved[1:] - moved[:-1]).abs().mean()) > 0.1
    moved = scan_jitter(along, [upright], [1])[0, 0]
    assert torch.allclose(moved, moved[:, :1], atol=1e-6)
    assert float((moved - along[0, 0]).abs().mean()) > 0.1
