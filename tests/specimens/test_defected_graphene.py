import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_atomseg.analysis.rings import bonds_of, rings_of
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene
from napari_atomseg.specimens.springs import relaxed

FIELD = (40.0, 36.0)


def sheet(seed=0, field=FIELD, **given):
    return defected_graphene(field, DefectedGrapheneParams(**given), np.random.default_rng(seed))


def sizes(atoms):
    return sorted(ring.size for ring in rings_of(atoms, bonds_of(atoms)) if ring.size != 6)


def test_a_perfect_sheet_has_three_bonds_of_one_length():
    atoms = sheet().positions
    inside = np.all((atoms > 0) & (atoms < FIELD), axis=1)
    distance, _ = cKDTree(atoms).query(atoms[inside], k=5)
    assert distance[:, 1:4] == pytest.approx(1.42, abs=1e-6)
    assert distance[:, 4] == pytest.approx(1.42 * np.sqrt(3), abs=1e-6)
    assert len(atoms[inside]) == pytest.approx(0.3819 * np.prod(FIELD), rel=0.02)


def test_what_defects_make_of_the_hexagons():
    assert sizes(sheet().positions) == []
    assert sizes(sheet(1, rotations=1).positions) == [5, 5, 7, 7]
    assert sizes(sheet(3, vacancies=1).positions) == [12]
    assert sizes(sheet(3, divacancies=1).positions) == [14]


def test_springs_make_bonds_about_a_defect_alike():
    still, moved = (sheet(rotations=2, relaxation=steps).positions for steps in (0, 60))

    def strain(atoms):
        bonds = bonds_of(atoms)
        length = np.hypot(*(atoms[bonds[:, 0]] - atoms[bonds[:, 1]]).T)
        return np.square(length - 1.42).sum()

    assert strain(moved) < 0.8 * strain(still)


def test_springs_at_rest_stay():
    atoms = sheet().positions
    assert relaxed(atoms, 1.42, 1.25, 20) == pytest.approx(atoms, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_periodic_sheet_has_no_seam(seed):
    atoms = sheet(seed, (38.4, 38.4), periodic=True).positions
    distance, _ = cKDTree(atoms, boxsize=38.4).query(atoms, k=4)
    assert distance[:, 1:] == pytest.approx(1.42, abs=0.06)


def test_holes_edges_and_grains_leave_atoms_apart():
    whole = len(sheet())
    assert len(sheet(holes=2)) < whole
    assert len(sheet(edge=0.0)) == pytest.approx(whole / 2, rel=0.15)
    grains = sheet(grains=2).positions
    assert cKDTree(grains).query(grains, k=2)[0][:, 1].min() > 0.9


def test_dirt_lies_above_the_sheet():
    dirty = sheet(dirt=2, dirt_density=1.0)
    assert len(dirty.select(dirty.heights < 1)) == len(sheet())
    assert (dirty.heights > 1).sum() > 20
