"""Random crystals of every space group, glasses, sheets and particles: distances, densities, symmetry, reproducibility."""

from __future__ import annotations

import numpy as np
import pytest
from ase.spacegroup import Spacegroup
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.graphene import GrapheneParams, graphene_like, poisson_disc
from napari_atomseg.specimens.nanoparticles import ParticleParams, particle, particle_atoms
from napari_atomseg.specimens.projection import Projection, columns_of
from napari_atomseg.specimens.random_crystals import RandomCrystalParams, amorphous, random_crystal


def closest(crystal):
    distances = crystal.get_all_distances(mic=True)
    own = np.linalg.norm(crystal.cell.array, axis=1).min()
    return min(own, distances[np.triu_indices(len(distances), 1)].min(initial=np.inf))


def test_every_space_group_gives_a_crystal_that_keeps_its_distances(rng):
    for group in range(1, 231):
        params = RandomCrystalParams(
            space_group=group,
            numbers=(14, 8, 38),
            lengths=tuple(rng.uniform(5, 12, 3)),  # in 4 Å many groups have room for no atom at all
            angles=tuple(rng.uniform(70, 110, 3)),
            least_distance=1.6,
        )
        crystal = random_crystal(params, rng)
        assert len(crystal) > 0
        assert closest(crystal) >= 1.6 - 1e-9, group


@pytest.mark.parametrize("group", [2, 14, 62, 136, 166, 194, 221, 227])
def test_the_crystal_has_the_symmetry_of_its_group(rng, group):
    crystal = random_crystal(RandomCrystalParams(space_group=group, numbers=(14, 8), lengths=(9.0, 10.0, 11.0)), rng)
    places = crystal.get_scaled_positions()
    for rotation, shift in Spacegroup(group).get_symop():
        moved = places @ rotation.T + shift
        apart = moved[:, None] - places[None]
        apart -= np.round(apart)
        same = crystal.numbers[:, None] == crystal.numbers[None]
        assert np.all(np.where(same, np.linalg.norm(apart, axis=2), 9).min(axis=1) < 1e-4)


def test_impossible_crystals_are_refused_at_once(rng):
    with pytest.raises(AtomsegError, match="larger"):
        random_crystal(RandomCrystalParams(space_group=225, lengths=(3.1, 3.1, 3.1), least_distance=6.0), rng)
    with pytest.raises(AtomsegError, match="do not close"):
        random_crystal(RandomCrystalParams(space_group=1, angles=(50.0, 50.0, 119.0)), rng)
    with pytest.raises(AtomsegError, match="space_group"):
        RandomCrystalParams(space_group=231)


def test_glasses_have_the_density_that_was_asked_for_and_keep_their_distances(rng):
    atoms = amorphous(6, 2.0, (30.0, 25.0, 40.0), 1.3, rng)
    assert len(atoms) * 12.011 / 0.6022 / (30 * 25 * 40) == pytest.approx(2.0, rel=0.01)
    assert cKDTree(atoms, boxsize=(30, 25, 40)).query(atoms, k=2)[0][:, 1].min() >= 1.3
    with pytest.raises(AtomsegError, match="lower the density"):
        amorphous(6, 7.0, (30.0, 30.0, 30.0), 1.6, rng)


def test_seeds_keep_their_distance_and_leave_no_room(rng):
    points = poisson_disc((40.0, 50.0), 2.0, rng)
    assert cKDTree(points).query(points, k=2)[0][:, 1].min() >= 2.0
    anywhere = rng.uniform(0, 1, (4000, 2)) * (40, 50)
    assert np.mean(cKDTree(points).query(anywhere)[0] < 2.0) > 0.995


def test_sheets_are_like_graphene(rng):
    sheet = graphene_like((60.0, 60.0), GrapheneParams(), rng)
    near = cKDTree(sheet.positions).query(sheet.positions, k=4)[0][:, 1:]
    inside = np.all((sheet.positions > 0) & (sheet.positions < 60), axis=1)
    assert near.min() > 1.0
    assert np.mean(near[inside]) == pytest.approx(1.42, abs=0.1)
    assert inside.sum() / 3600 == pytest.approx(2 / (3 * np.sqrt(3) / 2 * 1.42**2), rel=0.08)
    assert len(graphene_like((60.0, 60.0), GrapheneParams(holes=3), rng)) < 0.97 * len(sheet)


