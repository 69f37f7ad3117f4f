"""What is said of a structure."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.description import describe_structure, structure_summary
from napari_atomseg.specimens.library import crystal


@pytest.mark.parametrize(
    ("name", "density"), [("Pt", 21.45), ("Au", 19.3), ("Si", 2.33), ("NiO", 6.81), ("SrTiO3", 5.12), ("TiO2", 4.25)]
)
def test_density_is_that_of_tables(name, density):
    assert describe_structure(crystal(name)).density_g_cm3 == pytest.approx(density, rel=0.005)


def test_a_crystal():
    told = describe_structure(crystal("NiO"))
    assert (told.formula, told.atoms, told.repeated, told.notes) == ("Ni4O4", 8, ("a", "b", "c"), ())
    assert told.cell_angstrom == pytest.approx((4.177,) * 3)
    assert structure_summary(told) == "Ni4O4, 8 atoms, 6.81 g/cm³, 4.177 × 4.177 × 4.177 Å, repeated along a, b, c"


def test_a_sheet_has_no_density_and_says_why_it_ends():
    told = describe_structure(crystal("MoS2"))
    assert told.density_g_cm3 is None
    assert told.repeated == ("a", "b")
    assert "16.9 Å along c" in told.notes[0]
    assert "90, 90, 120°" in structure_summary(told)


def test_a_particle():
    particle = cluster(ClusterParams(diameter=10))
    told = describe_structure(particle)
    assert (told.formula, told.atoms, told.density_g_cm3, told.cell_angstrom) == (f"Pt{len(particle)}", len(particle), None, None)
    assert structure_summary(told).endswith("not repeated")


def test_mixed_sites_count_once_and_by_their_shares():
    mixed = Atoms("SrBaTi", positions=[[0, 0, 0], [0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    mixed.set_array("occupancy", np.array([0.7, 0.3, 1.0]))
    told = describe_structure(mixed)
    assert (told.formula, told.atoms) == ("Ba0.3Sr0.7Ti", 2)
    mass = 0.7 * 87.62 + 0.3 * 137.327 + 47.867
    assert told.density_g_cm3 == pytest.approx(mass * 1.66054 / 64, rel=1e-3)


def test_what_is_asked_for_overrules_the_file():
    assert describe_structure(crystal("Si"), "2,2,2").repeated == ()
    assert describe_structure(crystal("Si"), "none").density_g_cm3 is None


def test_it_can_be_written_as_json():
    atoms = bulk("Pt", cubic=True)
    atoms.info["notes"] = ("so",)
    told = json.loads(json.dumps(describe_structure(atoms).as_dict()))
    assert told["notes"] == ["so"]
    assert told["repeated"] == ["a", "b", "c"]
