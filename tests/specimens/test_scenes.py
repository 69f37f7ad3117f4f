import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_atomseg.specimens.scenes import dumbbells, nanoparticle, perovskite, scattering_power

SPACINGS = {perovskite: 3.905 / np.sqrt(2), dumbbells: 5.431 / 4, nanoparticle: 3.924 * np.sqrt(3 / 8)}


@pytest.mark.parametrize(("scene", "spacing"), SPACINGS.items())
def test_nearest_neighbours_lie_as_the_crystal_says(scene, spacing):
    positions = scene(80.0, np.random.default_rng(0)).positions
    # At the border of the field a column may have lost its neighbour.
    inner = positions[np.all((positions > 0) & (positions < 80), axis=1)]
    nearest = cKDTree(positions).query(inner, k=2)[0][:, 1]
    assert np.allclose(nearest, spacing, atol=2e-3)


def test_sr_columns_scatter_about_twice_as_much_as_ti_o_columns():
    scene = perovskite(60.0, np.random.default_rng(0))
    per_cell = scene.scattering / (scene.table["atom_count"] / scene.table["occupancy"])
    full = scene.table["occupancy"] == 1
    a, b = (per_cell[full & (scene.table["sublattice"] == name)].mean() for name in "AB")
    assert a / b == pytest.approx(38**1.7 / (22**1.7 + 8**1.7), rel=0.02)
    assert 0 < (~full).mean() < 0.05


def test_particle_is_thickest_in_the_middle():
    scene = nanoparticle(84.0, np.random.default_rng(0))
    distance = np.linalg.norm(scene.positions - scene.positions.mean(axis=0), axis=1)
    count = scene.table["atom_count"].to_numpy()
    assert np.corrcoef(distance, count)[0, 1] < -0.8
    assert np.allclose(scene.scattering, scattering_power(78) * count)
    assert scene.support[:, 0].min() > 0.3 * 84
