import numpy as np
from spots import draw, square_lattice

from napari_atomseg.localise.detection.candidates import disc, find_candidates, join


def test_every_column_is_a_candidate_with_half_of_its_height(rng):
    true = square_lattice((120, 130), 20, margin=12)
    candidates, response = find_candidates(draw(true, 2.5, (120, 130)) + rng.normal(0, 1, (120, 130)), 2.5)
    strong = candidates.pixel[candidates.height > 30]
    assert len(strong) == len(true)
    assert response.shape == (120, 130)
    assert np.allclose(candidates.height[candidates.height > 30], 50, rtol=0.15)


def test_an_edge_is_not_round(rng):
    image = np.broadcast_to(np.arange(100) > 50, (100, 100)) * 100.0 + rng.normal(0, 0.1, (100, 100))
    candidates, _ = find_candidates(image, 2.5)
    assert not (candidates.height > 10).any()


def test_parts_are_joined(rng):
    part, _ = find_candidates(rng.normal(size=(50, 50)), 2.0)
    assert len(join([part, part])) == 2 * len(part)


def test_a_disc_is_round():
    assert disc(1).tolist() == [[False, True, False], [True, True, True], [False, True, False]]
