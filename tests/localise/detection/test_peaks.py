import numpy as np
from spots import draw, square_lattice

from napari_atomseg.localise.detection.peaks import disc, find_peaks, join


def test_every_column_is_a_candidate_with_half_of_its_height(rng):
    true = square_lattice((120, 130), 20, margin=12)
    peaks, response = find_peaks(draw(true, 2.5, (120, 130)) + rng.normal(0, 1, (120, 130)), 2.5)
    strong = peaks.pixel[peaks.height > 30]
    assert len(strong) == len(true)
    assert response.shape == (120, 130)
    assert np.allclose(peaks.height[peaks.height > 30], 50, rtol=0.15)


def test_an_edge_is_not_round(rng):
    image = np.broadcast_to(np.arange(100) > 50, (100, 100)) * 100.0 + rng.normal(0, 0.1, (100, 100))
    peaks, _ = find_peaks(image, 2.5)
    assert not (peaks.height > 10).any()


def test_parts_are_joined(rng):
    part, _ = find_peaks(rng.normal(size=(50, 50)), 2.0)
    assert len(join([part, part])) == 2 * len(part)


def test_a_disc_is_round():
    assert disc(1).tolist() == [[False, True, False], [True, True, True], [False, True, False]]
