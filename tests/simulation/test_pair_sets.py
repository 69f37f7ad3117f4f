"""Sets of specimens for corrections, and pairs of them that are gone on with."""

from dataclasses import replace

import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.readers.image_pairs import read_pairs
from napari_atomseg.simulation.pair_sets import draw_set
from napari_atomseg.specimens.alloys import alloy_lattice_constant, alloyed, parse_composition
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import PairSetParams, SimulationParams, StemParams, make_pair_set, pair_set_cost

QUICK = SimulationParams(
    pixel_size=0.25,
    cut=CutParams(thickness=8, width_y=6, width_x=6),
    stem=StemParams(source_size=1.0, semiangle=20),
    detector=DetectorParams(inner_angle=40, outer_angle=80),
    multislice=MultisliceParams(configurations=2, slice_thickness=4.0, scan_step=0.65),
)


@pytest.mark.parametrize(
    ("text", "shares"), [("Au", {"Au": 1.0}), ("Pt0.95Mo0.05", {"Pt": 0.95, "Mo": 0.05}), ("Pt3 Mo", {"Pt": 0.75, "Mo": 0.25})]
)
def test_compositions_are_read(text, shares):
    assert parse_composition(text) == pytest.approx(shares)


@pytest.mark.parametrize("text", ["", "Xx", "Pt,Mo", "5"])
def test_what_is_no_composition_is_refused(text):
    with pytest.raises(AtomsegError, match="no composition"):
        parse_composition(text)


def test_atoms_of_an_alloy_keep_their_volumes():
    assert alloy_lattice_constant({"Pt": 1.0}) == pytest.approx(3.92)
    # Half of the volume of body-centred molybdenum.
    assert alloy_lattice_constant({"Mo": 1.0}) ** 3 / 4 == pytest.approx(3.15**3 / 2, rel=0.01)


def test_an_alloy_has_its_shares():
    atoms = alloyed(crystal("Pt").repeat(4), {"Pt": 0.7, "Mo": 0.3}, np.random.default_rng(0))
    assert atoms.get_chemical_symbols().count("Mo") == round(0.3 * len(atoms))


def test_a_set_is_drawn_again_as_it_was():
    wanted = PairSetParams(alloys="Pt, Pt0.5Mo0.5", number=3)
    first, second = (draw_set(wanted, QUICK, [crystal("SrTiO3")]) for _ in range(2))
    assert len(first) == 9
    assert len({one.name for one in first}) == 9
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.atoms.positions, other.atoms.positions)
        assert one.params == other.params
    thick = [one.params.cut.thickness for one in first if one.name.startswith("s00")]
    assert thick == pytest.approx([2.0, 5.0, 8.0])


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"alloys": "Pt", "shapes": "cube"}, "no shape"),
        ({"smallest": 20, "largest": 10}, "below the smallest"),
        ({"amorphous": "0, 2"}, "between 0 and 1"),
        ({"zones": "1,1"}, "zone axis"),
    ],
)
def test_sets_that_cannot_be_are_refused(told, words):
    with pytest.raises(AtomsegError, match=words):
        PairSetParams(**told)


def test_pairs_hold_what_they_show_and_are_not_made_twice(tmp_path, monkeypatch):
    wanted = PairSetParams(alloys="Ni", smallest=5, largest=6, number=2)
    before = pair_set_cost(wanted, QUICK, keep=tmp_path).seconds
    first = make_pair_set(wanted, QUICK, keep=tmp_path)
    assert before > 0
    with pytest.raises(AtomsegError, match="all pairs of this set are there"):
        pair_set_cost(wanted, QUICK, keep=tmp_path)
    monkeypatch.setattr("napari_atomseg.simulation.correction_pairs.simulate", None)
    again = make_pair_set(wanted, QUICK, keep=tmp_path)
    assert [np.array_equal(one.multislice, other.multislice) for one, other in zip(first, again, strict=True)] == [True, True]
    pair = read_pairs(tmp_path)[0]
    assert pair.told["composition"] == {"Ni": 1.0}
    assert pair.error is not None
    assert pair.positions.shape == (len(pair.numbers), 3)
    assert pair.border == 24
    inside = pair.wide[pair.border : -pair.border, pair.border : -pair.border]
    assert np.array_equal(inside, pair.convolution)
    with pytest.raises(AtomsegError, match="another set"):
        make_pair_set(wanted, replace(QUICK, stem=replace(QUICK.stem, energy=80e3)), keep=tmp_path)
