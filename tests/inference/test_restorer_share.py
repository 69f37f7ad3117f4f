"""Shares of two networks in the mean of their answers."""

import numpy as np
import pytest

from napari_atomseg.inference.restorer_share import restorer_share


@pytest.fixture
def waves():
    return np.outer(np.ones(64), np.sin(2 * np.pi * np.arange(64) / 16))


def test_the_share_grows_with_the_difference_of_the_answers(rng, waves):
    shares = [restorer_share(waves + off * waves.std() * rng.normal(size=waves.shape), waves) for off in (0, 0.01, 0.04, 1.0)]
    assert shares == pytest.approx([0.0, 0.2, 0.5, 0.96], abs=0.02)


def test_neither_level_nor_unit_matter(rng, waves):
    other = waves + 0.1 * rng.normal(size=waves.shape)
    assert restorer_share(300 * other + 5, 300 * waves) == pytest.approx(restorer_share(other, waves))


def test_what_is_not_known_is_left_out(rng, waves):
    other = waves + 0.1 * rng.normal(size=waves.shape)
    part = other.copy()
    part[32:] = np.nan
    assert restorer_share(part, waves) == pytest.approx(restorer_share(other[:32], waves[:32]))
    assert restorer_share(np.full((8, 8), np.nan), np.ones((8, 8))) == 1.0


def test_without_contrast_the_network_for_columns_does_not_count(waves):
    assert restorer_share(waves, np.zeros(waves.shape)) == 1.0
