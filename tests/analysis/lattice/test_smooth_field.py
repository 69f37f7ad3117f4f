import numpy as np

from napari_atomseg.analysis.lattice.smooth_field import SmoothField


def test_local_means_follow_what_is_slow():
    positions = np.random.default_rng(0).uniform(0, 400, (4000, 2))
    values = np.sin(positions / 80)
    field = SmoothField(positions, 5.0, 15.0)
    inner = np.all((positions > 40) & (positions < 360), axis=1)
    np.testing.assert_allclose(field.mean(positions, values, positions)[inner], values[inner], atol=0.1)
    np.testing.assert_allclose(field.mean(positions, np.ones(4000), positions), 1)


def test_far_positions_do_not_make_the_grid_grow():
    assert max(SmoothField(np.array([[0, 0], [1e9, 3.0]]), 1.0, 3.0).shape) < 2000
