"""Images whose rows are put back where they belong."""

import numpy as np
import pytest

from napari_atomseg.inference.displaced_rows import MOST_TIMES, is_scanned, row_displacements, straight_image, times_put_back

Y, X = np.mgrid[:60, :80].astype(float)


def scene(y, x):
    return 5 + np.sin(2 * np.pi * x / 11) + np.cos(2 * np.pi * y / 13)


@pytest.mark.parametrize(("along_y", "left"), [(0.0, 0.02), (0.12, 0.3)])
def test_rows_come_back_to_where_they_were(rng, along_y, left):
    # Displaced along y rows stand unevenly, and what lies between them is known less well.
    shifts = rng.normal(0, 1, (60, 2)) * [along_y, 0.4]
    recorded = scene(Y - shifts[:, :1], X - shifts[:, 1:])
    inner = np.s_[6:-6, 6:-6]
    before = recorded - scene(Y, X)
    after = straight_image(recorded, shifts) - scene(Y, X)
    assert after[inner].std() < left * before[inner].std()


@pytest.mark.parametrize("bad", [np.nan, 1e4])
def test_bad_pixels_do_not_spread(bad):
    recorded = scene(Y, X)
    recorded[20, 30] = bad
    found = straight_image(recorded, np.full((60, 2), 0.5))
    assert np.isfinite(found).all()
    away = np.hypot(Y - 20, X - 30) > 4
    assert np.abs(found - straight_image(scene(Y, X), np.full((60, 2), 0.5)))[away].max() < 0.1


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_displacements_are_told_by_what_they_leave(rng, noise):
    shift = rng.normal(0, 0.4, 60)
    recorded = scene(Y, X - shift[:, None]) + rng.normal(0, noise, Y.shape)
    found = row_displacements(recorded - scene(Y, X), scene(Y, X))
    bound = noise / np.sqrt(np.sum(np.gradient(scene(Y, X), axis=1) ** 2, axis=1))
    assert np.sqrt(np.mean((found - shift) ** 2)) < 1.15 * np.sqrt(np.mean(bound**2)) + 0.04


def test_noise_alone_displaces_no_rows(rng):
    left = [row_displacements(rng.normal(0, 1, Y.shape), scene(Y, X)) for _ in range(20)]
    plain = 1 / np.sqrt(np.sum(np.gradient(scene(Y, X), axis=1)[0] ** 2))
    assert np.sqrt(np.mean(np.square(left))) < 0.3 * plain
    assert not row_displacements(rng.normal(0, 1, Y.shape), np.full(Y.shape, 3.0)).any()


def test_unknown_pixels_tell_nothing_of_displacements(rng):
    shift = rng.normal(0, 0.4, 60)
    recorded = scene(Y, X - shift[:, None])
    recorded[:, :20] = np.nan
    recorded[7] = np.nan
    found = row_displacements(recorded - scene(Y, X), scene(Y, X))
    assert found[7] == 0
    known = np.arange(60) != 7
    assert np.corrcoef(found[known], shift[known])[0, 1] > 0.99


def test_an_image_of_noise_has_no_displaced_rows(rng):
    found = [row_displacements(rng.normal(0, 1, (256, 256)), rng.normal(0, 0.03, (256, 256))) for _ in range(20)]
    assert sum(one.any() for one in found) <= 1


@pytest.mark.parametrize("told", [1.0, 0.8, 0.6])
@pytest.mark.parametrize("times", [1.0, 1.3])
def test_rows_that_a_restored_image_follows_are_put_back_by_more(rng, told, times):
    true = rng.normal(0, 1, 200)
    before = told * true
    now = told * (true - times * before)
    assert times_put_back(now, before, times) == pytest.approx(1 / told)


def test_rows_are_put_back_by_no_less_than_is_told_and_by_twice_as_much_at_most(rng):
    before = rng.normal(0, 1, 200)
    assert times_put_back(-before, before, 1.0) == 1.0
    assert times_put_back(0.99 * before, before, 1.0) == MOST_TIMES
    assert times_put_back(before, np.zeros(200), 1.0) == 1.0


def test_the_rows_of_a_stem_are_recorded_one_after_the_other_those_of_a_tem_together():
    kinds = ("hrstem", "lrstem", "hrtem", "lrtem", "hrsem", "lrsem", "")
    assert [is_scanned(kind) for kind in kinds] == [True, True, False, False, True, True, True]
