import numpy as np
import pytest
import torch
from scipy import stats

from napari_atomseg.noise.seeded import mixed, normal, poisson, uniform, uniform_lists


def test_numbers_have_the_wanted_distribution():
    assert stats.kstest(normal((300, 300), [1])[0].ravel().numpy(), "norm").pvalue > 1e-3
    assert stats.kstest(uniform((300, 300), [1])[0].ravel().numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("draw", [normal, uniform])
def test_each_sample_has_its_own_numbers(draw):
    batch = draw((40, 50), [3, 4, 3])
    assert torch.equal(batch[0], batch[2])
    assert torch.equal(batch[1:2], draw((40, 50), [4]))
    streams = [draw((100, 100), [3], stream=n).ravel().numpy() for n in (0, 1)] + [draw((100, 100), [4]).ravel().numpy()]
    assert np.abs(np.corrcoef(streams) - np.eye(3)).max() < 0.05


def test_any_whole_number_is_a_seed():
    seeds = [0, -1, 1, 2**63, 2**64 - 7]
    assert len({mixed(seed, stream) for seed in seeds for stream in range(3)}) == 15
    assert np.isfinite(normal((4,), seeds).numpy()).all()


def test_no_global_state():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = normal((8,), [1])
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(normal((8,), [1]), first)


def test_lists_of_unequal_length():
    rows = uniform_lists([2, 0, 5], 3, [7, 8, 9])
    assert rows.shape == (3, 5, 3)
    assert torch.equal(rows[0, :2], uniform_lists([2], 3, [7])[0])
    assert not rows[0, 2:].any()
    assert not rows[1].any()


@pytest.mark.parametrize("rate", [1e-3, 0.4, 2.0, 3.99, 4.0, 7.0, 15.0, 60.0, 1000.0, 1e6])
def test_counts_have_the_poisson_distribution(rate):
    counts = poisson(torch.full((4, 500, 500), rate), range(4)).numpy().ravel()
    assert np.array_equal(counts, np.rint(counts))
    error = np.sqrt(rate / counts.size)
    assert counts.mean(dtype=float) == pytest.approx(rate, abs=4 * error + 2e-4 * rate)
    assert counts.var(dtype=float) == pytest.approx(rate, rel=5e-4 + 4 * np.sqrt((2 + 1 / rate) / counts.size))
    values = np.unique(counts)
    seen = np.searchsorted(np.sort(counts), values, side="right") / counts.size
    # Kolmogorov's limit at one in a thousand, and the error that the expansion may have.
    assert np.abs(seen - stats.poisson(rate).cdf(values)).max() < 1.95 / np.sqrt(counts.size) + 1e-3


def test_nothing_expected_nothing_counted():
    assert not poisson(torch.tensor([[0.0, -1.0, -1e9]]), [1]).any()


def test_counts_of_mixed_rates_follow_each_pixel():
    rate = torch.logspace(-2, 4, 60)[:, None].expand(60, 4000)
    counts = poisson(rate[None], [2])[0].numpy()
    mean = rate[:, 0].numpy()
    assert (np.abs(counts.mean(1) - mean) < 4 * np.sqrt(mean / 4000)).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_same_seeds_same_numbers():
    rate = torch.full((2, 64, 64), 5.0, device="cuda")
    assert torch.equal(poisson(rate, [1, 2]), poisson(rate, [1, 2]))
    assert torch.equal(normal((9,), [1, 2], "cuda"), normal((9,), [1, 2], "cuda"))
