import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.inference.detection import similar_sites
from napari_atomseg.inference.detection.similar_sites import site_statistics

NATIVE = 0.2
"""Angstrom per pixel."""
SHAPE = (180, 170)
SPACING_PX = 18.0
CORNERS = np.array([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]]) * SPACING_PX
"""The cell of square_lattice."""


def asked(columns, places, sure=None):
    """The site_statistics where the map and the image show these columns."""
    columns_map = draw(columns, 1.0, SHAPE, height=1.0, level=0.0)
    heights = draw(columns, 2.2, SHAPE, height=1.0, level=0.0)
    return site_statistics(columns_map, heights, np.atleast_2d(places), columns if sure is None else sure, NATIVE)


@pytest.fixture(scope="module")
def crystal():
    return square_lattice(SHAPE, SPACING_PX, margin=2)


@pytest.fixture(scope="module")
def middle(crystal):
    return np.argmin(np.hypot(*(crystal - np.array(SHAPE) / 2).T))


def test_an_empty_place_whose_fellows_are_occupied_is_expected_to_hold_a_column(crystal, middle):
    said = asked(np.delete(crystal, middle, axis=0), crystal[middle])
    assert said.seen[0][0] > 0.7
    assert said.height[0][0] > 0.7
    assert said.likeness[0] > 0.8


def test_a_speck_between_columns_is_expected_to_be_none(crystal, middle):
    between = crystal[middle] + CORNERS.sum(axis=0) / 2
    said = asked(np.concatenate([crystal, [between]]), between)
    assert said.seen[0][0] < 0.05
    assert said.height[0][0] < 0.3


def test_a_sublattice_that_is_empty_is_told_from_one_that_is_not(crystal):
    centres = crystal + CORNERS.sum(axis=0) / 2
    inner = np.all((centres > 35) & (centres < np.array(SHAPE) - 36), axis=1)
    full, empty = (asked(columns, centres[inner]) for columns in (np.concatenate([crystal, centres]), crystal))
    assert full.seen[0].min() > 0.7
    assert empty.seen[0].max() < 0.3


def test_what_stands_at_the_place_itself_does_not_matter(crystal, middle):
    there, gone = asked(crystal, crystal[middle]), asked(np.delete(crystal, middle, axis=0), crystal[middle])
    for name in ("likeness", "surroundings"):
        assert getattr(there, name)[0] == pytest.approx(getattr(gone, name)[0], abs=0.03), name
    for name in ("seen", "height"):
        assert getattr(there, name)[0][0] == pytest.approx(getattr(gone, name)[0][0], abs=0.1), name


def test_a_place_apart_has_no_fellows(crystal, middle):
    left = crystal[crystal[:, 1] < 0.5 * SHAPE[1]]
    apart = np.array([90.0, 150.0])
    beside = apart + np.array([[14.0, 3.0], [-9.0, 12.0]])
    said = asked(np.concatenate([left, [apart], beside]), np.stack([apart, left[len(left) // 2]]))
    assert said.likeness[0] < said.likeness[1] - 0.1
    assert said.seen[0][0] < 0.05


@pytest.mark.parametrize("number", [1, 2, 6])
def test_nothing_is_around_a_place_in_the_void(number):
    few = np.array([[20.0, 20.0], [25.0, 40.0], [40.0, 20.0], [38.0, 44.0], [60.0, 20.0], [20.0, 70.0]])[:number]
    said = asked(few, [[140.0, 130.0]])
    assert said.surroundings[0] == pytest.approx(0, abs=1e-6)
    assert said.likeness[0] < 0.1


def test_maps_of_nothing_and_no_sure_column_give_finite_numbers():
    nothing = np.zeros(SHAPE)
    said = site_statistics(nothing, nothing, np.array([[0.0, 0.0], [90.0, 80.0]]), np.zeros((0, 2)), NATIVE)
    for values in (said.likeness, said.effective_matches, said.surroundings, *said.seen, *said.scatter, *said.height):
        assert np.isfinite(values).all()
    assert np.all(said.seen[0] == 0)


def test_each_place_gets_its_own_vote_however_many_are_asked(crystal, monkeypatch):
    at_once = asked(crystal, crystal)
    monkeypatch.setattr(similar_sites, "AT_A_TIME", 7)
    parts = asked(crystal, crystal)
    for first, second in (
        (at_once.likeness, parts.likeness),
        (at_once.seen[0], parts.seen[0]),
        (at_once.effective_matches, parts.effective_matches),
    ):
        assert first == pytest.approx(second, abs=1e-4)


def test_the_order_of_the_columns_does_not_matter(crystal, rng):
    given, turned = (asked(crystal, crystal, sure) for sure in (crystal, rng.permutation(crystal)))
    assert given.likeness == pytest.approx(turned.likeness, abs=2e-3)
    assert given.seen[0] == pytest.approx(turned.seen[0], abs=2e-3)


def test_a_column_that_is_often_gone_scatters_more_than_one_that_always_stands(crystal, rng):
    corner, centre = crystal, crystal + CORNERS.sum(axis=0) / 2
    half = rng.uniform(size=len(centre)) < 0.5
    inner = np.all((crystal > 40) & (crystal < np.array(SHAPE) - 55), axis=1)
    columns = np.concatenate([corner, centre[half]])
    often, always = (asked(columns, places[inner]) for places in (centre, corner))
    assert np.median(often.scatter[0]) > 1.5 * np.median(always.scatter[0])
    assert np.median(often.seen[0]) < np.median(always.seen[0])
