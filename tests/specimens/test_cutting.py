import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.cutting import cut, field_of, has_thickness, period
from napari_atomseg.specimens.direction import parse_zone_axis
from napari_atomseg.specimens.library import crystal
from napari_atomseg.specimens.low_index_zones import low_index_zones
from napari_atomseg.specimens.thermal_motion import thermal_by_element

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


@pytest.mark.parametrize(("name", "zone"), [one for one in ZONES if one[0] != "MoS2"])
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
    assert parse_zone_axis(text) == zone


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
    assert low_index_zones(crystal("MoS2"))[0] == "0,0,1"
    assert len(set(low_index_zones(crystal("MoS2")))) == len(low_index_zones(crystal("MoS2"))) > 3


SHEETS = ["MoS2", "graphene"]


@pytest.mark.parametrize("name", SHEETS)
@pytest.mark.parametrize("thickness", [3, 50, 200])
def test_a_sheet_stays_one_layer_whatever_the_thickness(name, thickness):
    sheet = crystal(name)
    params = CutParams(thickness=thickness, width_y=30, width_x=25)
    piece = cut(sheet, params)
    high = np.ptp(sheet.positions[:, 2])
    assert np.ptp(piece.positions[:, 2]) == pytest.approx(high)
    area = np.linalg.norm(np.cross(*sheet.cell.array[:2]))
    assert len(piece) / len(sheet) * area == pytest.approx(50 * 45, rel=0.05)
    assert not has_thickness(sheet, params)
    one = period(sheet, params)
    assert one.pbc.tolist() == [True, True, False]
    assert np.ptp(one.positions[:, 2]) == pytest.approx(high)
    assert len(one) == 2 * len(sheet)
    many = one.repeat((20, 14, 1)).positions - np.append(5 * np.diag(one.cell.array)[:2], 0)
    box = np.array([[2.03, 2.03, -1], [20.51, 12.47, 99]])
    same_places(*(places[np.all((places > box[0]) & (places < box[1]), axis=1)] for places in (piece.positions, many)))


def test_a_sheet_seen_from_its_edge_lies_in_the_middle_and_is_as_thick_as_wanted():
    params = CutParams(zone_axis="0,1,0", thickness=40, tilt_x=5)
    sheet = crystal("MoS2")
    assert has_thickness(sheet, params)
    piece = cut(sheet, params)
    height, width = np.diag(piece.cell.array)[[1, 0]]
    extent = np.ptp(piece.positions, axis=0)
    across = int(np.argmin(extent[:2]))
    assert extent[across] == pytest.approx(np.ptp(sheet.positions[:, 2]), abs=0.5)
    field = (width, height)[across]
    assert field < 15
    assert piece.positions[:, across].mean() == pytest.approx(field / 2, abs=0.1)
    assert extent[2] == pytest.approx(40, abs=3.2)
    assert period(sheet, params) is None


@pytest.mark.parametrize("axis", range(3))
def test_a_sheet_may_end_along_any_axis(axis):
    cell, places = np.diag([3.9] * 3), np.full((3, 3), 0.3)
    cell[axis, axis] = 18
    places[:, axis] = [16.5, 0.4, 2.3]
    sheet = Atoms("SrTiO", positions=places, cell=cell, pbc=True)
    zone = ",".join("1" if one == axis else "0" for one in range(3))
    piece = cut(sheet, CutParams(zone_axis=zone, width_y=20, width_x=20))
    assert np.ptp(piece.positions[:, 2]) == pytest.approx(3.8)
    assert len(piece) == 3 * len(np.unique(np.round(piece.positions[:, :2], 3), axis=0))


def test_a_wire_goes_on_along_one_axis_only():
    wire = cluster(ClusterParams(diameter=8))
    wire.set_cell([30, 30, 6])
    wire.pbc = True
    along = cut(wire, CutParams(zone_axis="0,0,1", thickness=60))
    assert len(along) == pytest.approx(10 * len(wire), abs=len(wire))
    aside = cut(wire, CutParams(zone_axis="1,0,0", thickness=1))
    extent = np.sort(np.ptp(aside.positions, axis=0))
    assert extent[2] == pytest.approx(60, abs=6)
    assert extent[1] < 10


def test_so_many_cells_and_nothing_beyond():
    three = CutParams(repeat="3,2,1")
    piece = cut(crystal("SrTiO3"), three)
    assert len(piece) == 5 * 6
    assert sorted(field_of(crystal("SrTiO3"), three)) == pytest.approx([2 * 3.905 + 10 - 3.905 / 2, 3 * 3.905 + 10 - 3.905 / 2])
    assert len(cut(crystal("MoS2"), CutParams(repeat="1,1,3", zone_axis="1,0,0"))) == 9
    assert len(cut(crystal("Si"), CutParams(repeat="none"))) == 8
    assert period(crystal("Si"), CutParams(repeat="none")) is None
    # Directions stay those of the crystal.
    row = cut(crystal("graphene"), CutParams(repeat="1,5,1", zone_axis="0,1,0"))
    assert len(row) == 10
    assert len(np.unique(np.round(row.positions[:, :2], 3), axis=0)) == 2


def test_a_particle_across_the_faces_of_its_box_is_put_together():
    particle = cluster(ClusterParams(diameter=12))
    boxed = particle.copy()
    boxed.set_cell([30, 30, 30])
    boxed.pbc = True
    boxed.positions += [15, 1, 29]
    boxed.wrap()
    whole, broken = cut(particle, CutParams()), cut(boxed, CutParams())
    assert len(broken) == len(whole)
    same_places(broken.positions, whole.positions)


def test_thermal_motion_of_the_file_unless_another_is_told():
    structure = crystal("SrTiO3")
    structure.set_array("thermal", np.array([0.05, 0.06, 0.07, 0.07, 0.07]))
    known = cut(structure, CutParams(width_y=8, width_x=8, thickness=8))
    assert {int(n): float(u) for n, u in zip(known.numbers, known.arrays["thermal"], strict=True)} == {
        38: 0.05,
        22: 0.06,
        8: 0.07,
    }
    told = cut(structure, CutParams(width_y=8, width_x=8, thickness=8, thermal=0.1, thermal_of="O 0.2"))
    assert set(told.arrays["thermal"][told.numbers != 8]) == {0.1}
    assert set(told.arrays["thermal"][told.numbers == 8]) == {0.2}
