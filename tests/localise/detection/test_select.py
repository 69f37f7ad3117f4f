import numpy as np
import pytest
from spots import square_lattice

from napari_atomseg.localise.detection.recurrence import repeat_vectors
from napari_atomseg.localise.detection.select import decoy_level, significance_level


def test_the_repeat_vectors_of_a_lattice_are_its_translations():
    points = np.round(square_lattice((300, 300), 20, angle=0.0))
    vectors = repeat_vectors(points, 2.5, 2.5)
    assert len(vectors) >= 8
    assert np.allclose(vectors / 20, np.round(vectors / 20), atol=0.1)


def test_points_thrown_at_random_share_no_vectors(rng):
    assert len(repeat_vectors(rng.uniform(0, 400, (300, 2)), 2.5, 2.5)) == 0


def test_few_points_share_nothing():
    assert len(repeat_vectors(np.zeros((3, 2)), 2.5, 2.5)) == 0


@pytest.mark.parametrize("level", [significance_level, None])
def test_without_candidates_nothing_is_significant(level):
    nothing = np.zeros(0)
    found = level(nothing, 2.5, 1e4, 0.05) if level else decoy_level(nothing, nothing, 0.05)
    assert found == float("inf")


def test_a_smaller_share_of_noise_asks_for_more(rng):
    significance = np.concatenate([rng.normal(2, 1, 1000), rng.normal(7, 1, 200)])
    strict, lax = (significance_level(significance, 2.5, 4e4, share) for share in (0.01, 0.2))
    assert strict > lax