def test_a_bare_particle_is_convex_and_its_bonds_are_those_of_the_crystal(rng):
    atoms = particle_atoms(ParticleParams(radius=12.0, adatoms=0.0), rng)
    nearest = cKDTree(atoms).query(atoms, k=2)[0][:, 1]
    assert np.allclose(nearest, 4.078 / np.sqrt(2))
    assert np.linalg.norm(atoms, axis=1).max() < 2 * 12.0 * 1.2


@pytest.mark.parametrize(("temperature", "least"), [(0.1, 3), (1.0, 1)])
def test_adatoms_sit_where_neighbours_hold_them_and_more_so_when_cold(temperature, least):
    smooth = len(particle_atoms(ParticleParams(radius=10.0, adatoms=0.0), np.random.default_rng(7)))
    rough = particle_atoms(ParticleParams(radius=10.0, adatoms=0.2, temperature=temperature), np.random.default_rng(7))
    assert len(rough) == smooth + round(0.2 * smooth)
    neighbours = cKDTree(rough).query_pairs(1.1 * 4.078 / np.sqrt(2), output_type="ndarray")
    count = np.bincount(neighbours.ravel(), minlength=len(rough))
    assert count.min() >= least


def test_cold_surfaces_are_smoother():
    def mean_bonds(temperature):
        rough = particle_atoms(ParticleParams(radius=10.0, adatoms=0.25, temperature=temperature), np.random.default_rng(7))
        return len(cKDTree(rough).query_pairs(1.1 * 4.078 / np.sqrt(2), output_type="ndarray")) / len(rough)

    assert mean_bonds(0.1) > mean_bonds(50.0) + 0.05


def test_atoms_are_added_wherever_one_neighbour_holds_them():
    # So hot that every site is as good as any other.
    rough = particle_atoms(ParticleParams(radius=6.0, adatoms=0.1, temperature=100.0), np.random.default_rng(7))
    neighbours = [len(near) - 1 for near in cKDTree(rough).query_ball_point(rough, 1.1 * 4.078 / np.sqrt(2))]
    assert min(neighbours) == 1


def test_column_heights_of_a_particle_along_its_zone_axis_are_counted(rng):
    seen = particle(ParticleParams(radius=10.0, zone="110"), (40.0, 30.0), rng)
    columns = columns_of(seen, reach=0.5)
    assert columns.counts.sum() == len(seen)
    assert columns.counts.max() >= 5
    inside = np.all((columns.positions > 0) & (columns.positions < (40, 30)), axis=1)
    assert inside.all()
    assert np.allclose(columns.positions.mean(axis=0), (20, 15), atol=2)


def test_columns_are_weighted_by_what_scatters():
    atoms = Projection(positions=[[0, 0], [0, 0.3], [5, 5]], numbers=[79, 6, 6], counts=[2, 1, 1])
    columns = columns_of(atoms, exponent=2.0)
    assert sorted(columns.counts) == [1, 3]
    heavy = np.argmax(columns.counts)
    assert columns.scattering[heavy] == pytest.approx(2 * 79**2 + 36)
    assert columns.positions[heavy, 1] == pytest.approx(0.3 * 36 / (2 * 79**2 + 36))
    assert len(columns_of(Projection(positions=np.zeros((0, 2)), numbers=[])).positions) == 0


def test_the_same_seed_gives_the_same_specimen():
    for make in (
        lambda rng: graphene_like((20.0, 20.0), GrapheneParams(holes=1), rng).positions,
        lambda rng: particle_atoms(ParticleParams(), rng),
        lambda rng: random_crystal(RandomCrystalParams(space_group=14, numbers=(8, 14)), rng).positions,
        lambda rng: amorphous(6, 2.0, (10.0, 10.0, 10.0), 1.3, rng),
    ):
        assert np.array_equal(make(np.random.default_rng(3)), make(np.random.default_rng(3)))


def test_a_share_of_a_sheet_s_atoms_may_be_missing():
    whole, thinned = (
        graphene_like((60.0, 60.0), GrapheneParams(vacancies=share), np.random.default_rng(3)) for share in (0.0, 0.2)
    )
    assert len(thinned) == pytest.approx(0.8 * len(whole), rel=0.05)
    assert {tuple(place) for place in thinned.positions} <= {tuple(place) for place in whole.positions}
