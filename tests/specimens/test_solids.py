"""Solids atom by atom: tilts, wedges, shapes, distances, limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens import solids
from napari_atomseg.specimens.rotations import orientation, random_rotation
from napari_atomseg.specimens.solid_params import SolidParams
from napari_atomseg.specimens.solid_shapes import above_wedge, inside_half_space, inside_polyhedron, inside_rod
from napari_atomseg.specimens.solids import MARGIN, filled, solid

FIELD = (30.0, 40.0)
CUBIC = np.diag([4.0, 4.0, 4.0])
MONOCLINIC = np.array([[4.0, 0.0, 0.0], [0.5, 5.0, 0.0], [1.0, 0.7, 6.0]])


def places(atoms):
    return np.column_stack([atoms.positions, atoms.heights])


@pytest.mark.parametrize("cell", [CUBIC, MONOCLINIC])
@pytest.mark.parametrize("zone", [(0, 0, 1), (1, 1, 0), (1, 1, 2)])
def test_the_zone_axis_runs_along_the_beam_and_tilts_by_the_angle(cell, zone):
    along = np.array(zone) @ cell
    straight = orientation(cell, zone, turn=0.7) @ along
    assert straight == pytest.approx([0, 0, np.linalg.norm(along)], abs=1e-9)
    tilted = orientation(cell, zone, 0.1, 0.4, 0.7) @ along
    assert tilted[:2] / tilted[2] == pytest.approx(np.tan(0.1) * np.array([np.cos(0.4), np.sin(0.4)]), abs=1e-9)


def test_rotations_are_rotations(rng):
    for turned in [random_rotation(rng) for _ in range(20)] + [orientation(MONOCLINIC, (1, 1, 0), 0.2, 1.0, 2.0)]:
        assert turned @ turned.T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(turned) == pytest.approx(1)


def test_a_slab_is_full_and_keeps_the_distances_of_the_crystal(rng):
    motif = np.array([[0.0, 0, 0], [2.0, 2.0, 2.0]])
    atoms, which, depth = filled(CUBIC, motif, random_rotation(rng), FIELD, 50.0, 10**6, rng)
    volume = (FIELD[0] + 2 * MARGIN) * (FIELD[1] + 2 * MARGIN) * 50.0
    assert depth == 50
    assert len(atoms) == pytest.approx(volume / 32, rel=0.02)
    assert np.bincount(which) == pytest.approx([len(atoms) / 2] * 2, rel=0.02)
    assert cKDTree(atoms).query(atoms, k=2)[0][:, 1].min() == pytest.approx(np.sqrt(12))


def test_a_wedge_takes_what_lies_above_its_cut(rng):
    box = np.array([40.0, 30.0, 20.0])
    atoms = rng.uniform(0, 1, (20000, 3)) * box
    keep = above_wedge(atoms, box, np.pi / 4, 0.0)
    assert keep[atoms[:, 0] < 20].all()
    assert np.array_equal(keep, atoms[:, 2] >= atoms[:, 0] - 20)
    # A prism with legs of 20 over the whole width.
    assert (~keep).mean() == pytest.approx(20 * 20 / 2 * 30 / box.prod(), abs=0.01)


def test_wedges_of_both_sides_take_from_both():
    common = {"zone_axis": True, "thickness": 40.0, "wedge_slope": 0.5, "wedge_angle": 0.0}
    whole, top, bottom, both = (
        solid(SolidParams(wedge=wedge, **common), FIELD, np.random.default_rng(1)) for wedge in ("none", "top", "bottom", "both")
    )
    assert len(whole) - len(both) == 2 * len(whole) - len(top) - len(bottom)
    right = {name: one.heights[one.positions[:, 1] > 38] for name, one in (("top", top), ("bottom", bottom))}
    assert right["top"].min() > 8
    assert right["bottom"].max() < 32


@pytest.mark.parametrize("shape", ["rod", "polyhedron", "half_space"])
def test_keeping_and_removing_are_complementary(shape):
    common = {"thickness": 30.0, "shape": shape, "radius": 0.4}
    whole = solid(SolidParams(thickness=30.0), FIELD, np.random.default_rng(2))
    inside, outside = (solid(SolidParams(keep=keep, **common), FIELD, np.random.default_rng(2)) for keep in (True, False))
    assert 0 < len(inside) < len(whole)
    together = np.concatenate([places(inside), places(outside)])
    assert np.array_equal(np.unique(together, axis=0), np.unique(places(whole), axis=0))
    assert len(together) == len(whole)


def test_bodies_stay_within_their_radius(rng):
    atoms = rng.uniform(-20, 20, (20000, 3))
    inside = inside_polyhedron(atoms, np.zeros(3), 10.0, 20, rng)
    assert inside.any()
    assert np.linalg.norm(atoms[inside], axis=1).max() <= 10
    rod = inside_rod(atoms, np.zeros(3), 10.0, 12, rng)
    # A rod is endless: some of it lies beyond its radius.
    assert np.linalg.norm(atoms[rod], axis=1).max() > 10
    assert inside_half_space(atoms, np.zeros(3), rng).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("body", ["crystal", "glass"])
def test_atoms_keep_their_distance_and_come_again(body):
    params = SolidParams(body=body, species=3, least_distance=1.6, glass_distance=1.6, density=2.5, mistilt=0.05, heaviest=40)
    first, again = (solid(params, FIELD, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(places(first), places(again))
    assert np.array_equal(first.numbers, again.numbers)
    assert cKDTree(places(first)).query(places(first), k=2)[0][:, 1].min() >= 1.6 - 1e-6


def test_the_support_lies_below_and_large_solids_are_made_thinner(monkeypatch):
    params = SolidParams(thickness=25.0, support="glass", support_thickness=30.0, species=2)
    bare = solid(SolidParams(thickness=25.0, species=2), FIELD, np.random.default_rng(3))
    both = solid(params, FIELD, np.random.default_rng(3))
    assert np.array_equal(places(both)[: len(bare)], places(bare))
    assert both.heights[len(bare) :].min() >= 25
    assert both.heights.max() < 55
    monkeypatch.setattr(solids, "MOST_ATOMS", 60_000)

    def atoms(**given):
        return len(solid(SolidParams(heaviest=40, **given), (200.0, 200.0), np.random.default_rng(3)))

    deep = {"support": "glass", "support_thickness": 1000.0}
    assert atoms(thickness=300.0) == pytest.approx(40_000, rel=0.1)
    assert atoms(thickness=300.0, **deep) == pytest.approx(60_000, rel=0.1)
    assert atoms(thickness=10.0, **deep) == pytest.approx(60_000, rel=0.1)


def test_the_support_is_made_like_the_solid():
    own = {"body": "crystal", "space_group": 1, "species": 5, "longest": 8.0}
    support = {"support_space_group": 2, "support_species": 4, "support_wedge": "top", "support_wedge_slope": 0.6}
    bare = solid(SolidParams(**own), FIELD, np.random.default_rng(7))
    both = solid(SolidParams(support="crystal", **own, **support), FIELD, np.random.default_rng(7))
    below = places(both)[len(bare) :] - [0, 0, 50]
    assert len(np.unique(both.numbers[len(bare) :])) > 1
    # What a wedge takes from the entrance surface of the support.
    assert below[below[:, 1] > 39][:, 2].min() != pytest.approx(below[:, 2].min(), abs=2)


@pytest.mark.parametrize(("density", "count"), [(2.0, 1.0), (6.0, 3.0)])
def test_a_support_of_glass_has_its_own_density(density, count):
    def atoms(density):
        params = SolidParams(support="glass", support_density=density, support_glass_distance=1.0, support_thickness=20.0)
        return solid(params, FIELD, np.random.default_rng(8))

    bare = len(solid(SolidParams(), FIELD, np.random.default_rng(8)))
    light, given = atoms(2.0), atoms(density)
    assert (len(given) - bare) / (len(light) - bare) == pytest.approx(count, rel=0.1)


def test_a_distance_that_no_cell_can_keep_makes_another_crystal_and_no_glass():
    atoms = solid(SolidParams(space_group=225, least_distance=9.0, thickness=20.0), FIELD, np.random.default_rng(1))
    # Along its zone axis a crystal has atoms one behind the other, and a glass has none.
    assert len(np.unique(atoms.positions.round(3), axis=0)) < len(atoms)


def test_defects_move_or_remove_the_share_that_was_asked_for():
    whole, moved, removed = (
        solid(SolidParams(defect=defect, defects=0.2), FIELD, np.random.default_rng(4)) for defect in ("none", "moved", "removed")
    )
    assert len(moved) == len(whole)
    assert np.any(places(moved) != places(whole), axis=1).mean() == pytest.approx(0.2, abs=0.05)
    assert len(removed) == pytest.approx(0.8 * len(whole), rel=0.1)


def test_a_shape_that_would_leave_nothing_is_left_out():
    atoms = solid(SolidParams(shape="polyhedron", radius=0.0005, corners=4), FIELD, np.random.default_rng(1))
    assert len(atoms) > 10


def test_absurd_parameters_are_refused():
    with pytest.raises(AtomsegError, match="wedge"):
        SolidParams(wedge="left")
    with pytest.raises(AtomsegError, match="space_group"):
        SolidParams(space_group=231)
