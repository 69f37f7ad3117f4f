import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.repetition import is_crystal
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cutting import CutParams, cut, field_of, low_index_zones, period, thermal_by_element, zone_of
from napari_atomseg.specimens.library import crystal

ZONES = [
    ("SrTiO3", "0,0,1"),
    ("SrTiO3", "1,1,0"),
    ("Si", "1,1,0"),
    ("Pt", "1,1,1"),
    ("Pt", "1,1,2"),
    ("MoS2", "0,0,1"),
    ("TiO2", "1,0,0"),
]


def same_places(one, other):
    assert len(one) == len(other)
    distance, partner = cKDTree(other).query(one)
    assert distance.max() < 1e-3
    assert len(set(partner)) == len(partner)


@pytest.mark.parametrize(("name", "zone"), ZONES)
def test_the_piece_is_the_period_repeated(name, zone):
    params = CutParams(zone_axis=zone, thickness=20, width_y=15, width_x=17)
    one, piece = period(crystal(name), params), cut(crystal(name), params)
    many = one.repeat((12, 12, 1)).positions - np.append(4 * np.diag(one.cell.array)[:2], 0)
    box = np.array([[2.03, 2.03, -1], [14.51, 12.47, 99]])
    inside = [places[np.all((places > box[0]) & (places < box[1]), axis=1)] for places in (piece.positions, many)]
    same_places(*inside)


@pytest.mark.parametrize(("name", "zone"), ZONES)
def test_density_is_that_of_the_crystal(name, zone):
    structure = crystal(name)
    piece = cut(structure, CutParams(zone_axis=zone, rotation_deg=17, thickness=61, width_y=31, width_x=29))
    volume = 61 * (31 + 20) * (29 + 20)
    assert len(piece) / volume == pytest.approx(len(structure) / structure.get_volume(), rel=0.06)


def test_columns_lie_along_the_beam_and_lean_with_the_mistilt():
    piece = cut(crystal("SrTiO3"), CutParams(thickness=100, width_y=10, width_x=10))
    assert len(np.unique(np.round(piece.positions[:, :2], 3), axis=0)) < 260
    leaning = cut(crystal("SrTiO3"), CutParams(thickness=100, width_y=10, width_x=10, tilt_x=10))
    titanium = leaning[leaning.numbers == 22].positions
    middle = titanium[np.linalg.norm(titanium[:, :2] - [5.86, 5.86], axis=1) < 1.2]
    slope = np.polyfit(middle[:, 2], middle[:, 1], 1)[0]
    assert abs(slope) == pytest.approx(np.tan(0.010), rel=0.02)
    assert abs(np.polyfit(middle[:, 2], middle[:, 0], 1)[0]) < 1e-4


def test_rotation_turns_from_x_towards_y():
    rod = Atoms("PtAu", positions=[[0, 0, 0], [3, 0, 0]])
    turned = cut(rod, CutParams(rotation_deg=90)).positions
    assert turned[1] - turned[0] == pytest.approx([0, 3, 0], abs=1e-9)


def test_a_particle_stays_whole_in_the_middle_of_its_field():
    particle = cluster(ClusterParams(diameter=15))
    piece = cut(particle, CutParams(zone_axis="1,1,0", thickness=1))
    assert len(piece) == len(particle)
    assert not piece.pbc.any()
    assert (piece.positions.min(axis=0)[:2] + piece.positions.max(axis=0)[:2]) / 2 == pytest.approx(np.diag(piece.cell)[:2] / 2)
    assert field_of(particle, CutParams(zone_axis="1,1,0")) == pytest.approx(tuple(np.diag(piece.cell)[1::-1]))
    assert period(particle, CutParams()) is None


def test_partly_filled_and_mixed_sites_are_drawn():
    alloy = bulk("Pt", "fcc", a=4.0, cubic=True)
    mixed = Atoms(["Pt"] * 4 + ["Ni"] * 4, positions=np.tile(alloy.positions, (2, 1)), cell=alloy.cell, pbc=True)
    mixed.set_array("occupancy", np.repeat([0.6, 0.3], 4))
    params = CutParams(thickness=60, width_y=40, width_x=40, seed=3)
    piece = cut(mixed, params)
    sites = len(cut(alloy, params))
    assert np.mean(piece.numbers == 78) * len(piece) / sites == pytest.approx(0.6, abs=0.02)
    assert np.mean(piece.numbers == 28) * len(piece) / sites == pytest.approx(0.3, abs=0.02)
    assert cKDTree(piece.positions).query_pairs(0.5) == set()
    assert np.array_equal(piece.positions, cut(mixed, params).positions)
    assert period(mixed, params) is None


def test_vacancies_and_thermal_motion():
    params = CutParams(thickness=60, vacancies=0.2, thermal=0.05, thermal_of="O 0.09, Sr: 0.07")
    piece, whole = cut(crystal("SrTiO3"), params), cut(crystal("SrTiO3"), CutParams(thickness=60))
    assert len(piece) / len(whole) == pytest.approx(0.8, abs=0.02)
    assert {int(n): float(u) for n, u in zip(piece.numbers, piece.arrays["thermal"], strict=True)} == {
        8: 0.09,
        38: 0.07,
        22: 0.05,
    }


@pytest.mark.parametrize(
    ("text", "zone"), [("1,1,0", (1, 1, 0)), ("[1 -1 0]", (1, -1, 0)), ("1-10", (1, -1, 0)), ("110", (1, 1, 0))]
)
def test_zone_axes_are_read_as_people_write_them(text, zone):
    assert zone_of(text) == zone


@pytest.mark.parametrize("text", ["", "1,1", "a,b,c", "1,1,0,0", "0,0,0", "1.5,0,1"])
def test_what_is_no_zone_axis_is_refused(text):
    with pytest.raises(AtomsegError, match="zone axis"):
        CutParams(zone_axis=text)


@pytest.mark.parametrize("text", ["Qq 0.1", "Sr", "Sr 5", "0.1"])
def test_what_is_no_displacement_is_refused(text):
    with pytest.raises(AtomsegError, match="displacement"):
        thermal_by_element(text)


def test_pieces_that_nothing_could_hold_are_refused():
    with pytest.raises(AtomsegError, match="a smaller field or thickness"):
        cut(crystal("Si"), CutParams(width_y=2000, width_x=2000, thickness=500))
    with pytest.raises(AtomsegError, match="no atom lies in the field"):
        cut(crystal("Si"), CutParams(vacancies=1.0))
    with pytest.raises(AtomsegError, match="thickness"):
        CutParams(thickness=0)


def test_directions_to_choose_from():
    assert low_index_zones(crystal("SrTiO3"))[:3] == ["0,0,1", "1,1,0", "1,1,1"]
    assert "0,0,1" in low_index_zones(crystal("MoS2"))


def test_a_particle_in_a_box_is_no_crystal():
    boxed = cluster(ClusterParams(diameter=10))
    boxed.set_cell([60, 60, 60])
    boxed.pbc = True
    assert not is_crystal(boxed)
    assert is_crystal(crystal("Si"))
