import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.clusters import ClusterParams, cluster, melted

SHAPES = ("octahedron", "cuboctahedron", "truncated octahedron", "icosahedron", "decahedron", "wulff", "sphere")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("diameter", [12.0, 25.0, 45.0])
def test_size_and_bonds(shape, diameter):
    atoms = cluster(ClusterParams(shape=shape, diameter=diameter))
    across = 2 * np.linalg.norm(atoms.positions - atoms.positions.mean(axis=0), axis=1).max()
    assert across == pytest.approx(diameter, abs=5.0)
    nearest = cKDTree(atoms.positions).query(atoms.positions, k=2)[0][:, 1]
    # The bonds of an icosahedron along its radii are 5 % shorter than those around it.
    assert np.median(nearest) == pytest.approx(3.92 / np.sqrt(2), rel=0.06)


@pytest.mark.parametrize(("shape", "magic"), [("cuboctahedron", 309), ("icosahedron", 309), ("octahedron", 146)])
def test_closed_shells_have_their_magic_numbers(shape, magic):
    assert len(cluster(ClusterParams(shape=shape, diameter=22 if shape == "cuboctahedron" else 19.5))) == magic


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_melted_atoms_keep_their_distance_and_lose_their_order(share):
    crystal = cluster(ClusterParams(diameter=25))
    glass = cluster(ClusterParams(diameter=25, amorphous=share, seed=4))
    nearest = cKDTree(glass.positions).query(glass.positions, k=2)[0][:, 1]
    assert nearest.min() > 1.9
    assert np.median(nearest) == pytest.approx(2.7, abs=0.2)
    moved = np.linalg.norm(glass.positions - crystal.positions, axis=1) > 0.3
    assert moved.mean() == pytest.approx(share, abs=0.12)
    assert np.array_equal(glass.positions, cluster(ClusterParams(diameter=25, amorphous=share, seed=4)).positions)


def test_nothing_melts_at_zero(rng):
    positions = rng.normal(size=(20, 3)) * 5
    assert melted(positions, 0.0, rng) is positions


def test_what_cannot_be_built_is_refused():
    with pytest.raises(AtomsegError, match="no element"):
        cluster(ClusterParams(element="Qq"))
    with pytest.raises(AtomsegError, match="give the lattice constant"):
        cluster(ClusterParams(element="Fe"))
    assert len(cluster(ClusterParams(element="Fe", lattice_constant=3.6))) > 10
