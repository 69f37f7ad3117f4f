import numpy as np
import pytest

from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.noise.scan_jitter import line_offsets, shift_lines


def _centroids(image):
    return image @ np.arange(image.shape[1]) / image.sum(axis=1)


def test_every_row_moves_by_its_own_offset_and_no_further():
    image = np.tile(render_columns(np.array([[0, 40]]), np.array([1.0]), 4.0, (1, 81)), (30, 1))
    offsets = line_offsets(30, 1.5, 0, np.random.default_rng(0))
    moved = shift_lines(image, offsets)
    assert np.allclose(_centroids(moved), 40 + offsets, atol=2e-3)
    assert np.allclose(moved.sum(axis=1), image.sum(axis=1), rtol=1e-6)


def test_rows_do_not_mix():
    image = np.zeros((5, 20))
    image[2] = 1
    moved = shift_lines(image, np.linspace(-3, 3, 5))
    assert np.array_equal(moved[:2], image[:2])
    assert np.allclose(moved[2], 1)


def test_no_offset_and_whole_offsets_are_exact():
    image = np.random.default_rng(0).random((6, 12))
    assert np.array_equal(shift_lines(image, np.zeros(6)), image)
    assert np.allclose(shift_lines(image, np.full(6, 2.0))[:, 2:], image[:, :-2])


@pytest.mark.parametrize("correlation", [0, 3, 10])
def test_offsets_have_the_wanted_spread_and_memory(correlation):
    offsets = line_offsets(200_000, 0.7, correlation, np.random.default_rng(2))
    assert offsets.std() == pytest.approx(0.7, rel=0.03)
    neighbours = np.corrcoef(offsets[1:], offsets[:-1])[0, 1]
    assert neighbours == pytest.approx(np.exp(-1 / correlation) if correlation else 0, abs=0.01)


def test_no_jitter():
    assert not line_offsets(8, 0.0, 3, np.random.default_rng(0)).any()
