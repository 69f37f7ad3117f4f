"""The corrections that come with the program, and those of the user."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_pairs import draw_pairs

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.networks.zoo import ENVIRONMENT
from napari_atomseg.simulation.correction_catalogue import FILE, FOLDER, named_correction, write_correction_card
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import (
    CorrectionParams,
    SimulationParams,
    StemParams,
    correction_names,
    corrections_that_fit,
    fit_correction,
    read_correction_card,
    simulate,
)

CORRECTED = SimulationParams(method="corrected")


@pytest.mark.parametrize("name", correction_names())
def test_what_ships_is_what_its_card_says(name):
    correction, card = named_correction(name), read_correction_card(name)
    assert card["name"] == name
    assert card["terms"] == correction.number_of_terms
    assert tuple(card["domain"]["elements"]) == correction.fitted_on.elements
    assert correction.fitted_on.untold == ()
    assert correction.fitted_on.off_scale == ()
    scores = correction.cross_validation
    assert scores.leave_one_out < 0.5 * scores.plain
    assert any(word.startswith("napari-atomseg make-pairs") for word in card["commands"])


@pytest.mark.parametrize(("element", "name"), [("Au", "fcc-heavy"), ("Ag", "fcc-medium"), ("Pd", "fcc-medium")])
def test_a_particle_is_corrected_without_a_file_of_the_user(element, name):
    atoms = cluster(ClusterParams(element=element, diameter=16))
    found = simulate(atoms, CORRECTED)
    assert f"corrected by {name}" in found.notes[0]
    plain = simulate(atoms, replace(CORRECTED, method="convolution"))
    assert found.shape == plain.shape
    assert 0.6 < found.data.sum() / plain.data.sum() < 1.1
    assert abs(found.data[:20, :20]).max() < 0.01 * found.data.max()


def test_what_was_not_fitted_is_refused_with_the_numbers():
    atoms = cluster(ClusterParams(element="Au", diameter=16))
    slow = replace(CORRECTED, stem=StemParams(energy=80e3))
    with pytest.raises(AtomsegError, match="energy is 80000, and the correction was fitted at 200000"):
        simulate(atoms, slow, correction="fcc-heavy")
    with pytest.raises(AtomsegError, match=r"no correction at hand fits this image .*fcc-heavy"):
        simulate(atoms, slow)
    with pytest.raises(AtomsegError, match=r"pixel_size is 0\.2"):
        simulate(atoms, replace(CORRECTED, pixel_size=0.2), correction="fcc-heavy")
    assert corrections_that_fit(crystal("Si"), CORRECTED) == []


def test_what_is_no_correction_is_said():
    with pytest.raises(AtomsegError, match=r'no correction "gold".*fcc-heavy'):
        simulate(cluster(ClusterParams(diameter=8)), CORRECTED, correction="gold")


def test_own_corrections_stand_beside_those_that_ship(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    correction = fit_correction(draw_pairs(3, pixel_size=0.1), CorrectionParams(repeats=1), elements=("Pt",))
    (tmp_path / FOLDER).mkdir()
    write_correction_card(correction, tmp_path / FOLDER / "mine", "Drawn pairs.", ["fit-correction"], ["drawn"])
    assert next(iter(correction_names())) == "mine"
    image = draw_pairs(1)[0].convolution
    assert np.array_equal(named_correction("mine").predict(image), correction.predict(image))
    (tmp_path / FOLDER / "mine" / FILE).write_text("{}")
    named_correction.__globals__["_read"].cache_clear()
    with pytest.raises(AtomsegError, match="not the file that its card tells of"):
        named_correction("mine")
