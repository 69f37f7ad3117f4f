import numpy as np
import pytest

from napari_atomseg.analysis.rings import bonds_of, defects_of, rings_of


def polygon(corners, centre=(0.0, 0.0), start=0.0):
    angle = start + 2 * np.pi * np.arange(corners) / corners
    return np.array(centre) + 1.42 / (2 * np.sin(np.pi / corners)) * np.stack([np.sin(angle), np.cos(angle)], axis=1)


@pytest.mark.parametrize("corners", [5, 6, 7, 8])
def test_a_polygon_is_one_ring(corners):
    atoms = polygon(corners, (4, 5))
    (ring,) = rings_of(atoms, bonds_of(atoms))
    assert ring.size == corners
    assert ring.centre == pytest.approx([4, 5])
    assert sorted(ring.atoms) == list(range(corners))


def test_loose_ends_and_outsides_are_no_rings():
    chain = np.array([[0, 0], [0, 1.42], [0, 2.84]])
    assert rings_of(chain, bonds_of(chain)) == []
    assert rings_of(np.zeros((0, 2)), bonds_of(np.zeros((0, 2)))) == []
    apart = np.concatenate([polygon(6), polygon(6, (20, 0))])
    assert [ring.size for ring in rings_of(apart, bonds_of(apart))] == [6, 6]


def test_an_atom_has_three_bonds_at_most_the_shortest():
    star = np.array([[0, 0], [0, 1.3], [1.4, 0], [0, -1.5], [-1.6, 0]])
    bonds = {tuple(sorted(pair)) for pair in bonds_of(star).tolist()}
    assert bonds == {(0, 1), (0, 2), (0, 3)}


def test_defects_lack_a_neighbour_or_are_in_an_odd_ring():
    atoms = polygon(5)
    bonds = bonds_of(atoms)
    assert defects_of(atoms, bonds, rings_of(atoms, bonds)).all()
