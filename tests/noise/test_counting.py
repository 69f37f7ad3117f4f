import numpy as np
import pytest

from napari_atomseg.noise.counting import count_electrons, electrons_per_pixel


@pytest.mark.parametrize("mean", [0.3, 5.0, 400.0])
def test_variance_is_the_mean(mean):
    counts = count_electrons(np.full((400, 400), mean), np.random.default_rng(1))
    assert counts.dtype == np.float32
    assert counts.mean() == pytest.approx(mean, rel=0.01)
    assert counts.var() == pytest.approx(mean, rel=0.02)
    assert np.array_equal(counts, np.rint(counts))


def test_nothing_expected_nothing_counted():
    assert not count_electrons(np.array([[0.0, -1.0]]), np.random.default_rng(1)).any()


def test_same_seed_same_counts():
    expected = np.full((9, 9), 3.0)
    assert np.array_equal(*(count_electrons(expected, np.random.default_rng(4)) for _ in range(2)))


def test_dose_and_area():
    assert electrons_per_pixel(1e4, 0.1) == pytest.approx(100)
