"""Recipes for particles of other fcc metals."""

import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.metal_recipe import FccMetal, recipe_of_metal
from napari_atomseg.synthesis.recipe import draw_record, read_recipe


def test_silver_differs_from_gold_in_nothing_but_the_metal():
    gold, silver = read_recipe("hrtem-particles"), recipe_of_metal(FccMetal(element="Ag"))
    assert silver.name == "hrtem-particles-Ag"
    assert "of Ag particles (fcc, 4.09 Å)" in silver.about
    assert {kind["number"] for kind in silver.specimens} == {47}
    for drawn in (draw_record(silver, seed).specimen for seed in range(20)):
        assert 4.09 * 0.99 <= drawn["lattice_constant"] <= 4.09 * 1.01
    aside = ("number", "lattice_constant")
    plain = [[{k: v for k, v in kind.items() if k not in aside} for kind in one.specimens] for one in (gold, silver)]
    assert plain[0] == plain[1]
    assert (silver.imaging, silver.dose, silver.noise) == (gold.imaging, gold.dose, gold.noise)


def test_a_metal_is_known_by_its_number_too_and_may_have_a_lattice_of_its_own():
    assert FccMetal(element="47").symbol == "Ag"
    cobalt = recipe_of_metal(FccMetal(element="Co", lattice_constant=3.54))
    assert cobalt.specimens[0]["number"] == 27
    assert cobalt.specimens[0]["lattice_constant"]["uniform"] == pytest.approx([3.5046, 3.5754])


@pytest.mark.parametrize(
    ("element", "side", "words"),
    [
        ("Co", None, "not face-centred cubic by itself"),
        ("Qq", None, "names no element"),
        ("", None, "names no element"),
        ("Ag", 2.0, "lattice_constant"),
    ],
)
def test_what_is_no_fcc_metal_is_refused(element, side, words):
    with pytest.raises(AtomsegError, match=words):
        recipe_of_metal(FccMetal(element=element, lattice_constant=side))
