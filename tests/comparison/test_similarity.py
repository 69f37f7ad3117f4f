"""Matched intensities, scores, and columns one by one."""

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.comparison.figure import checkerboard
from napari_atomseg.comparison.similarity import columns_compared, disc_means, disc_radius, match_intensities, similarity
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError


@pytest.fixture
def image():
    return draw(square_lattice((80, 90), 12), 2, (80, 90))


def test_gain_and_offset_come_back(image, rng):
    assert match_intensities(image, 3.5 * image - 20) == pytest.approx((3.5, -20))
    noisy = 3.5 * image - 20 + rng.normal(0, 5, image.shape)
    assert match_intensities(image, noisy) == pytest.approx((3.5, -20), abs=0.5)


def test_pixels_without_a_value_do_not_count(image):
    holed = image.copy()
    holed[10:30, 20:40] = np.nan
    assert match_intensities(holed, 2 * image + 1) == pytest.approx((2, 1))
    found = similarity(holed, image)
    assert (found.one_minus_r2, found.frms, found.ssim) == pytest.approx((0, 0, 1))


def test_identical_images(image):
    found = similarity(image, image)
    assert (found.one_minus_r2, found.frms, found.ssim) == (0, 0, pytest.approx(1))


def test_scores_against_their_definitions(image, rng):
    other = image + rng.normal(0, 10, image.shape)
    found = similarity(image, other)
    assert found.one_minus_r2 == pytest.approx(((image - other) ** 2).sum() / ((other - other.mean()) ** 2).sum())
    assert found.frms == pytest.approx(np.sqrt(found.one_minus_r2))
    assert 0 < found.ssim < 1


def test_too_small_for_a_window(image):
    assert np.isnan(similarity(image[:9, :9], image[:9, :9] + 1).ssim)


def test_refusals(image):
    with pytest.raises(AtomsegError, match="no overlap"):
        match_intensities(np.full_like(image, np.nan), image)
    with pytest.raises(AtomsegError, match="constant where it overlaps"):
        match_intensities(np.ones_like(image), image)


def test_discs(image):
    flat = np.full((40, 50), 7.0)
    flat[:, 30:] = 9
    means = disc_means(flat, np.array([[20.0, 10.3], [20.0, 40.2], [1.0, 10.0]]), 0.5, (0.1, 0.1))
    assert means[:2] == pytest.approx([7, 9])
    assert np.isnan(means[2])
    assert disc_radius(square_lattice((80, 90), 12), (0.1, 0.1)) == pytest.approx(0.6)
    assert disc_radius(np.array([[4.0, 4.0]]), (0.1, 0.1)) == 1


def test_a_displaced_column_and_a_brighter_one():
    places = square_lattice((80, 90), 12, margin=8)
    moved = places.copy()
    moved[3] += [0.0, 1.0]
    heights = np.full(len(places), 100.0)
    heights[5] = 130
    first, second = draw(places, 2, (80, 90)), draw(places, 2, (80, 90), heights)
    fitted = [Columns(positions=one).with_features(fit="ok") for one in (places, moved)]
    table = columns_compared(first, second, *fitted, (0.1, 0.1))
    assert table["dx_pm"][3] == pytest.approx(10)
    assert table["dy_pm"].abs().max() == pytest.approx(0)
    assert table["intensity_difference"].idxmax() == 5
    failed = fitted[1].with_features(fit=np.where(np.arange(len(places)) == 3, "failed", "ok"))
    assert np.isnan(columns_compared(first, second, fitted[0], failed, (0.1, 0.1))["dx_pm"][3])


def test_checkerboard():
    board = checkerboard(np.zeros((16, 16)), np.where(np.arange(16) < 8, 1.0, np.nan) * np.ones((16, 1)))
    assert set(np.unique(board)) == {0, 1}
    assert board[:, 8:].max() == 0
    assert board[:, :8].mean() == 0.5
