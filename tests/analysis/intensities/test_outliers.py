import numpy as np
import pytest

from napari_atomseg.analysis.intensities.outliers import benjamini_hochberg, outlier_q


def places(side=20):
    return np.stack(np.mgrid[:side, :side], axis=-1).reshape(-1, 2) * 10.0


def test_few_ordinary_columns_are_called():
    rng = np.random.default_rng(0)
    false, missed = [], []
    for _ in range(30):
        values = 5 + 0.02 * places()[:, 1] + rng.normal(0, 0.3, 400)
        odd = rng.choice(400, 12, replace=False)
        values[odd] -= 2.5
        q, deviation = outlier_q(values, np.full(400, np.nan), np.zeros(400, int), places())
        called = np.flatnonzero(q < 0.05)
        assert (deviation[np.intersect1d(called, odd)] < 0).all()
        false.append(np.mean(~np.isin(called, odd)) if len(called) else 0.0)
        missed.append(1 - np.mean(np.isin(odd, called)))
    assert np.mean(false) < 0.07
    assert np.mean(missed) < 0.05


def test_nothing_is_called_where_nothing_is():
    rng = np.random.default_rng(1)
    calls = [
        np.nanmin(outlier_q(rng.normal(5, 0.3, 400), np.full(400, np.nan), np.zeros(400, int), places())[0]) < 0.05
        for _ in range(60)
    ]
    assert np.mean(calls) < 0.17


def test_sublattices_are_judged_each_by_itself():
    rng = np.random.default_rng(2)
    group = np.arange(400) % 2
    values = np.where(group == 0, 10.0, 2.0) + rng.normal(0, 0.2, 400)
    values[7] = 10.0
    q, _ = outlier_q(values, np.full(400, np.nan), group, places())
    assert np.flatnonzero(q < 0.01).tolist() == [7]
    few = outlier_q(values[:8], np.full(8, np.nan), group[:8], places()[:8])[0]
    assert np.isnan(few).all()


def test_q_values_are_those_of_benjamini_and_hochberg():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    assert benjamini_hochberg(p) == pytest.approx([0.04, np.nan, 0.16 / 3, 0.16 / 3, 0.5], nan_ok=True)
