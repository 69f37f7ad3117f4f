import numpy as np
import pytest

from napari_atomseg.analysis.sheet import measure_sheet
from napari_atomseg.specimens.defected_graphene import DefectedGrapheneParams, defected_graphene

FIELD = (42.0, 38.0)


def measured(seed=1, noise=0.0, **given):
    rng = np.random.default_rng(seed)
    atoms = defected_graphene(FIELD, DefectedGrapheneParams(**given), rng).positions
    atoms = atoms[np.all((atoms > 0) & (atoms < FIELD), axis=1)]
    return measure_sheet(atoms + noise * rng.normal(size=atoms.shape), FIELD)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_perfect_sheet(noise):
    found = measured(noise=noise)
    numbers = found.numbers()
    assert numbers["rings_of_6"] == len(found.rings)
    assert numbers["stone_wales_defects"] == numbers["missing_atoms"] == numbers["edge_atoms"] == 0
    assert numbers["bond_length_angstrom"] == pytest.approx(1.42, abs=0.01 + noise**2)
    # Along the bond both ends count; what each adds to its three bonds is common to them.
    assert numbers["bond_length_spread_angstrom"] == pytest.approx(np.sqrt(2) * noise, abs=0.012)
    assert numbers["bond_length_angstrom_std"] < 0.01


def test_rotated_bonds_are_counted():
    numbers = measured(rotations=2, seed=3).numbers()
    assert (numbers["rings_of_5"], numbers["rings_of_7"], numbers["stone_wales_defects"]) == (4, 4, 2)


def test_missing_atoms_are_counted():
    assert measured(vacancies=2, seed=6).numbers()["missing_atoms"] == 2
    assert measured(divacancies=1, seed=6).numbers()["missing_atoms"] == 2
    assert measured(vacancies=1, seed=6).numbers()["edge_atoms"] == 3


def test_an_edge():
    assert measured(edge=0.0).numbers()["edge_atoms"] > 8


@pytest.mark.parametrize("count", [0, 1, 2])
def test_nothing_to_measure(count):
    numbers = measure_sheet(np.arange(2 * count).reshape(-1, 2) * 10.0, FIELD).numbers()
    assert numbers["bonds"] == 0
    assert numbers["bond_length_angstrom"] is None
