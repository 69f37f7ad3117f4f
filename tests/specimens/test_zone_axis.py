"""Projected crystals against lattice constants, volumes and the crystal itself turned atom by atom."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.library import ENTRIES, crystal, library_cell
from napari_atomseg.specimens.projection import columns_of
from napari_atomseg.specimens.zone_axis import fill_field, projected_cell

EVERY = [(name, zone) for name, entry in ENTRIES.items() for zone in entry.zones]
ODD = [(1, 1, 1), (1, 1, 2), (2, 1, 0), (3, -1, 2), (0, 0, -1), (-1, 0, 0)]


@pytest.mark.parametrize(("name", "zone"), [*EVERY, *(("DyScO3", zone) for zone in ODD), *(("TiO2", zone) for zone in ODD)])
def test_a_projected_cell_holds_the_volume_and_the_atoms_of_the_crystal(name, zone):
    structure = crystal(name)
    cell = projected_cell(structure, zone)
    assert abs(np.linalg.det(cell.basis)) * cell.period == pytest.approx(structure.get_volume())
    assert cell.occupancy.sum() == pytest.approx(len(structure))
    assert cell.basis[0, 0] == pytest.approx(0, abs=1e-9)
    assert cell.basis[0, 1] > 0


@pytest.mark.parametrize("zone", [(0, 0, 1), (1, 1, 0), (1, 1, 1), (2, 1, 0)])
def test_columns_are_where_the_turned_crystal_has_its_atoms(zone):
    structure = crystal("TiO2")
    cell = projected_cell(structure, zone)
    block = structure.repeat((9, 9, 9))
    z = np.array(zone) @ structure.cell.array
    z = z / np.linalg.norm(z)
    along = block.positions - np.outer(block.positions @ z, z)
    middle = block.positions.mean(axis=0)
    flat = along[np.linalg.norm(block.positions - middle, axis=1) < 9]
    filled = fill_field(cell, (60.0, 60.0), cell.period).positions
    # Distances between columns do not depend on how the frame is turned.
    distinct = [cKDTree(points) for points in (flat, filled)]
    near = cKDTree(filled[np.all(np.abs(filled - 30) < 8, axis=1)])
    assert distinct[0].n > 50
    seen = np.unique(np.round(cKDTree(flat).sparse_distance_matrix(cKDTree(flat), 5.0).toarray().ravel(), 2))
    drawn = np.unique(np.round(near.sparse_distance_matrix(cKDTree(filled), 5.0).toarray().ravel(), 2))
    assert all(np.min(np.abs(drawn - value)) < 0.025 for value in seen)


@pytest.mark.parametrize(
    ("name", "zone", "spacing"), [("SrTiO3", (0, 0, 1), 3.905 / 2), ("Pt", (1, 1, 0), 2.4030), ("Si", (1, 1, 0), 1.3578)]
)
def test_nearest_columns_are_at_the_known_distance(name, zone, spacing):
    found = columns_of(fill_field(library_cell(name, zone), (50.0, 40.0), 30.0, turn=0.4, shift=(1.0, 2.0)))
    inner = np.all((found.positions > 5) & (found.positions < (45, 35)), axis=1)
    nearest = cKDTree(found.positions).query(found.positions[inner], k=2)[0][:, 1]
    assert np.allclose(nearest, spacing, atol=2e-3)


def test_a_field_is_full_and_its_atoms_are_counted():
    structure = crystal("SrTiO3")
    atoms = fill_field(library_cell("SrTiO3", (0, 0, 1)), (80.0, 70.0), 39.05, turn=0.3)
    inside = np.all((atoms.positions >= 0) & (atoms.positions < (80, 70)), axis=1)
    density = len(structure) / structure.get_volume()
    assert atoms.counts[inside].sum() / (80 * 70 * 39.05) == pytest.approx(density, rel=0.02)
    assert set(np.unique(atoms.numbers)) == {8, 22, 38}


def test_turning_takes_x_to_y():
    still = fill_field(library_cell("MoS2"), (20.0, 20.0), 5.0)
    turned = fill_field(library_cell("MoS2"), (20.0, 20.0), 5.0, turn=np.pi / 2)
    start = still.positions[np.argmin(np.hypot(*(still.positions - (0, 3)).T))]
    assert np.hypot(*(turned.positions - (start[1], -start[0])).T).min() < 1e-9


def test_occupancies_are_kept():
    alloy = Atoms("CuAu", positions=np.zeros((2, 3)), cell=[3, 3, 3], pbc=True)
    alloy.set_array("occupancy", np.array([0.25, 0.75]))
    cell = projected_cell(alloy, (0, 0, 1))
    assert dict(zip(cell.numbers, cell.occupancy, strict=True)) == {29: 0.25, 79: 0.75}


@pytest.mark.parametrize(
    ("structure", "zone", "message"),
    [
        (crystal("Pt"), (0, 0, 0), "zone axis"),
        (Atoms(cell=[3, 3, 3]), (0, 0, 1), "no atoms"),
        (Atoms("Pt"), (0, 0, 1), "no unit cell"),
    ],
)
def test_what_has_no_projection_is_refused(structure, zone, message):
    with pytest.raises(AtomsegError, match=message):
        projected_cell(structure, zone)


def test_an_unknown_crystal_is_refused_with_the_list():
    with pytest.raises(AtomsegError, match="SrTiO3"):
        library_cell("unobtainium")


def test_no_crystal_of_the_library_has_atoms_on_top_of_each_other():
    for name in ENTRIES:
        distances = crystal(name).get_all_distances(mic=True)
        assert distances[np.triu_indices(len(distances), 1)].min(initial=9) > 1.3, name


def test_scandium_has_its_octahedron_of_oxygen():
    perovskite = crystal("DyScO3")
    distances = perovskite.get_all_distances(mic=True)
    around = np.sort(distances[np.ix_(perovskite.numbers == 21, perovskite.numbers == 8)], axis=1)[:, :6]
    assert np.allclose(around, 2.09, atol=0.04)
    assert distances[np.ix_(perovskite.numbers == 66, perovskite.numbers == 8)].min() > 2.2


def upright_and_leaning(mistilt=0.02, thickness=100.0, angle=0.7, name="SrTiO3", zone=(0, 0, 1)):
    cell = library_cell(name, zone)
    return [fill_field(cell, (40.0, 30.0), thickness, turn=0.3, mistilt=lean, mistilt_angle=angle) for lean in (0.0, mistilt)]


@pytest.mark.parametrize("mistilt", [0.004, -0.02, 0.05])
def test_a_leaning_column_grows_along_the_tilt_by_a_twelfth_of_its_length_squared(mistilt):
    thickness, angle = 25 * 3.905, 0.7
    _, leaning = upright_and_leaning(mistilt, thickness, angle)
    along, across = np.array([np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), -np.sin(angle)])
    for which in (0, 7):
        one = leaning.select(np.array([which]))
        drawn = one.drawn_out()
        apart = drawn.positions - one.positions
        share = drawn.counts / one.counts.sum()
        assert share.sum() == pytest.approx(1)
        assert np.allclose(share @ apart, 0, atol=1e-9)
        assert share @ (apart @ along) ** 2 == pytest.approx((thickness * np.tan(mistilt)) ** 2 / 12, rel=2e-3)
        assert np.allclose(apart @ across, 0, atol=1e-9)
        assert np.diff(np.sort(apart @ along)).max() <= 0.3
        # The 25 atoms themselves.
        atoms = 3.905 * (np.arange(25) - 12) * np.tan(mistilt)
        assert share @ (apart @ along) ** 2 == pytest.approx(np.mean(atoms**2), rel=1e-9)


def test_leaning_columns_scatter_as_much_and_are_counted_once_where_they_were():
    # By 0.1 rad neighbours overlap: 10 A of smear at 1.95 A distance.
    upright, leaning = upright_and_leaning(0.1)
    assert leaning.drawn_out().scattering(1.7).sum() == pytest.approx(upright.scattering(1.7).sum())
    first, second = columns_of(upright), columns_of(leaning)
    assert np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.scattering, second.scattering)
    assert len(leaning.drawn_out()) > 20 * len(leaning)
    # Every sublattice alike.
    assert np.ptp(leaning.smear, axis=0).max() == 0
    assert upright.drawn_out() is upright


def test_a_single_layer_does_not_lean():
    _, leaning = upright_and_leaning(0.1, 1.0, name="graphene")
    assert leaning.drawn_out() is leaning


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mistilt": 0.5}, "mistilt"),
        ({"mistilt": float("nan")}, "mistilt"),
        ({"thickness": 0.0}, "thickness"),
        ({"thickness": -3.0}, "thickness"),
        ({"thickness": float("nan")}, "thickness"),
        ({"field": (1e5, 1e5)}, "columns"),
    ],
)
def test_fields_that_make_no_sense_are_refused(change, message):
    given = {"field": (20.0, 20.0), "thickness": 30.0, **change}
    with pytest.raises(AtomsegError, match=message):
        fill_field(library_cell("Pt"), given.pop("field"), given.pop("thickness"), **given)
