"""Counting noise of simulated images."""

import numpy as np
import pytest

from napari_atomseg.simulation.counted import counted


def test_the_variance_is_that_of_so_many_electrons():
    expected = np.stack([np.full((200, 200), level) for level in (0.2, 1.0)])
    found = counted(expected, 1e4, 0.2, seed=3)
    assert found.mean(axis=(1, 2)) == pytest.approx([0.2, 1.0], rel=1e-2)
    assert found.var(axis=(1, 2)) == pytest.approx(np.array([0.2, 1.0]) / (1e4 * 0.2**2), rel=0.05)


def test_images_of_a_series_have_noise_of_their_own_and_a_seed_repeats_it():
    expected = np.ones((2, 50, 50))
    first, again, other = (counted(expected, 1e3, 0.2, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, other)
